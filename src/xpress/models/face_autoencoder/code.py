"""What the encoder's numbers mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise

import numpy as np
from jaxtyping import Float

from xpress.arrays import Array, library
from xpress.morphable.gaze import GAZE_TURNS, gaze_columns
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

GAZE_READ = GAZE_TURNS.T / 4
"""From the code at `GAZE_SHAPES` to the eyes' turn to the owner's left and up, and their
convergence: each number is read against its antagonists."""
GAZE_RANGE = np.array([1.0, 1.0, 0.2])
"""Largest turn and largest difference of the convergence from its mean, activations."""
GAZE_REST = np.array([0.0, 0.0, -0.2])
"""Irises are labelled a little further apart than the model's."""
GAZE = GAZE_READ, GAZE_TURNS, GAZE_RANGE, GAZE_REST


@dataclass(frozen=True)
class CodeLayout:
    """Lengths of the code's parts, in their order, and the crop they refer to.

    The parts are identity, expression, colour, illumination (27), rotation (3),
    translation (2), scale (1) and presence (1). Activations are sigmoids of their numbers. Those
    of `gaze` are not: an iris has one place, so that its shapes have one signed number for each
    direction, which both eyes share, and a convergence within bounds.

    Attributes:
        identity: number of coefficients.
        expression: number of activations.
        color: number of coefficients.
        size: pixels of the crop's side.
        gaze: places of `GAZE_SHAPES` among the activations; empty where all are read alike.
    """

    identity: int
    expression: int
    color: int
    size: int = 128
    gaze: Sequence[int] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "gaze", tuple(self.gaze))

    @classmethod
    def of(
        cls, sizes: tuple[int, int, int], expression_names: Sequence[str], size: int = 128
    ) -> CodeLayout:
        """The layout for a face model; eyes turn together where it has all `GAZE_SHAPES`."""
        return cls(*sizes, size, tuple(gaze_columns(expression_names)))

    @property
    def lengths(self) -> tuple[int, ...]:
        """Of all parts."""
        return self.identity, self.expression, self.color, 27, 3, 2, 1, 1

    @property
    def outputs(self) -> int:
        """Length of the whole code."""
        return sum(self.lengths)

    @property
    def gaze_outputs(self) -> tuple[int, ...]:
        """Places of `GAZE_SHAPES` in the code."""
        return tuple(self.identity + place for place in self.gaze)

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
            expression=self._activations(expression),
            color=color,
            illumination=light.reshape(len(code), 9, 3) + ambient,
            rotation=rotation * ROTATION_UNIT,
            translation=(translation * TRANSLATION_UNIT + center) * self.size,
            scale=made.exp(scale[:, 0] * SCALE_UNIT) * (PIXELS_PER_UNIT * self.size),
        )

    def _activations(self, code: Float[Array, "B Ke"]) -> Float[Array, "B Ke"]:
        activations = sigmoid(code + EXPRESSION_BIAS)
        if not self.gaze:
            return activations
        made, shapes = library(code), list(self.gaze)
        like = {"dtype": code.dtype, "device": code.device}
        read, turn, span, rest = (made.asarray(array, **like) for array in GAZE)
        looks = ((made.tanh(code[:, shapes] @ read) * span + rest) @ turn).clip(0, 1)
        place = made.asarray(np.eye(self.expression)[shapes], **like)
        return activations * (1 - place.sum(0)) + looks @ place

    def presence(self, code: Float[Array, "B K"]) -> Float[Array, " B"]:
        """Logit of the crop showing a face."""
        return code[:, -1]

    def as_dict(self) -> dict[str, int]:
        """For a JSON card."""
        return asdict(self)


def sigmoid(x: Float[Array, "*N"]) -> Float[Array, "*N"]:
    """The logistic function; beyond ±60 it is 0 or 1 to any precision."""
    return 1 / (1 + library(x).exp(-x.clip(-60, 60)))
