"""Distances between landmarks that tell what a face does, whoever it is.

Each is divided by the distance of the outer eye corners. "Up" is the face's own: perpendicular to
the line of the eye corners in the picture.
"""

from __future__ import annotations

from jaxtyping import Float

from xpress.arrays import Array, library
from xpress.morphable.landmarks.landmark_names import CONTOUR_MEDIAPIPE_INDEX

SIGNALS = (
    "mouth_opening",
    "mouth_width",
    "smile",
    "lid_right",
    "lid_left",
    "brow_right",
    "brow_left",
    "jaw_drop",
    "upper_lip",
    "lower_lip",
    "corner_right",
    "corner_left",
    "stretch_right",
    "stretch_left",
    "lower_lid_right",
    "lower_lid_left",
)

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
    p = landmarks68
    across = p[:, 45] - p[:, 36]
    length = _length(across).clip(1e-3)
    along = across / length[:, None]
    up = library(p).stack([along[:, 1], -along[:, 0]], -1)

    def gap(upper: list[int], lower: list[int]) -> Array:
        return ((p[:, upper] - p[:, lower]) * up[:, None]).sum(-1).mean(1)

    def height(points: list[int], base: list[int]) -> Array:
        return ((p[:, points].mean(1) - p[:, base].mean(1)) * up).sum(-1)

    signals = [
        gap([61, 62, 63], [67, 66, 65]),
        _length(p[:, 54] - p[:, 48]),
        height([48, 54], [51, 57]),
        gap([37, 38], [41, 40]),
        gap([43, 44], [47, 46]),
        height([18, 19, 20], [36, 39]),
        height([23, 24, 25], [42, 45]),
        height([33], [8]),
        height([61, 62, 63], [33]),
        height([65, 66, 67], [8]),
        height([48], [33]),
        height([54], [33]),
        ((p[:, 33] - p[:, 48]) * along).sum(-1),
        ((p[:, 54] - p[:, 33]) * along).sum(-1),
        height([40, 41], [36, 39]),
        height([46, 47], [42, 45]),
    ]
    return library(p).stack(signals, -1) / length[:, None]


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
