"""Faces with their action units: from a pack's column, or read once and kept."""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64, UInt8
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from xpress.errors import InputError
from xpress.extraction.action_unit_encoder import UnitEncoder
from xpress.packs import FaceRecords, is_packed, read_records
from xpress.packs.action_units import UNITS, units_of
from xpress.packs.parquet import read_with
from xpress.packs.pixels import Pixels, SelectedPixels, is_color, load_pixels
from xpress.packs.records import decode
from xpress.whole_files import written_beside

log = logging.getLogger(__name__)

VERSION = 1
"""Changed when the same pictures and encoder give other units."""


@dataclass(frozen=True)
class ExpressionRows:
    """Faces of one source.

    Attributes:
        records: labels.
        pixels: pictures by row.
        units: action units in [0, 1], in the order of `ACTION_UNITS`.
    """

    records: FaceRecords
    pixels: Pixels
    units: Float32[np.ndarray, "N 17"]

    def __len__(self) -> int:
        return len(self.units)

    @property
    def people(self) -> list[str]:
        """Who is shown in each row."""
        return self.records.people

    def select(self, rows: Int64[np.ndarray, " M"]) -> ExpressionRows:
        """The rows of an index array, in its order."""
        pixels = SelectedPixels(self.pixels, rows)
        return ExpressionRows(self.records.select(rows), pixels, self.units[rows])


def read_units(
    path: str | os.PathLike, cache: str | os.PathLike, weights: str | os.PathLike = "default"
) -> tuple[FaceRecords, Float32[np.ndarray, "N 17"]]:
    """Faces of a source and their action units, not-a-number where there are none.

    Args:
        path: see `read_records`.
        cache: folder for units that are read here, because the source has no column of them.
        weights: of the encoder that reads them.

    Raises:
        InputError: as `read_records` does.
    """
    if is_packed(path):
        records, table = read_with(path, (UNITS,))
        units = units_of(table)
        if np.isfinite(units).any():
            return records, units
    else:
        records = read_records(path)
    return records, _cached(records, Path(cache), weights)


def load_rows(
    records: FaceRecords,
    units: Float32[np.ndarray, "N 17"],
    cache: str = "auto",
    color_only: bool = True,
) -> ExpressionRows:
    """Pictures of the rows that have units.

    Args:
        records: of one source.
        units: see `read_units`.
        cache: see `load_pixels`.
        color_only: leave grey pictures out.

    Raises:
        InputError: nothing is left, or no picture can be decoded.
    """
    wanted = np.isfinite(units).all(1)
    if color_only:
        wanted &= records.color != 0
    chosen = np.flatnonzero(wanted)
    if not len(chosen):
        raise InputError(
            f"{records.name}: none of its {len(records)} faces "
            + ("has colour and" if color_only else "has")
            + " action units; add some"
            + (" or set data.color_only=false" if color_only else "")
        )
    picked = records.select(chosen)
    # What cannot be decoded is left out by `load_pixels`; keys tell which rows those are.
    numbered = replace(picked, keys=[str(row) for row in range(len(picked))])
    left, pixels = load_pixels(numbered, cache)
    kept = np.array([int(key) for key in left.keys], np.int64)
    rows = ExpressionRows(picked.select(kept), pixels, units[chosen][kept])
    grey = _grey(rows) if color_only else np.zeros(0, np.int64)
    return rows.select(np.setdiff1d(np.arange(len(rows)), grey)) if len(grey) else rows


def _grey(rows: ExpressionRows) -> Int64[np.ndarray, " M"]:
    """Numbers of grey pictures among those of which the pack does not say it."""
    unknown = np.flatnonzero(rows.records.color < 0)
    return np.array([row for row in unknown if not is_color(rows.pixels[int(row)])], np.int64)


def _cached(
    records: FaceRecords, folder: Path, weights: str | os.PathLike
) -> Float32[np.ndarray, "N 17"]:
    encoder = UnitEncoder(weights)
    path = folder / f"{records.name}-{_digest(records, encoder.digest)}.safetensors"
    try:
        units = load_file(path)["units"]
        if units.shape == (len(records), 17):
            return units
    except (OSError, SafetensorError, KeyError):
        pass
    log.info("%s: reading action units of %d faces", records.name, len(records))
    faces = zip(map(_decoded, records.images), records.landmarks68, strict=True)
    units = encoder.read_faces(faces)
    with written_beside(path) as partial:
        partial.write_bytes(save({"units": units}))
    log.info("%s: kept in %s", records.name, path)
    return units


def _decoded(image: bytes | Path) -> UInt8[np.ndarray, "H W 3"] | None:
    try:
        return decode(image)
    except InputError:
        return None


def _digest(records: FaceRecords, encoder: str) -> str:
    """Of what the units depend on: the pictures, their landmarks and the encoder."""
    digest = hashlib.sha256(f"{VERSION} {encoder}".encode())
    digest.update(records.landmarks68.tobytes())
    for image in records.images:
        if isinstance(image, Path):
            status = image.stat()
            digest.update(f"{image.resolve()} {status.st_size} {status.st_mtime_ns}".encode())
        else:
            digest.update(hashlib.sha256(image).digest())
    return digest.hexdigest()[:16]
