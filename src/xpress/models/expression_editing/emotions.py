"""Discrete emotions as action units.

The combinations are those of EMFACS (Friesen and Ekman, "EMFACS-7: Emotional Facial Action Coding
System", 1983) as far as the seventeen units go: AU16 of disgust is none of them, and a dropped jaw
(AU26) parts the lips (AU25). How strong a unit gets is what the encoder reads of strong real
expressions, not one: its scale ends earlier for some units than for others.

    python -m xpress.preparation.emotion_range faces.parquet …     measures that anew
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from xpress.morphable.action_units import ACTION_UNITS

EMOTIONS: dict[str, tuple[int, ...]] = {
    "anger": (4, 5, 7, 23),
    "disgust": (9, 15),
    "fear": (1, 2, 4, 5, 7, 20, 25, 26),
    "happiness": (6, 12),
    "sadness": (1, 4, 15),
    "surprise": (1, 2, 5, 25, 26),
}
"""Action units of each."""

READ_RANGE: dict[int, tuple[float, float]] = {
    1: (0.13, 0.72),
    2: (0.29, 0.91),
    4: (0.08, 0.35),
    5: (0.11, 0.47),
    6: (0.12, 0.31),
    7: (0.14, 0.22),
    9: (0.10, 0.48),
    10: (0.08, 0.29),
    12: (0.11, 0.81),
    14: (0.08, 0.25),
    15: (0.14, 0.47),
    17: (0.07, 0.52),
    20: (0.18, 0.50),
    23: (0.15, 0.31),
    25: (0.30, 1.00),
    26: (0.10, 0.49),
    45: (0.22, 0.95),
}
"""Median and 99th percentile of each unit, as the package's encoder reads the colour pictures of
the training packs."""


def emotion_units(name: str) -> Float[Tensor, "17"]:
    """Action units of an emotion of `EMOTIONS`: strong where they belong to it, else at rest."""
    return torch.tensor([READ_RANGE[n][n in EMOTIONS[name]] for n in ACTION_UNITS])


def measured_range(
    units: Float[np.ndarray, "N 17"],
) -> tuple[Float[np.ndarray, "17"], Float[np.ndarray, "17"]]:
    """Median and 99th percentile of read action units."""
    low, high = np.quantile(units, [0.5, 0.99], axis=0)
    return low, high
