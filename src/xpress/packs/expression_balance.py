"""How rare the expression of a face is among others."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def expression_measures(landmarks68: Float[np.ndarray, "N 68 2"]) -> Float[np.ndarray, "N 8"]:
    """Simple distances that tell expressions apart, each over the outer eye-corner distance.

    Columns: right and left lid opening (mean of two point pairs), inner-lip opening, mouth width,
    height of the mouth corners over the middle of the lips (a smile is positive), right and left
    brow height over the eye, and the nose tip's offset from the middle of the eye corners along
    the eye line (yaw).
    """
    p = np.asarray(landmarks68, np.float64)
    right, left = p[:, 36], p[:, 45]
    across = left - right
    width = np.maximum(np.linalg.norm(across, axis=1), 1e-6)
    ux = across / width[:, None]
    uy = np.stack([-ux[:, 1], ux[:, 0]], 1)  # down in an upright face

    def gap(a: list[int], b: list[int]) -> np.ndarray:
        return np.linalg.norm(p[:, a] - p[:, b], axis=2).mean(1)

    def below(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return ((a - b) * uy).sum(1)

    corners, lips = p[:, [48, 54]].mean(1), p[:, [51, 57]].mean(1)
    measures = [
        gap([37, 38], [41, 40]),
        gap([43, 44], [47, 46]),
        gap([61, 62, 63], [67, 66, 65]),
        gap([48], [54]),
        below(lips, corners),
        below(p[:, 36:42].mean(1), p[:, 18:21].mean(1)),
        below(p[:, 42:48].mean(1), p[:, 23:26].mean(1)),
        ((p[:, 30] - (right + left) / 2) * ux).sum(1),
    ]
    return np.stack(measures, 1) / width[:, None]


def expression_weights(
    landmarks68: Float[np.ndarray, "N 68 2"], largest: float = 6.0
) -> Float[np.ndarray, " N"]:
    """Sampling weights: how rare a face's rarest measure is.

    Each measure's density is a smoothed histogram over 40 bins between its 0.5% and 99.5%
    quantiles (what lies outside falls into the last bins). A measure's weight is the median
    density over its own; a row takes the largest of its measures' weights, over the median row's.

    Returns:
        Weights in [1, largest].
    """
    measures = expression_measures(landmarks68)
    weights = np.ones(len(measures))
    for column in measures.T:
        low, high = np.quantile(column, [0.005, 0.995])
        if high - low < 1e-9:
            continue
        bins = np.clip((column - low) / (high - low) * 40, 0, 39).astype(int)
        counts = np.convolve(np.bincount(bins, minlength=40), [0.25, 0.5, 0.25], mode="same")
        density = np.maximum(counts[bins], 1e-9)
        weights = np.maximum(weights, np.median(density) / density)
    return (weights / np.median(weights)).clip(1.0, largest)
