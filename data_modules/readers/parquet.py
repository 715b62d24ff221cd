"""Parquet packs: encoded crops with their landmarks in one file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from xpress.data_modules.readers.records import (
    CONTOUR_POINTS,
    FaceRecords,
    report_skipped,
    usable_landmarks,
)

from xpress.errors import InputError

_REQUIRED = ("image", "landmarks68")
_OPTIONAL = ("key", "identity", "color", "contours")


def read_parquet(path: Path) -> FaceRecords:
    """Read a pack.

    Columns: `image` (encoded bytes) and `landmarks68` (136 numbers x0 y0 x1 y1 …, pixels of the
    image) are needed; `contours` (276), `key`, `identity` and `color` are used where present.

    Raises:
        InputError: not a Parquet file, or without the needed columns.
    """
    path = Path(path)
    table = _read_table(path)
    total = table.num_rows
    landmarks, has_landmarks = _points(table, "landmarks68", 68, path)
    images = _column(table, "image", None)
    keys = [str(i) if k is None else k for i, k in enumerate(_column(table, "key", None))]
    with_image = np.array([bool(image) for image in images], bool)
    usable = with_image & has_landmarks & usable_landmarks(landmarks)
    rows = np.flatnonzero(usable)
    if len(rows) < total:
        first = keys[int(np.flatnonzero(~usable)[0])]
        report_skipped(path, total - len(rows), total, first)
    contours, has_contours = _points(table, "contours", CONTOUR_POINTS, path)
    color = [-1 if value is None else int(value) for value in _column(table, "color", None)]
    records = FaceRecords(
        path.stem,
        images,
        keys,
        [identity or "" for identity in _column(table, "identity", "")],
        np.array(color, np.int8),
        landmarks,
        contours,
        has_contours,
        total - len(rows),
    )
    return records if len(rows) == total else records.select(rows)


def _read_table(path: Path) -> pa.Table:
    try:
        file = pq.ParquetFile(path)
        names = set(file.schema_arrow.names)
        missing = [name for name in _REQUIRED if name not in names]
        if missing:
            raise InputError(
                f"{path}: has no column {' and '.join(map(repr, missing))}; "
                f"a pack needs {' and '.join(_REQUIRED)}"
            )
        table = file.read([name for name in (*_REQUIRED, *_OPTIONAL) if name in names])
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a readable Parquet file; make the pack anew") from error
    if not pa.types.is_binary(table.schema.field("image").type):
        raise InputError(f"{path}: column 'image' holds no bytes; store encoded pictures")
    return table


def _column(table: pa.Table, name: str, default: object) -> list:
    return table[name].to_pylist() if name in table.column_names else [default] * table.num_rows


def _points(table: pa.Table, name: str, points: int, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(N, points, 2) float32 with zeros in rows of another length, and (N,) which are good."""
    out = np.zeros((table.num_rows, points, 2), np.float32)
    good = np.zeros(table.num_rows, bool)
    if name not in table.column_names:
        return out, good
    column = table[name].combine_chunks()
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        raise InputError(f"{path}: column {name!r} holds no lists; give {2 * points} numbers a row")
    lengths = column.value_lengths().to_numpy(zero_copy_only=False)
    good = lengths == 2 * points
    values = column.filter(pa.array(good)).flatten()
    if good.any():
        try:
            numbers = values.cast(pa.float32()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid as error:
            raise InputError(f"{path}: column {name!r} holds no numbers") from error
        out[good] = numbers.reshape(-1, points, 2)
    finite = np.isfinite(out).all((1, 2))
    out[~finite] = 0
    return out, good & finite
