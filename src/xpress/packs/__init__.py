"""Readers of labelled face pictures: one file a format, all returning `FaceRecords`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from xpress.errors import InputError
from xpress.packs.csv import read_csv
from xpress.packs.parquet import read_parquet
from xpress.packs.pts import read_pts
from xpress.packs.records import FaceRecords, Reader
from xpress.packs.shards import is_pattern, is_remote

__all__ = [
    "FaceRecords",
    "Reader",
    "is_packed",
    "read_csv",
    "read_parquet",
    "read_pts",
    "read_records",
]


def read_records(path: str | os.PathLike, crop: str = "") -> FaceRecords:
    """Read labelled faces, the format told by the path.

    Args:
        path: a `.parquet` pack, a folder of them, a pattern (`faces/part-*.parquet`) or an
            fsspec URL of one (see `shards.shard_names`); a `.csv` beside its images, a folder
            with one such CSV, or a folder (searched recursively) with `.pts` files beside images.
        crop: of the pictures, where a pack has it; see `shards.read_group`.

    Raises:
        InputError: missing, of no known format, misread, or without one usable row.
    """
    packed = is_packed(path)
    records = read_parquet(path, crop) if packed else _reader_of(Path(path))(Path(path))
    if not len(records):
        raise InputError(
            f"{path}: not one usable row ({records.skipped} skipped); check its landmark columns"
        )
    return records


def is_packed(path: str | os.PathLike) -> bool:
    """Whether a path means Parquet, in one file or in shards; only such packs can be streamed."""
    local = Path(path)
    if is_remote(path) or (is_pattern(path) and not local.exists()):
        return True
    if local.is_dir():
        tables = next(local.glob("*.csv"), None)
        return tables is None and next(local.rglob("*.parquet"), None) is not None
    return local.suffix.lower() == ".parquet" and local.exists()


def _reader_of(path: Path) -> Callable[[Path], FaceRecords]:
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; name a .parquet, .csv or image folder")
    if path.suffix.lower() == ".csv":
        return read_csv
    if path.is_dir():
        tables = sorted(path.glob("*.csv"))
        if len(tables) == 1:
            return lambda folder: read_csv(tables[0], name=folder.name)
        if len(tables) > 1:
            raise InputError(f"{path}: holds {len(tables)} CSV files; name the one to read")
        if next(path.rglob("*.pts"), None) is not None:
            return read_pts
        raise InputError(f"{path}: holds neither a .csv of landmarks nor .pts files nor .parquet")
    raise InputError(f"{path}: unknown format; give a .parquet, a .csv or a folder of .pts files")
