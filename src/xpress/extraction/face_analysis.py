"""What is read from one face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from xpress.extraction.face_sample import FaceSample
from xpress.structures import FaceParameters


@dataclass(frozen=True)
class FaceAnalysis:
    """One face of one picture.

    Attributes:
        parameters: in pixels of the picture, a batch of one.
        landmarks68: iBUG-68, pixels.
        contours: Face Mesh contour points, pixels.
        detected: False where a video shows no face and the last one's values are held.
        action_units: intensities in [0, 1], see `morphable.action_units.ACTION_UNITS`.
    """

    parameters: FaceParameters
    landmarks68: Float[np.ndarray, "68 2"]
    contours: Float[np.ndarray, "138 2"]
    detected: bool
    action_units: Float[np.ndarray, "17"]


@dataclass(frozen=True)
class Refinement:
    """A refined face.

    Attributes:
        face: in pixels of the picture.
        before: RMS difference of the colours in [0, 1] where the model is seen, at the start.
        after: the same at the end.
        steps: how many steps made the objective smaller; the others changed nothing.
    """

    face: FaceSample
    before: float
    after: float
    steps: int
