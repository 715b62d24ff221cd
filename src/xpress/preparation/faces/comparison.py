"""Where two annotations of the same pictures differ."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from xpress.errors import InputError
from xpress.extraction.face_reader import FaceReader
from xpress.extraction.face_sample import upright_crop
from xpress.packs import FaceRecords, read_records
from xpress.packs.parquet import points_of, read_with
from xpress.packs.records import decode
from xpress.preparation.faces.page import grid, histogram, marked, section, table, write_page

SHOWN = 36
"""Faces of a grid."""
PARTS = {
    "jaw": range(17),
    "brows": range(17, 27),
    "nose": range(27, 36),
    "eyes": range(36, 48),
    "lips": range(48, 68),
}
ENCODER = "encoder"
"""What reads the pictures anew, where no other annotation is given."""


@dataclass(frozen=True)
class Comparison:
    """Landmarks of the same pictures from two origins.

    Attributes:
        records: the pictures, with the landmarks that are checked.
        other: those that they are compared with.
        names: what both are called.
    """

    records: FaceRecords
    other: Float[np.ndarray, "N 68 2"]
    names: tuple[str, str]

    @property
    def apart(self) -> Float[np.ndarray, "N 68"]:
        """Distance of each landmark over that of the outer eye corners."""
        points = self.records.landmarks68
        eyes = np.linalg.norm(points[:, 45] - points[:, 36], axis=1)
        return np.linalg.norm(points - self.other, axis=2) / np.maximum(eyes, 1.0)[:, None]


def compared(pack: str | os.PathLike, other: str = ENCODER, weights: str = "default") -> Comparison:
    """Bring two annotations together.

    Args:
        pack: whose landmarks are checked.
        other: `encoder` reads the pictures anew; else a column of the pack with 136 numbers, or
            another pack, or folder with annotations, of the same rows, found by their keys.
        weights: of the encoder.

    Raises:
        InputError: there is no such annotation, or no row has both.
    """
    if other == ENCODER:
        records = read_records(pack)
        return Comparison(records, _read(records, weights), ("pack", f"encoder ({weights})"))
    if Path(other).exists():
        return _of_pack(read_records(pack), read_records(other), (str(pack), other))
    records, columns = read_with(pack, (other,))
    if other not in columns.column_names:
        raise InputError(f"{other}: no column of {pack} and no other pack; check the name")
    points, known = points_of(columns, other, 68, str(pack))
    return _known(records, points, np.flatnonzero(known), ("landmarks68", other))


def _read(records: FaceRecords, weights: str) -> Float[np.ndarray, "N 68 2"]:
    """The encoder's landmarks, from crops around those that are there."""
    reader = FaceReader.from_pretrained(weights)
    found = [
        reader.extractor(
            decode(records.images[row]), upright_crop(points.astype(np.float64), reader.size)
        ).landmarks68
        for row, points in enumerate(records.landmarks68)
    ]
    return np.stack(found).astype(np.float32)


def _of_pack(one: FaceRecords, two: FaceRecords, names: tuple[str, str]) -> Comparison:
    place = {key: row for row, key in enumerate(two.keys)}
    rows = np.array([row for row, key in enumerate(one.keys) if key in place], np.int64)
    points = np.zeros_like(one.landmarks68)
    for row in rows:
        points[row] = two.landmarks68[place[one.keys[row]]]
    return _known(one, points, rows, names)


def _known(
    records: FaceRecords,
    points: Float[np.ndarray, "N 68 2"],
    rows: Int[np.ndarray, " M"],
    names: tuple[str, str],
) -> Comparison:
    if not len(rows):
        raise InputError(f"{names[0]} and {names[1]}: no row has landmarks of both; check the keys")
    return Comparison(records.select(rows), points[rows], names)


def told(comparison: Comparison) -> list[str]:
    """Lines with the figures."""
    apart, (one, two) = comparison.apart, comparison.names
    mean = apart.mean(1)
    lines = [
        f"{len(mean)} faces, {one} and {two}: landmarks {mean.mean():.4f} eye distances apart, "
        f"median {np.median(mean):.4f}, worst {mean.max():.4f} ({_worst(comparison, 1)[0]})"
    ]
    for name, points in PARTS.items():
        lines.append(f"  {name:5} {apart[:, points].mean():.4f}")
    return lines


def _worst(comparison: Comparison, count: int) -> Sequence[str]:
    order = np.argsort(-comparison.apart.mean(1), kind="stable")[:count]
    return [comparison.records.keys[row] for row in order]


def write_comparison(page: Path, comparison: Comparison) -> None:
    """Write a page that shows where they differ most.

    Args:
        page: `.html`.
        comparison: of both.
    """
    apart, (one, two) = comparison.apart, comparison.names
    mean = apart.mean(1)
    order = np.argsort(-mean, kind="stable")[:SHOWN]
    random = np.sort(np.random.default_rng(0).permutation(len(mean))[: SHOWN // 2])
    of_parts = {name: apart[:, points].mean(1) for name, points in PARTS.items()}
    parts = [
        (name, f"{values.mean():.4f}", f"{np.quantile(values, 0.95):.4f}")
        for name, values in of_parts.items()
    ]
    figures = [
        histogram(f"{name}, eye distances", values)
        for name, values in {"all": mean, **of_parts}.items()
    ]
    shown = f'<div class="row">{"".join(figures)}</div>'
    note = f"Green: {one}. Red: {two}. Distances are over that of the outer eye corners."
    sections = [
        section("Figures", table(["part", "mean", "95th percentile"], parts), shown, note=note),
        section("Where they differ most", grid(_drawn(comparison, order, mean))),
        section("Random", grid(_drawn(comparison, random, mean))),
    ]
    write_page(page, f"{one} and {two}", sections)


def _drawn(
    comparison: Comparison, rows: Int[np.ndarray, " M"], mean: Float[np.ndarray, " N"]
) -> list[tuple[np.ndarray, str]]:
    faces = []
    for row in rows.tolist():
        image = decode(comparison.records.images[row])
        points = comparison.records.landmarks68[row], comparison.other[row]
        line = f"{comparison.records.keys[row]} · {mean[row]:.3f}"
        faces.append((marked(image, *points), line))
    return faces
