"""What the encoder's numbers mean."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise

from jaxtyping import Float

from xpress.arrays import Array, library
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

    def parameters(self, code: Float[Array, "B K"]) -> FaceParameters:
        """Face parameters in pixels of the crop, of the code's kind and precision."""
        made = library(code)
        like = {"dtype": code.dtype, "device": code.device}
        stops = accumulate(self.lengths, initial=0)
        identity, expression, color, light, rotation, translation, scale, _ = (
            code[:, start:stop] for start, stop in pairwise(stops)
        )
        ambient = made.zeros((9, 3), **like)
        ambient[0] = AMBIENT / SH_0
        center = made.asarray(CENTER, **like)
        return FaceParameters(
            identity=identity,
            expression=sigmoid(expression + EXPRESSION_BIAS),
            color=color,
            illumination=light.reshape(len(code), 9, 3) + ambient,
            rotation=rotation * ROTATION_UNIT,
            translation=(translation * TRANSLATION_UNIT + center) * self.size,
            scale=made.exp(scale[:, 0] * SCALE_UNIT) * (PIXELS_PER_UNIT * self.size),
        )

    def presence(self, code: Float[Array, "B K"]) -> Float[Array, " B"]:
        """Logit of the crop showing a face."""
        return code[:, -1]

    def as_dict(self) -> dict[str, int]:
        """For a JSON card."""
        return asdict(self)


def sigmoid(x: Float[Array, "*N"]) -> Float[Array, "*N"]:
    """The logistic function; beyond ±60 it is 0 or 1 to any precision."""
    return 1 / (1 + library(x).exp(-x.clip(-60, 60)))
