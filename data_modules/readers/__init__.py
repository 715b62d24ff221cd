"""Readers of labelled face pictures: one file a format, all returning `FaceRecords`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from xpress.data_modules.readers.csv import read_csv
from xpress.data_modules.readers.parquet import read_parquet
from xpress.data_modules.readers.pts import read_pts
from xpress.data_modules.readers.records import FaceRecords, Reader

from xpress.errors import InputError

__all__ = ["FaceRecords", "Reader", "read_csv", "read_parquet", "read_pts", "read_records"]


def read_records(path: str | os.PathLike) -> FaceRecords:
    """Read labelled faces, the format told by the path.

    Args:
        path: a `.parquet` pack, a `.csv` beside its images, a folder with one such CSV, or a
            folder (searched recursively) with `.pts` files beside images.

    Raises:
        InputError: missing, of no known format, misread, or without one usable row.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; name a .parquet, .csv or image folder")
    records = _reader_of(path)(path)
    if not len(records):
        raise InputError(
            f"{path}: not one usable row ({records.skipped} skipped); check its landmark columns"
        )
    return records


def _reader_of(path: Path) -> Callable[[Path], FaceRecords]:
    if path.suffix.lower() == ".parquet":
        return read_parquet
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
        raise InputError(f"{path}: holds neither a .csv of landmarks nor .pts files")
    raise InputError(f"{path}: unknown format; give a .parquet, a .csv or a folder of .pts files")
