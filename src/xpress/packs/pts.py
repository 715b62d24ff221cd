"""Pictures with `.pts` files beside them, as 300-W, LFPW and HELEN come."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from xpress.errors import InputError
from xpress.packs.records import (
    CONTOUR_POINTS,
    FaceRecords,
    report_skipped,
    usable_landmarks,
)

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".PNG", ".JPG", ".JPEG")
_BODY = re.compile(r"n_points\s*:\s*(\d+)\s*\{([^}]*)\}")


def read_pts(path: Path) -> FaceRecords:
    """Read every `.pts` of a folder, recursively, that has a picture of the same stem beside it.

    The files count pixels from one; the coordinates are shifted by -1 (Sagonas et al., 300 Faces
    in-the-Wild, 2013). Persons are not named in such sets, so identities are unknown.

    Raises:
        InputError: the folder holds no `.pts` file.
    """
    path = Path(path)
    files = sorted(path.rglob("*.pts"))
    if not files:
        raise InputError(f"{path}: holds no .pts files")
    images, keys, landmarks, first = [], [], [], ""
    for file in files:
        image = next((i for s in _SUFFIXES if (i := file.with_suffix(s)).is_file()), None)
        points = parse_pts(file)
        if image is None or points is None or not usable_landmarks(points[None])[0]:
            first = first or str(file.relative_to(path))
            continue
        images.append(image)
        keys.append(file.relative_to(path).with_suffix("").as_posix())
        landmarks.append(points)
    count = len(images)
    report_skipped(path, len(files) - count, len(files), first)
    return FaceRecords(
        path.name,
        images,
        keys,
        [""] * count,
        np.full(count, -1, np.int8),
        np.array(landmarks, np.float32).reshape(count, 68, 2),
        np.zeros((count, CONTOUR_POINTS, 2), np.float32),
        np.zeros(count, bool),
        len(files) - count,
    )


def parse_pts(path: Path) -> np.ndarray | None:
    """(68, 2) float32 zero-based pixels, or None where the file is not one of 68 points."""
    try:
        match = _BODY.search(path.read_text(errors="replace"))
        values = np.array(match.group(2).split(), np.float32) if match else None
    except (OSError, ValueError):
        return None
    if values is None or match is None or values.size != 136 or int(match.group(1)) != 68:
        return None
    return values.reshape(68, 2) - 1
