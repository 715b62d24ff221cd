"""The scripted performance of the demo: about eleven seconds of blendshapes.

    python -m xpress.commands.demo_performance src/xpress/assets/demo/performance.npz

Each gesture is a bump that eases in, holds and eases out; gestures add up and are clipped.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from xpress.command_line import one_line_errors
from xpress.morphable.model import MorphableModel
from xpress.rendering.lighting import ambient
from xpress.structures import FaceParameters

FPS = 25
SECONDS = 11.2

Gesture = tuple[float, float, float, dict[str, float]]

SMILE = {"mouthSmile": 0.85, "cheekSquint": 0.5, "mouthDimple": 0.25, "eyeSquint": 0.2}
GRIN = {"jawOpen": 0.16, "mouthUpperUp": 0.3, "mouthLowerDown": 0.2}
CLENCHED = {
    "mouthSmile": 0.45,
    "mouthStretch": 0.55,
    "mouthUpperUp": 0.75,
    "mouthLowerDown": 0.7,
    "cheekSquint": 0.4,
}
ASIDE = 0.5
"""Of the eyes' furthest turn sideways."""
TO_THE_LEFT = {"eyeLookOut_L": ASIDE, "eyeLookIn_R": ASIDE}
TO_THE_RIGHT = {"eyeLookIn_L": ASIDE, "eyeLookOut_R": ASIDE}
BLINK = {"eyeBlink": 1.0, "browDown": 0.05}
BROWS = {"browInnerUp": 0.85, "browOuterUp": 0.8, "eyeWide": 0.45}
FROWN = {"browDown": 0.75, "noseSneer": 0.25, "mouthFrown": 0.35, "mouthShrugLower": 0.3}
WINK = {"eyeBlink_L": 1.0, "cheekSquint_L": 0.6, "mouthSmile_L": 0.45}
AH = {"jawOpen": 0.5, "mouthLowerDown": 0.25}
EE = {"jawOpen": 0.12, "mouthStretch": 0.4, "mouthSmile": 0.25, "mouthLowerDown": 0.35}
OO = {"mouthFunnel": 0.5, "mouthPucker": 0.55, "jawOpen": 0.2}
EH = {"jawOpen": 0.3, "mouthStretch": 0.2, "mouthLowerDown": 0.2}
LIPS = {"mouthPress": 0.35, "mouthRollLower": 0.3, "mouthRollUpper": 0.25}

SCRIPT: tuple[Gesture, ...] = (
    (0.35, 0.06, 0.30, BLINK),
    (0.60, 1.10, 0.80, SMILE),
    (0.90, 0.70, 0.60, GRIN),
    (2.05, 0.05, 0.28, BLINK),
    (2.40, 0.10, 0.26, AH),
    (2.66, 0.06, 0.22, LIPS),
    (2.85, 0.10, 0.26, EE),
    (3.10, 0.10, 0.28, OO),
    (3.40, 0.06, 0.22, LIPS),
    (3.58, 0.12, 0.28, AH),
    (3.85, 0.10, 0.26, EH),
    (3.95, 0.50, 0.50, {"browInnerUp": 0.5, "browOuterUp": 0.4}),
    (4.10, 0.12, 0.28, OO),
    (4.40, 0.05, 0.24, LIPS),
    (4.55, 0.14, 0.28, EE),
    (4.60, 0.05, 0.28, BLINK),
    (5.10, 0.40, 0.30, TO_THE_LEFT),
    (5.70, 0.40, 0.30, TO_THE_RIGHT),
    (6.35, 0.60, 0.50, {"eyeLookUp": 0.5}),
    (6.35, 0.60, 0.50, BROWS),
    (6.55, 0.25, 0.36, {"jawOpen": 0.35, "mouthFunnel": 0.3}),
    (7.40, 0.05, 0.26, BLINK),
    (7.50, 0.70, 0.50, CLENCHED),
    (8.60, 0.55, 0.50, FROWN),
    (8.70, 0.40, 0.40, {"eyeLookDown": 0.4}),
    (9.35, 0.05, 0.26, BLINK),
    (9.75, 0.35, 0.30, WINK),
    (9.95, 0.50, 0.70, {"mouthSmile": 0.5, "cheekSquint": 0.3}),
)
"""Start, seconds held, seconds of easing in and out together, shapes (both sides unless named)."""


def scripted_expression(expression_names: Sequence[str]) -> Float[np.ndarray, "T Ke"]:
    """Activations in [0, 1], `FPS` a second."""
    column = {name: i for i, name in enumerate(expression_names)}
    time = np.arange(round(SECONDS * FPS)) / FPS
    values = np.zeros((len(time), len(column)))
    for start, hold, ease, shapes in SCRIPT:
        ramp = ease / 2
        rise = _smooth((time - start) / ramp)
        fall = _smooth((time - start - ramp - hold) / ramp)
        for shape, amount in shapes.items():
            names = [shape] if shape in column else [f"{shape}_L", f"{shape}_R"]
            for name in names:
                values[:, column[name]] += amount * (rise - fall)
    return np.clip(values, 0, 1)


def performance(model: MorphableModel) -> FaceParameters:
    """The script as parameters of the mean face, seen from the front."""
    expression = torch.from_numpy(scripted_expression(model.expression_names)).float()
    count = len(expression)
    identity, _, color = model.sizes
    return FaceParameters(
        identity=torch.zeros(count, identity),
        expression=expression,
        color=torch.zeros(count, color),
        illumination=ambient(count, 0.8),
        rotation=torch.zeros(count, 3),
        translation=torch.full((count, 2), 256.0),
        scale=torch.full((count,), 16.0),
    )


def write_performance(path: str | os.PathLike, model: MorphableModel | None = None) -> None:
    """Write the script as a recording that `task=reenact` takes as its source."""
    performance(model or MorphableModel.default()).save(path, fps=np.array([FPS, 1]))


def _smooth(x: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
    """0 to 1 without a jump in speed or acceleration."""
    x = np.clip(x, 0, 1)
    return x**3 * (x * (6 * x - 15) + 10)


@one_line_errors()
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    write_performance(parser.parse_args().output)


if __name__ == "__main__":
    main()
