"""Distances between landmarks that tell what a face does, whoever it is.

Each is divided by the distance of the outer eye corners. "Up" is the face's own: perpendicular to
the line of the eye corners in the picture.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

SIGNALS = (
    "mouth_opening",
    "mouth_width",
    "smile",
    "lid_right",
    "lid_left",
    "brow_right",
    "brow_left",
)


def expression_signals(landmarks68: Float[Tensor, "B 68 2"]) -> Float[Tensor, "B 7"]:
    """The signals named by `SIGNALS` from iBUG-68 landmarks in pixels.

    Mouth opening: mean inner-lip gap. Mouth width: between the outer corners. Smile: height of
    the corners over the middle of the outer lips. Lids: mean gap of two pairs. Brows: height of
    the middle three points over the eye's corners. Right and left are the face owner's.
    """
    p = landmarks68
    across = p[:, 45] - p[:, 36]
    length = across.norm(dim=-1).clamp_min(1e-3)
    along = across / length[:, None]
    up = torch.stack([along[:, 1], -along[:, 0]], dim=-1)

    def gap(upper: list[int], lower: list[int]) -> Tensor:
        return (p[:, upper] - p[:, lower]).mul(up[:, None]).sum(-1).mean(1)

    def height(points: list[int], base: list[int]) -> Tensor:
        return ((p[:, points].mean(1) - p[:, base].mean(1)) * up).sum(-1)

    signals = [
        gap([61, 62, 63], [67, 66, 65]),
        (p[:, 54] - p[:, 48]).norm(dim=-1),
        height([48, 54], [51, 57]),
        gap([37, 38], [41, 40]),
        gap([43, 44], [47, 46]),
        height([18, 19, 20], [36, 39]),
        height([23, 24, 25], [42, 45]),
    ]
    return torch.stack(signals, dim=-1) / length[:, None]
