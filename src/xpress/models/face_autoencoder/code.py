"""What the encoder's numbers mean."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from xpress.rendering.lighting import SH_0
from xpress.structures import FaceParameters

EXPRESSION_BIAS = -2.0
"""A zero code starts from activations of sigmoid(-2) = 0.12, about the packs' mean."""
ROTATION_UNIT = 0.5
"""Radians per unit of the code: heads turn by about that much."""
TRANSLATION_UNIT = 0.1
"""Crop sides per unit of the code."""
SCALE_UNIT = 0.2
"""Natural logarithm per unit of the code."""
PIXELS_PER_UNIT = 0.0502
"""Median scale of the canonical crop over its side, per model unit."""
CENTER = (0.501, 0.452)
AMBIENT = 0.8


@dataclass(frozen=True)
class CodeLayout:
    """Lengths of the code's parts, in their order, and the crop they refer to.

    The parts are identity, expression, colour, illumination (27), rotation (3),
    translation (2), scale (1) and presence (1).
    """

    identity: int
    expression: int
    color: int
    size: int = 128

    @property
    def lengths(self) -> tuple[int, ...]:
        """Of all parts."""
        return self.identity, self.expression, self.color, 27, 3, 2, 1, 1

    @property
    def outputs(self) -> int:
        """Length of the whole code."""
        return sum(self.lengths)

    def parameters(self, code: Float[Tensor, "B K"]) -> FaceParameters:
        """Face parameters in pixels of the crop."""
        identity, expression, color, light, rotation, translation, scale, _ = code.split(
            self.lengths, dim=1
        )
        ambient = torch.zeros(9, 3, dtype=code.dtype, device=code.device)
        ambient[0] = AMBIENT / SH_0
        center = code.new_tensor(CENTER)
        return FaceParameters(
            identity=identity,
            expression=torch.sigmoid(expression + EXPRESSION_BIAS),
            color=color,
            illumination=light.unflatten(1, (9, 3)) + ambient,
            rotation=rotation * ROTATION_UNIT,
            translation=(translation * TRANSLATION_UNIT + center) * self.size,
            scale=torch.exp(scale[:, 0] * SCALE_UNIT) * (PIXELS_PER_UNIT * self.size),
        )

    def presence(self, code: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
        """Logit of the crop showing a face."""
        return code[:, -1]

    def as_dict(self) -> dict[str, int]:
        """For a JSON card."""
        return asdict(self)
