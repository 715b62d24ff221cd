"""How much each landmark label is trusted in fits and losses."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from xpress.morphable.landmarks.landmark_names import CONTOUR_MEDIAPIPE_INDEX

LANDMARKS68_MEDIAPIPE_INDEX = np.array(
    [
        *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),
        *(71, 63, 105, 66, 107, 336, 296, 334, 293, 301, 168, 197, 5, 4, 75, 97, 2, 326, 305),
        *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
        *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87),
    ]
)
"""(68,) MediaPipe Face Mesh index of each iBUG-68 landmark."""

LIPS_OUTER = (
    *(61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146),
)
LIPS_INNER = (
    *(78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95),
)
LIPS = np.array([CONTOUR_MEDIAPIPE_INDEX.tolist().index(p) for p in (*LIPS_OUTER, *LIPS_INNER)])
"""(40,) contour rows of the outer and of the inner outline, each from the owner's right corner over
the upper lip and back."""
LIDS = (
    *(33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    *(263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
FACE_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152),
    *(148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
FIRST_IRIS = 468


def fit_weights() -> Float32[np.ndarray, " 206"]:
    """Inverse variances relative to the brows', for the 68 landmarks and then the contours.

    Lids and inner lips carry the expression and are labelled most precisely; the face oval
    slides along the jaw; a point that is in both sets counts once.
    """
    index = np.concatenate([LANDMARKS68_MEDIAPIPE_INDEX, CONTOUR_MEDIAPIPE_INDEX])
    weights = np.ones(len(index), np.float32)
    weights[np.isin(index, LIPS_INNER)] = 4.0
    weights[np.isin(index, LIDS)] = 6.0
    weights[np.isin(index, FACE_OVAL)] = 0.25
    weights[index >= FIRST_IRIS] = 0.5
    weights[:68][np.isin(LANDMARKS68_MEDIAPIPE_INDEX, CONTOUR_MEDIAPIPE_INDEX)] = 0.0
    return weights


def loss_weights() -> Float32[np.ndarray, " 206"]:
    """Weights of the landmark loss: as in fits, but the 68 count too where contours are absent."""
    weights = fit_weights()
    weights[:68] += np.where(weights[:68] == 0, np.float32(0.5), 0)
    weights[60:68] = weights[60:68].clip(min=2.0)  # the inner lips
    return weights
