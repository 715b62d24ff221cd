"""CSV files: pictures with 68 points, or what OpenFace writes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from xpress.packs.csv import read_csv
from xpress.packs.named_units import scaled
from xpress.packs.openface import COLUMNS, NAMES
from xpress.preparation.annotations.entries import Entry, usable

PICTURE = ("path", "image", "image_path", "file", "filename")


def kind_of(path: Path) -> str:
    """`openface`, `csv`, or nothing where a table has no landmarks and no action units."""
    header = _header(path)
    if {"confidence", "success"} & header and ("x_0" in header or COLUMNS[0] in header):
        return "openface"
    named = any(name in header for name in PICTURE)
    return "csv" if named and ({"x0", "y67"} <= header or {"x_0", "y_67"} <= header) else ""


def read_table(path: Path) -> list[Entry]:
    """Pictures with 68 points, see `packs.csv.read_csv`."""
    records = read_csv(path)
    seen: dict[Path, int] = {}
    entries = []
    for image, points, person in zip(
        records.images, records.landmarks68, records.identities, strict=True
    ):
        place = Path(image)  # type: ignore[arg-type]
        face = seen[place] = seen.get(place, -1) + 1
        name = place.relative_to(path.parent).as_posix()
        entries.append(Entry(name, points.astype(np.float64), "csv", face=face, person=person))
    return entries


def read_openface_table(path: Path) -> list[Entry]:
    """Landmarks and action units of OpenFace (Baltrušaitis et al., "OpenFace 2.0", 2018).

    Frames are counted from one there. A line is of the picture that a column names, else of the
    video, or picture, that the table is named after; lines without success are left out.
    """
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        lines = csv.DictReader(file, skipinitialspace=True)
        lines.fieldnames = [name.strip() for name in lines.fieldnames or ()]
        return [entry for line in lines if (entry := _entry(line, path.stem)) is not None]


def _entry(line: dict[str, str], stem: str) -> Entry | None:
    try:
        if float(line.get("success") or 1) <= 0:
            return None
        points = units = None
        if "x_0" in line:
            points = np.array([[float(line[f"{a}_{n}"]) for a in "xy"] for n in range(68)])
        if COLUMNS[0] in line:
            units = scaled(np.array([[float(line[name]) for name in COLUMNS]]))[0]
        frame = int(float(line.get("frame") or 1)) - 1
        face = int(float(line.get("face_id") or line.get("face") or 0))
    except (KeyError, TypeError, ValueError):
        return None
    if points is not None and not usable(points):
        return None
    named = next((line[name].strip() for name in NAMES if line.get(name)), stem)
    return Entry(named, points, "openface", max(frame, 0), face, units)


def _header(path: Path) -> set[str]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = next(csv.reader(file, skipinitialspace=True), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return set()
    return {name.strip() for name in first} | {name.strip().lower() for name in first}
