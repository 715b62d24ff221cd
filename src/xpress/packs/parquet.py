"""Parquet packs: encoded crops with their landmarks in one file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xpress.errors import InputError
from xpress.packs.records import (
    CONTOUR_POINTS,
    FaceRecords,
    report_skipped,
    usable_landmarks,
)
from xpress.packs.shards import open_shard, read_group, scan_shards, source_name

COLUMNS = ("image", "landmarks68", "key", "identity", "color", "contours")
"""What is read of a pack, where present."""


def read_parquet(path: str | os.PathLike, crop: str = "") -> FaceRecords:
    """Read a pack whole: one file or several shards (see `shards.shard_names`).

    Columns: `image` (encoded bytes) and `landmarks68` (136 numbers x0 y0 x1 y1 …, pixels of the
    image) are needed; `contours` (276), `key`, `identity` and `color` are used where present.

    Args:
        path: of the pack.
        crop: see `shards.read_group`; rows without such a crop are left out.

    Raises:
        InputError: not a Parquet file, or without the needed columns.
    """
    tables, name = [], source_name(path)
    for shard in scan_shards(path):
        with open_shard(shard.location, shard.name) as file:
            groups = range(len(shard.rows))
            read = [read_group(file, i, COLUMNS, shard.name, crop) for i in groups]
            tables += read or [file.schema_arrow.empty_table()]
    table = _join(tables, str(path))
    if crop:
        table = table.filter(pc.is_valid(table["image"]))
    records, usable = records_of(table, name, str(path))
    rows = np.flatnonzero(usable)
    if len(rows) == len(usable):
        return records
    first = records.keys[int(np.flatnonzero(~usable)[0])]
    report_skipped(path, len(usable) - len(rows), len(usable), first)
    return replace(records.select(rows), skipped=len(usable) - len(rows))


def records_of(
    table: pa.Table, name: str, where: str, numbers: Sequence[int] | None = None
) -> tuple[FaceRecords, np.ndarray]:
    """Records of rows of a pack.

    Args:
        table: with `COLUMNS`.
        name: of the source.
        where: what messages call the file.
        numbers: of the rows in their pack, which name those that have no key.

    Returns:
        All rows, and (N,) which of them can be used.

    Raises:
        InputError: columns hold other things than they should.
    """
    if not _holds_bytes(table.schema.field("image").type):
        raise InputError(f"{where}: column 'image' holds no bytes; store encoded pictures")
    landmarks, has_landmarks = points_of(table, "landmarks68", 68, where)
    contours, has_contours = points_of(table, "contours", CONTOUR_POINTS, where)
    images = [image or b"" for image in _column(table, "image", None)]
    color = [-1 if value is None else int(value) for value in _column(table, "color", None)]
    keys, identities = names_of(table, numbers)
    with_image = np.array([len(image) > 0 for image in images], bool)
    records = FaceRecords(
        name,
        images,
        keys,
        identities,
        np.array(color, np.int8),
        landmarks,
        contours,
        has_contours,
    )
    return records, with_image & has_landmarks & usable_landmarks(landmarks)


def names_of(table: pa.Table, numbers: Sequence[int] | None = None) -> tuple[list[str], list[str]]:
    """Keys (the row's number where it has none) and identities ("" where unknown) of rows."""
    numbers = range(table.num_rows) if numbers is None else numbers
    pairs = zip(numbers, _column(table, "key", None), strict=True)
    keys = [str(number) if key is None else key for number, key in pairs]
    return keys, [identity or "" for identity in _column(table, "identity", "")]


def _join(tables: list[pa.Table], path: str) -> pa.Table:
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise InputError(f"{path}: its shards have columns of different types") from error


def _holds_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _column(table: pa.Table, name: str, default: object) -> list:
    return table[name].to_pylist() if name in table.column_names else [default] * table.num_rows


def points_of(table: pa.Table, name: str, points: int, where: str) -> tuple[np.ndarray, np.ndarray]:
    """(N, points, 2) float32 with zeros in rows of another length, and (N,) which are good."""
    out = np.zeros((table.num_rows, points, 2), np.float32)
    good = np.zeros(table.num_rows, bool)
    if name not in table.column_names:
        return out, good
    column = table[name].combine_chunks()
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        raise InputError(
            f"{where}: column {name!r} holds no lists; give {2 * points} numbers a row"
        )
    lengths = column.value_lengths().to_numpy(zero_copy_only=False)
    good = lengths == 2 * points
    values = column.filter(pa.array(good)).flatten()
    if good.any():
        try:
            numbers = values.cast(pa.float32()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid as error:
            raise InputError(f"{where}: column {name!r} holds no numbers") from error
        out[good] = numbers.reshape(-1, points, 2)
    finite = np.isfinite(out).all((1, 2))
    out[~finite] = 0
    return out, good & finite


def read_with(path: str | os.PathLike, columns: tuple[str, ...]) -> tuple[FaceRecords, pa.Table]:
    """Faces of Parquet packs, and a table with more of their columns, row by row the same.

    Raises:
        InputError: as `read_records` does.
    """
    name, tables = source_name(path), []
    for shard in scan_shards(path):
        with open_shard(shard.location, shard.name) as file:
            groups = range(len(shard.rows))
            tables += [read_group(file, i, COLUMNS + columns, shard.name) for i in groups]
    table = pa.concat_tables(tables, promote_options="permissive") if tables else pa.table({})
    if not table.num_rows:
        raise InputError(f"{path}: is empty; make it anew")
    records, usable = records_of(table, name, str(path))
    rows = np.flatnonzero(usable)
    if len(rows) < len(usable):
        first = records.keys[int(np.flatnonzero(~usable)[0])]
        report_skipped(path, len(usable) - len(rows), len(usable), first)
        records = replace(records.select(rows), skipped=len(usable) - len(rows))
    if not len(rows):
        raise InputError(f"{path}: not one usable row; check its landmark columns")
    extra = table.select([c for c in columns if c in table.column_names])
    return records, extra.take(pa.array(rows)) if extra.num_columns else pa.table({})
