"""Packs of a teacher's edits: pictures before and after, and the flow between them."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float16, Float32

from xpress.errors import InputError
from xpress.media.crop import Crop
from xpress.packs import FaceRecords, is_packed
from xpress.packs.action_units import PICTURES, UNITS, units_of
from xpress.packs.parquet import read_with
from xpress.packs.pixels import Pixels, SelectedPixels, load_pixels

FLOW_SIZE = 64
"""Cells along each side of the stored flow."""
EDITED_UNITS = PICTURES["edited"]
COLUMNS = ("edited", "flow", UNITS, EDITED_UNITS)
"""Columns of a pack of pairs besides those of any pack."""


@dataclass(frozen=True)
class PairRows:
    """Edits that `edit_pairs` has made.

    Attributes:
        records: labels of the pictures before.
        pixels: pictures before, the encoder's canonical crops.
        edited: pictures after, in the same crops.
        flow: backward flow (x, y) in pixels of the crop, on a coarser grid.
        units: action units before.
        edited_units: and after.
    """

    records: FaceRecords
    pixels: Pixels
    edited: Pixels
    flow: Float16[np.ndarray, "N h w 2"]
    units: Float32[np.ndarray, "N 17"]
    edited_units: Float32[np.ndarray, "N 17"]

    def __len__(self) -> int:
        return len(self.units)

    @cached_property
    def boxes(self) -> Float32[np.ndarray, "N 4"]:
        """Box of each face's landmarks."""
        points = self.records.landmarks68
        return np.concatenate([points.min(1), points.max(1)], 1)

    def select(self, chosen: Bool[np.ndarray, " N"]) -> PairRows:
        """Some of the rows."""
        rows = np.flatnonzero(chosen)
        return PairRows(
            self.records.select(rows),
            SelectedPixels(self.pixels, rows),
            SelectedPixels(self.edited, rows),
            self.flow[rows],
            self.units[rows],
            self.edited_units[rows],
        )


def load_pairs(path: str | os.PathLike, cache: str = "auto") -> PairRows:
    """Read a pack that `python -m xpress.preparation.edit_pairs` wrote.

    Args:
        path: Parquet file or shards.
        cache: see `load_pixels`.

    Raises:
        InputError: not such a pack, or without a usable row.
    """
    if not is_packed(path):
        raise InputError(f"{path}: no pack of pairs; make one with xpress.preparation.edit_pairs")
    records, table = read_with(path, COLUMNS)
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise InputError(
            f"{path}: has no column {missing[0]!r}; make it with xpress.preparation.edit_pairs"
        )
    units, edited_units = units_of(table), units_of(table, EDITED_UNITS)
    flow, edited = table["flow"].to_pylist(), table["edited"].to_pylist()
    length = 2 * 2 * FLOW_SIZE**2
    good = np.array([f is not None and len(f) == length for f in flow])
    good &= np.array([bool(e) for e in edited])
    rows = np.flatnonzero(good & np.isfinite(units).all(1) & np.isfinite(edited_units).all(1))
    if not len(rows):
        raise InputError(f"{path}: not one usable pair; make it anew")
    records = records.select(rows)
    after = replace(records, images=[edited[row] for row in rows])
    readable, pixels = load_pixels(records, cache)
    readable_after, edited_pixels = load_pixels(after, cache)
    if not len(readable) == len(readable_after) == len(rows):
        raise InputError(f"{path}: some of its pictures cannot be decoded; make it anew")
    cells = np.frombuffer(b"".join(flow[row] for row in rows), np.float16)
    cells = cells.reshape(len(rows), FLOW_SIZE, FLOW_SIZE, 2)
    return PairRows(records, pixels, edited_pixels, cells, units[rows], edited_units[rows])


def cut_flow(
    flow: Float[np.ndarray, "h w 2"], side: int, crop: Crop, flip: bool
) -> Float32[np.ndarray, "S S 2"]:
    """A flow in the crop that `cut_flipped` makes of its picture.

    Where the crop reaches beyond the picture, whose mirror image it shows there, the flow is
    mirrored too.

    Args:
        flow: backward (x, y), pixels of the picture, on a grid over it.
        side: of the picture, pixels.
        crop: in pixels of the picture.
        flip: mirror the result left to right.
    """
    matrix, size = crop.matrix, (crop.size, crop.size)
    full = cv2.resize(flow.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    cut = cv2.warpAffine(
        full, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    row, column = np.mgrid[: crop.size, : crop.size].astype(np.float64)
    there = crop.to_image(np.stack([column, row], -1))
    cut = cut * np.where((there < 0) | (there > side - 1), -1, 1)
    cut = cut @ matrix[:, :2].T
    if flip:
        cut = cut[:, ::-1] * (-1, 1)
    return np.ascontiguousarray(cut, np.float32)
