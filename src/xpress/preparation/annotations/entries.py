"""What every reader of annotations gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Entry:
    """An annotated face.

    Attributes:
        name: of the picture or video, as the annotation has it; the end of a path.
        landmarks68: iBUG-68, pixels of the picture, (0, 0) the centre of the first; None where
            only action units are known.
        format: of the annotation.
        frame: of a video, from 0 on.
        face: number of the face in the picture, or of its track in the video.
        units: 17 action units in [0, 1], where they are known.
        person: who it is, where that is known.
    """

    name: str
    landmarks68: Float[np.ndarray, "68 2"] | None
    format: str
    frame: int = 0
    face: int = 0
    units: Float[np.ndarray, "17"] | None = None
    person: str = ""


def usable(points: np.ndarray) -> bool:
    """Whether points are finite and span at least four pixels."""
    return bool(np.isfinite(points).all() and np.ptp(points, axis=0).max() >= 4)
