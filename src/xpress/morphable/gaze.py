"""Where both eyes look, as numbers with a sign, and the blendshapes that say so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

GAZE_SHAPES = tuple(
    f"eyeLook{way}_{side}" for way in ("In", "Out", "Up", "Down") for side in ("L", "R")
)
GAZE_TURNS = np.array(
    [
        [-1.0, 1, 1, -1, 0, 0, 0, 0],
        [0, 0, 0, 0, 1, 1, -1, -1],
        [1, 1, -1, -1, 0, 0, 0, 0],
    ]
)
"""What each of `GAZE_SHAPES` has to do with the turn to the owner's left, the turn up, and the
convergence of the eyes."""


def gaze_columns(names: Sequence[str]) -> list[int]:
    """Where `GAZE_SHAPES` stand among the names; none where one of them is missing."""
    known = list(names)
    return [known.index(s) for s in GAZE_SHAPES] if set(GAZE_SHAPES) <= set(known) else []


def gaze_of(looks: Float[np.ndarray, "*B 8"]) -> Float[np.ndarray, "*B 3"]:
    """Turns of both eyes to the left and up, and convergence, of activations of `GAZE_SHAPES`."""
    return looks @ GAZE_TURNS.T / 2


def looks_of(gaze: Float[np.ndarray, "*B 3"]) -> Float[np.ndarray, "*B 8"]:
    """Activations of `GAZE_SHAPES`, the reverse of `gaze_of` within [0, 1]."""
    return (gaze @ GAZE_TURNS).clip(0, 1)
