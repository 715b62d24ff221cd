"""A folder of pictures with a CSV of 68 points."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from xpress.errors import InputError
from xpress.packs.records import (
    CONTOUR_POINTS,
    FaceRecords,
    report_skipped,
    usable_landmarks,
)

_PATH_COLUMNS = ("path", "image", "image_path", "file", "filename")


def read_csv(path: Path, name: str | None = None) -> FaceRecords:
    """Read pictures named in a CSV with a header.

    Columns: one of path, image, image_path, file, filename (relative to the CSV's folder);
    x0, y0 … x67, y67 or x_0, y_0 … x_67, y_67 in pixels (pixel (0, 0) is the centre of the
    top-left one); `identity` and `key` where present.

    Raises:
        InputError: not such a CSV.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.reader(file, skipinitialspace=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a readable CSV file ({error})") from error
    lines = [line for line in lines if line]
    if not lines:
        raise InputError(f"{path}: is empty; a header and a line a picture are needed")
    header = {column.strip().lower(): i for i, column in enumerate(lines[0])}
    image_column, point_columns = _columns(path, header)
    rows, first = [], ""
    for line in lines[1:]:
        row = _row(line, path.parent, header, image_column, point_columns)
        if row is None:
            first = first or (line[image_column] if len(line) > image_column else ",".join(line))
        else:
            rows.append(row)
    skipped = len(lines) - 1 - len(rows)
    report_skipped(path, skipped, len(lines) - 1, first)
    count = len(rows)
    return FaceRecords(
        name or path.stem,
        [row[0] for row in rows],
        [row[1] for row in rows],
        [row[2] for row in rows],
        np.full(count, -1, np.int8),
        np.array([row[3] for row in rows], np.float32).reshape(count, 68, 2),
        np.zeros((count, CONTOUR_POINTS, 2), np.float32),
        np.zeros(count, bool),
        skipped,
    )


def _columns(path: Path, header: dict[str, int]) -> tuple[int, list[int]]:
    image_column = next((header[name] for name in _PATH_COLUMNS if name in header), None)
    if image_column is None:
        raise InputError(f"{path}: no column names the picture; call it one of {_PATH_COLUMNS}")
    for pattern in ("{}{}", "{}_{}"):
        names = [pattern.format(axis, i) for i in range(68) for axis in "xy"]
        if names[0] in header:
            missing = [name for name in names if name not in header]
            if missing:
                raise InputError(f"{path}: lacks column {missing[0]!r}; 68 points are needed")
            return image_column, [header[name] for name in names]
    raise InputError(f"{path}: no landmark columns; name them x0, y0 … or x_0, y_0 … to 67")


def _row(
    line: list[str], folder: Path, header: dict[str, int], image_column: int, points: list[int]
) -> tuple[Path, str, str, np.ndarray] | None:
    try:
        image = folder / line[image_column].strip()
        landmarks = np.array([float(line[i]) for i in points], np.float32).reshape(68, 2)
        identity = line[header["identity"]].strip() if "identity" in header else ""
        key = line[header["key"]].strip() if "key" in header else line[image_column].strip()
    except (ValueError, IndexError):
        return None
    if not usable_landmarks(landmarks[None])[0] or not image.is_file():
        return None
    return image, key, identity, landmarks
