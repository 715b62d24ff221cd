"""Action units of the Facial Action Coding System from blendshape activations.

Ekman and Friesen, "Facial Action Coding System", 1978; the correspondence to the ARKit shapes
follows ICT-FaceKit's table, with AU10 as the raised upper lip, AU23 as pressed and rolled lips
(no shape is its own), AU25 as any parting of the lips and AU26 as the dropped jaw.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

ACTION_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
"""The action units of GANimation's and OpenFace's intensities, in their order."""

ACTION_UNIT_NAMES = tuple(f"AU{number}" for number in ACTION_UNITS)

SIDES = ("_L", "_R")

_TABLE: dict[int, dict[str, float]] = {
    1: {"browInnerUp": 1},
    2: {"browOuterUp": 1},
    4: {"browDown": 1},
    5: {"eyeWide": 1},
    6: {"cheekSquint": 1},
    7: {"eyeSquint": 1},
    9: {"noseSneer": 1},
    10: {"mouthUpperUp": 1},
    12: {"mouthSmile": 1},
    14: {"mouthDimple": 1},
    15: {"mouthFrown": 1},
    17: {"mouthShrugLower": 1},
    20: {"mouthStretch": 1},
    23: {"mouthPress": 0.5, "mouthRollLower": 0.5, "mouthRollUpper": 0.5},
    25: {
        "jawOpen": 2.0,
        "mouthClose": -2.0,
        "mouthLowerDown": 0.7,
        "mouthUpperUp": 0.7,
        "mouthFunnel": 0.7,
    },
    26: {"jawOpen": 1},
    45: {"eyeBlink": 1},
}
"""Weight of each shape; shapes with two sides count half a side."""


def action_unit_matrix(expression_names: Sequence[str]) -> Float[np.ndarray, "17 Ke"]:
    """Linear map from activations to unclipped action units.

    Raises:
        ValueError: the model has no shape of a name in the table.
    """
    column = {name: i for i, name in enumerate(expression_names)}
    matrix = np.zeros((len(ACTION_UNITS), len(column)))
    for row, number in enumerate(ACTION_UNITS):
        for shape, weight in _TABLE[number].items():
            names = [shape] if shape in column else [shape + side for side in SIDES]
            for name in names:
                if name not in column:
                    raise ValueError(f"the face model has no expression {name}")
                matrix[row, column[name]] = weight / len(names)
    return matrix


class ActionUnits:
    """Action units of expressions.

    Args:
        expression_names: of the model's expression basis.
    """

    def __init__(self, expression_names: Sequence[str]) -> None:
        self._matrix = action_unit_matrix(expression_names)
        self._blinks = [expression_names.index(f"eyeBlink{side}") for side in SIDES]

    def __call__(self, expression: Float[np.ndarray, "*B Ke"]) -> Float[np.ndarray, "*B 17"]:
        """Intensities in [0, 1] in the order of `ACTION_UNITS`.

        Both sides are averaged, but a wink counts as AU45: there the stronger side decides.
        """
        units = expression @ self._matrix.T
        units[..., ACTION_UNITS.index(45)] = expression[..., self._blinks].max(-1)
        return np.clip(units, 0, 1)
