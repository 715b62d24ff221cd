"""Action units from the tables of OpenFace (Baltrušaitis et al., "OpenFace 2.0", 2018)."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from xpress.errors import InputError
from xpress.morphable.action_units import ACTION_UNITS
from xpress.packs.named_units import NamedUnits

COLUMNS = tuple(f"AU{number:02d}_r" for number in ACTION_UNITS)
"""Names of the intensities, 0 to 5; OpenFace puts a space before each."""
NAMES = ("file", "filename", "image", "path", "name", "input")
"""Columns that may name the picture of a line."""


def read_openface(path: Path) -> NamedUnits:
    """Read a CSV that `FeatureExtraction` or `FaceLandmarkImg` wrote.

    Columns are found by their names. A line is of the picture that a column `file`, `image`,
    `path` or `name` names, else of the frame (which OpenFace counts from one) of the video that
    the CSV is named after, else of the picture that it is named after. Of several faces in a
    picture the one with the greatest confidence counts; lines without success are left out.

    Raises:
        InputError: not such a table, or action units are missing in it.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            lines = [line for line in csv.reader(file, skipinitialspace=True) if line]
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a readable CSV file ({error})") from error
    header = {name.strip(): i for i, name in enumerate(lines[0])} if lines else {}
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise InputError(
            f"{path}: lacks {', '.join(missing)}; run OpenFace with -aus and keep its columns"
        )
    best: dict[str | tuple[str, int], tuple[float, np.ndarray]] = {}
    for line in lines[1:]:
        read = _line(line, header, Path(path).stem)
        if read is not None:
            name, confidence, units = read
            if name not in best or confidence > best[name][0]:
                best[name] = confidence, units
    if not best:
        raise InputError(f"{path}: no line with action units of a found face")
    return NamedUnits(list(best), np.stack([units for _, units in best.values()]))


def _line(
    line: list[str], header: dict[str, int], stem: str
) -> tuple[str | tuple[str, int], float, np.ndarray] | None:
    """Name, confidence and intensities; None for a line that cannot be used."""
    try:
        units = np.array([float(line[header[name]]) for name in COLUMNS])
        confidence = float(line[header["confidence"]]) if "confidence" in header else 1.0
        found = float(line[header["success"]]) > 0 if "success" in header else True
        named = next((column for column in NAMES if column in header), None)
        if named is not None:
            name: str | tuple[str, int] = line[header[named]].strip()
        else:
            name = (stem, int(line[header["frame"]]) - 1) if "frame" in header else stem
    except (ValueError, IndexError):
        return None
    return (name, confidence, units) if found and np.isfinite(units).all() else None
