"""JSON in the form of COCO: pictures, and faces with their key points."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from xpress.preparation.annotations.entries import Entry, usable
from xpress.preparation.annotations.wflw import to_68

_WHOLE_BODY = slice(23, 91)
"""The face among the 133 points of COCO-WholeBody (Jin et al., ECCV 2020)."""


def is_coco(path: Path) -> bool:
    """Whether a JSON file begins to be one: it has pictures and annotations."""
    try:
        with path.open(encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and {"images", "annotations"} <= content.keys()


def read_coco(path: Path) -> list[Entry]:
    """Read faces of 68, 98 (WFLW) or 133 points (COCO-WholeBody), or of its `face_kpts`.

    Key points are x, y and visibility in turn; faces with a point that is not labelled (0) are
    left out, and what is none of these likewise.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    names = {
        image.get("id"): str(image.get("file_name", ""))
        for image in content["images"]
        if isinstance(image, dict)
    }
    entries: list[Entry] = []
    seen: dict[str, int] = {}
    for annotation in content["annotations"]:
        name = names.get(annotation.get("image_id")) if isinstance(annotation, dict) else None
        points = _points(annotation) if name else None
        if name and points is not None and usable(points):
            face = seen[name] = seen.get(name, -1) + 1
            entries.append(Entry(name, points, "coco", face=face))
    return entries


def _points(annotation: dict[str, Any]) -> Float[np.ndarray, "68 2"] | None:
    for field in ("face_kpts", "keypoints"):
        try:
            values = np.array(annotation.get(field) or (), np.float64)
        except (TypeError, ValueError):
            continue
        if values.ndim == 1 and values.size in (3 * 68, 3 * 98, 3 * 133):
            points = values.reshape(-1, 3)
            points = points[_WHOLE_BODY] if len(points) == 133 else points
            if not (points[:, 2] > 0).all():
                return None
            return to_68(points[:, :2]) if len(points) == 98 else points[:, :2]
    return None
