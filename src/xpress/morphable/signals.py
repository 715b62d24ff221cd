"""Distances between landmarks that tell what a face does, whoever it is.

Each is divided by the distance of the outer eye corners. "Up" is the face's own: perpendicular to
the line of the eye corners in the picture.
"""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float

from xpress.arrays import Array, library
from xpress.morphable.landmarks.landmark_names import CONTOUR_MEDIAPIPE_INDEX

_LENGTH, _UP, _ALONG = range(3)
_TABLE = {
    "mouth_opening": ([61, 62, 63], [67, 66, 65], _UP),
    "mouth_width": ([54], [48], _LENGTH),
    "smile": ([48, 54], [51, 57], _UP),
    "lid_right": ([37, 38], [41, 40], _UP),
    "lid_left": ([43, 44], [47, 46], _UP),
    "brow_right": ([18, 19, 20], [36, 39], _UP),
    "brow_left": ([23, 24, 25], [42, 45], _UP),
    "jaw_drop": ([33], [8], _UP),
    "upper_lip": ([61, 62, 63], [33], _UP),
    "lower_lip": ([65, 66, 67], [8], _UP),
    "corner_right": ([48], [33], _UP),
    "corner_left": ([54], [33], _UP),
    "stretch_right": ([33], [48], _ALONG),
    "stretch_left": ([54], [33], _ALONG),
    "lower_lid_right": ([40, 41], [36, 39], _UP),
    "lower_lid_left": ([46, 47], [42, 45], _UP),
}
"""From the mean of the second landmarks to that of the first: its length, or its part in a
direction of the face."""
SIGNALS = tuple(_TABLE)

GAZE_SIGNALS = ("gaze_across", "gaze_up")

EYE_SIGNALS = ("iris_across", "iris_up", "opening")
LID_PAIRS = ((4, 12), (5, 11))
"""Pairs of lid points above and below the middle, as the Face Mesh's 159/145 and 158/153."""

_EYES = tuple(
    tuple(CONTOUR_MEDIAPIPE_INDEX.tolist().index(point) for point in points)
    for points in ((468, 33, 133), (473, 362, 263))
)
"""Contour rows of the centre of an iris, then its eye's corners from the owner's right to left."""


def expression_signals(landmarks68: Float[Array, "B 68 2"]) -> Float[Array, "B 16"]:
    """The signals named by `SIGNALS` from iBUG-68 landmarks in pixels.

    Mouth opening: mean inner-lip gap. Mouth width: between the outer corners. Smile: height of
    the corners over the middle of the outer lips. Lids: mean gap of two pairs. Brows: height of
    the middle three points over the eye's corners. Jaw drop: from the nose's base down to the
    chin. Upper lip: height of its inner edge over the nose's base, lower lip: that of its over the
    chin. Corners: height of each mouth corner over the nose's base, stretch: how far it is from
    there sideways. Lower lids: height over the eye's corners. Right and left are the face owner's.
    """
    across = landmarks68[:, 45] - landmarks68[:, 36]
    length = _length(across).clip(1e-3)
    along = across / length[:, None]
    up = library(across).stack([along[:, 1], -along[:, 0]], -1)

    def measured(arm: Array, kind: int) -> Array:
        return _length(arm) if kind == _LENGTH else (arm * (up if kind == _UP else along)).sum(-1)

    return library(across).stack(_each(landmarks68, measured), -1) / length[:, None]


def frontal_signals(points: Float[Array, "B L 3"]) -> Float[Array, "B 16"]:
    """The same without the division, for points in model space or differences of such points.

    Linear in the points: they face ahead, so that up is y and along is x.
    """

    def measured(arm: Array, kind: int) -> Array:
        return arm[:, 1] if kind == _UP else arm[:, 0]

    return library(points).stack(_each(points, measured), -1)


def _each(points: Float[Array, "B L D"], measured: Callable[[Array, int], Array]) -> list[Array]:
    return [
        measured(points[:, ends].mean(1) - points[:, starts].mean(1), kind)
        for ends, starts, kind in _TABLE.values()
    ]


def gaze_signals(contours: Float[Array, "B 138 2"]) -> Float[Array, "B 2"]:
    """The signals named by `GAZE_SIGNALS` from Face Mesh contour points in pixels.

    Where the centres of the irises are on the lines between the eyes' corners, towards the
    owner's left, and how high above them: shares of each eye's width, means of both eyes.
    """
    across, up = [], []
    for iris, right, left in _EYES:
        line = contours[:, left] - contours[:, right]
        arm = contours[:, iris] - contours[:, right]
        square = (line * line).sum(-1).clip(1e-6)
        across.append((arm * line).sum(-1) / square)
        up.append((line[:, 1] * arm[:, 0] - line[:, 0] * arm[:, 1]) / square)
    return library(contours).stack([sum(across) / 2, sum(up) / 2], -1)


def eye_signals(points: Float[Array, "*B 17 2"]) -> Float[Array, "*B 3"]:
    """The signals named by `EYE_SIGNALS`, shares of the eye's width.

    Across: the iris from the outer corner (0) to the inner (1). Up: over the line of the corners.
    Opening: mean distance of two pairs of lid points.

    Args:
        points: the lids' 16 points from the outer corner over the upper lid, then the iris's
            centre; any unit, y down, the outer corner on the left.
    """
    made = library(points)
    line = points[..., 8, :] - points[..., 0, :]
    arm = points[..., 16, :] - points[..., 0, :]
    square = (line * line).sum(-1).clip(1e-9)
    across = (arm * line).sum(-1) / square
    up = (line[..., 1] * arm[..., 0] - line[..., 0] * arm[..., 1]) / square
    gaps = [points[..., a, :] - points[..., b, :] for a, b in LID_PAIRS]
    opening = sum((gap * gap).sum(-1).clip(1e-12) ** 0.5 for gap in gaps) / (2 * square**0.5)
    return made.stack([across, up, opening], -1)


def _length(vectors: Float[Array, "B 2"]) -> Float[Array, " B"]:
    return library(vectors).linalg.norm(vectors, None, -1)
