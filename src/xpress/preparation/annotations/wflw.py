"""Lists of WFLW: 98 points, a box, six attributes and a picture in each line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

from xpress.preparation.annotations.entries import Entry, usable

POINTS, FIELDS = 98, 98 * 2 + 4 + 6 + 1
TO_68 = np.array(
    [
        *range(0, 33, 2),  # jaw
        *(33, 34, 35, 36, 37),  # upper edges of the brows
        *(42, 43, 44, 45, 46),
        *range(51, 60),  # nose
        *(60, 61, 63, 64, 65, 67),  # lids, without the middle of each
        *(68, 69, 71, 72, 73, 75),
        *range(76, 96),  # lips
    ]
)
"""Point of WFLW (Wu et al., "Look at Boundary", CVPR 2018) for each of the 68."""


def to_68(points: Float[np.ndarray, "98 2"]) -> Float[np.ndarray, "68 2"]:
    """The iBUG-68 points among WFLW's."""
    return points[TO_68]


def is_wflw(line: str) -> bool:
    """Whether a line of a text is of such a list."""
    return len(line.split()) == FIELDS


def read_wflw(path: Path) -> list[Entry]:
    """Read a list; lines that are broken are left out."""
    entries: list[Entry] = []
    seen: dict[str, int] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        parts = line.split()
        if len(parts) != FIELDS:
            continue
        try:
            points = np.array(parts[: 2 * POINTS], np.float64).reshape(POINTS, 2)
        except ValueError:
            continue
        if usable(points):
            face = seen[parts[-1]] = seen.get(parts[-1], -1) + 1
            entries.append(Entry(parts[-1], to_68(points), "wflw", face=face))
    return entries
