"""Distances between landmarks that tell what a face does, whoever it is.

Each is divided by the distance of the outer eye corners. "Up" is the face's own: perpendicular to
the line of the eye corners in the picture.
"""

from __future__ import annotations

from jaxtyping import Float

from xpress.arrays import Array, library

SIGNALS = (
    "mouth_opening",
    "mouth_width",
    "smile",
    "lid_right",
    "lid_left",
    "brow_right",
    "brow_left",
)


def expression_signals(landmarks68: Float[Array, "B 68 2"]) -> Float[Array, "B 7"]:
    """The signals named by `SIGNALS` from iBUG-68 landmarks in pixels.

    Mouth opening: mean inner-lip gap. Mouth width: between the outer corners. Smile: height of
    the corners over the middle of the outer lips. Lids: mean gap of two pairs. Brows: height of
    the middle three points over the eye's corners. Right and left are the face owner's.
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
    ]
    return library(p).stack(signals, -1) / length[:, None]


def _length(vectors: Float[Array, "B 2"]) -> Float[Array, " B"]:
    return library(vectors).linalg.norm(vectors, None, -1)
