"""Random parameters of plausible faces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32
from scipy.spatial.transform import Rotation

from xpress.rendering.lighting import spherical_harmonics

YAW, PITCH = np.deg2rad(60.0), np.deg2rad(30.0)


class ExpressionSampler:
    """Draws activations in [0, 1].

    A face gets, each with its own probability, a blink or wink, an open mouth or a spoken
    sound, brows, a smile or another emotion, a few single shapes, and a gaze; some stay neutral,
    and where fitted expressions are given, a third are those of real pictures, varied by a factor.

    Args:
        names: ARKit names with `_L` / `_R`; shapes a model lacks are left out.
        fitted: expressions of real pictures.
    """

    def __init__(
        self, names: Sequence[str], fitted: Float[np.ndarray, "N Ke"] | None = None
    ) -> None:
        self.index = {name: i for i, name in enumerate(names)}
        self.fitted = fitted
        self.groups = sorted({name.removesuffix("_L").removesuffix("_R") for name in names})
        look = ("eyeLook", "mouthClose")
        self.singles = [name for name in self.groups if not name.startswith(look)]

    def __call__(self, rng: np.random.Generator) -> Float32[np.ndarray, " Ke"]:
        """One face's activations."""
        if self.fitted is not None and rng.random() < 1 / 3:
            drawn = self.fitted[rng.integers(len(self.fitted))] * rng.uniform(0.8, 1.3)
            expression = drawn.astype(np.float32)
            if rng.random() < 0.3:
                self._lids(rng, expression)
            return expression.clip(0, 1)
        expression = np.zeros(len(self.index), np.float32)
        if rng.random() < 0.06:
            return expression
        chances = (
            (0.45, self._lids),
            (0.55, self._mouth),
            (0.35, self._brows),
            (0.35, self._emotion),
            (0.6, self._singles),
            (0.7, self._gaze),
        )
        for chance, add in chances:
            if rng.random() < chance:
                add(rng, expression)
        expression = expression.clip(0, 1)
        self._cap(expression, "mouthClose", "jawOpen")
        return expression

    def _add(
        self, expression: Float32[np.ndarray, " Ke"], group: str, left: float, right: float
    ) -> None:
        for name, value in ((group, left), (f"{group}_L", left), (f"{group}_R", right)):
            if name in self.index:
                expression[self.index[name]] += value

    def _both(
        self,
        rng: np.random.Generator,
        expression: Float32[np.ndarray, " Ke"],
        group: str,
        value: float,
    ) -> None:
        """Both sides, in four of five faces nearly alike."""
        if rng.random() < 0.8:
            left, right = value * rng.uniform(0.85, 1.15, 2)
        else:
            left, right = value * rng.random(2)
        self._add(expression, group, left, right)

    def _cap(self, expression: Float32[np.ndarray, " Ke"], name: str, by: str) -> None:
        if name in self.index and by in self.index:
            limit = expression[self.index[by]]
            expression[self.index[name]] = min(expression[self.index[name]], limit)

    def _lids(self, rng: np.random.Generator, expression: Float32[np.ndarray, " Ke"]) -> None:
        for side in ("eyeBlink_L", "eyeBlink_R", "eyeWide_L", "eyeWide_R"):
            if side in self.index:
                expression[self.index[side]] = 0
        kind = rng.random()
        if kind < 0.65:
            closed = rng.choice([1.0, rng.uniform(0.2, 1.0)])
            self._add(expression, "eyeBlink", *(closed * rng.uniform(0.93, 1.07, 2)))
        elif kind < 0.8:
            sides = rng.permutation([rng.uniform(0.7, 1.0), rng.uniform(0.0, 0.3)])
            self._add(expression, "eyeBlink", *sides)
        elif kind < 0.9:
            self._both(rng, expression, "eyeWide", rng.uniform(0.3, 1.0))
        else:
            self._both(rng, expression, "eyeSquint", rng.uniform(0.3, 1.0))

    def _mouth(self, rng: np.random.Generator, expression: Float32[np.ndarray, " Ke"]) -> None:
        if rng.random() < 0.3:  # wide open
            self._add(expression, "jawOpen", rng.uniform(0.4, 1.0), 0.0)
            return
        self._add(expression, "jawOpen", rng.uniform(0.0, 0.5), 0.0)
        sound = rng.choice(["mouthFunnel", "mouthPucker", "mouthStretch", "mouthClose", ""])
        if sound:
            self._both(rng, expression, str(sound), rng.uniform(0.1, 0.9))
        self._both(rng, expression, "mouthLowerDown", rng.uniform(0, 0.4))
        self._both(rng, expression, "mouthUpperUp", rng.uniform(0, 0.3))

    def _brows(self, rng: np.random.Generator, expression: Float32[np.ndarray, " Ke"]) -> None:
        if rng.random() < 0.5:
            self._both(rng, expression, "browInnerUp", rng.uniform(0.2, 1.0))
            self._both(rng, expression, "browOuterUp", rng.uniform(0.0, 1.0))
        else:
            self._both(rng, expression, "browDown", rng.uniform(0.2, 1.0))

    def _emotion(self, rng: np.random.Generator, expression: Float32[np.ndarray, " Ke"]) -> None:
        value, kind = rng.uniform(0.2, 1.0), rng.random()
        if kind < 0.55:
            self._both(rng, expression, "mouthSmile", value)
            self._both(rng, expression, "cheekSquint", value * rng.uniform(0, 0.8))
            if rng.random() < 0.5:  # a grin shows teeth
                self._both(rng, expression, "mouthUpperUp", value * rng.uniform(0.2, 0.7))
                self._both(rng, expression, "mouthLowerDown", value * rng.uniform(0.0, 0.5))
        elif kind < 0.75:
            self._both(rng, expression, "mouthFrown", value)
        elif kind < 0.9:
            self._both(rng, expression, "noseSneer", value)
            self._both(rng, expression, "mouthUpperUp", value * rng.uniform(0, 0.6))
        else:
            self._both(rng, expression, "mouthPress", value)

    def _singles(self, rng: np.random.Generator, expression: Float32[np.ndarray, " Ke"]) -> None:
        for _ in range(rng.integers(1, 4)):
            group = self.singles[rng.integers(len(self.singles))]
            self._both(rng, expression, group, rng.beta(1.2, 2.0))

    def _gaze(self, rng: np.random.Generator, expression: Float32[np.ndarray, " Ke"]) -> None:
        for name, i in self.index.items():
            if name.startswith("eyeLook"):
                expression[i] = 0
        across, up = rng.normal(0, 0.35, 2).clip(-1, 1)  # across: towards the owner's left
        left, right = ("Out", "In") if across > 0 else ("In", "Out")
        self._add(expression, f"eyeLook{left}", abs(across), 0.0)
        self._add(expression, f"eyeLook{right}", 0.0, abs(across))
        self._add(expression, "eyeLookUp" if up > 0 else "eyeLookDown", abs(up), abs(up))


def random_rotation(rng: np.random.Generator) -> Float32[np.ndarray, " 3"]:
    """Axis-angle with yaw within ±60°, pitch within ±30° and a small roll.

    Half the faces are near the front (normal, a third of the range), half uniform.
    """
    if rng.random() < 0.5:
        yaw, pitch = YAW / 3 * rng.standard_normal(), PITCH / 3 * rng.standard_normal()
    else:
        yaw, pitch = YAW * rng.uniform(-1, 1), PITCH * rng.uniform(-1, 1)
    yaw, pitch = np.clip(yaw, -YAW, YAW), np.clip(pitch, -PITCH, PITCH)
    roll = np.deg2rad(8) * rng.standard_normal()
    # y turns first, then x, then the roll about the viewing axis.
    return Rotation.from_euler("yxz", [yaw, pitch, roll]).as_rotvec().astype(np.float32)


def lamp(direction: Float[np.ndarray, " 3"]) -> Float[np.ndarray, " 9"]:
    """Spherical harmonics of one distant white lamp of strength one, seen on a matt surface.

    Its clamped cosine is `1/4 + cos/2 + 5/32 (3 cos^2 - 1)` to second order (Ramamoorthi and
    Hanrahan, 2001), spread over the bands by the addition theorem.

    Args:
        direction: unit vector towards the lamp, camera space.
    """
    bands = spherical_harmonics(torch.from_numpy(direction)).numpy()
    degree = np.repeat([0, 1, 2], [1, 3, 5])
    share = np.array([1 / 4, 1 / 2, 5 / 16])[degree]
    return share * 4 * np.pi / (2 * degree + 1) * bands


def random_light(rng: np.random.Generator) -> Float32[np.ndarray, "9 3"]:
    """Ambient light and one to three lamps, rather from above and before, as illumination."""
    warmth = rng.normal(0, 0.06)
    tint = np.array([1 + warmth, 1.0, 1 - warmth]) * rng.uniform(0.97, 1.03, 3)
    illumination = np.zeros((9, 3))
    illumination[0] = rng.uniform(0.25, 0.75) * np.sqrt(4 * np.pi)
    for _ in range(rng.integers(1, 4)):
        direction = rng.normal([0, 0.4, 0.8], 1)
        direction /= np.linalg.norm(direction)
        strength = rng.uniform(0.1, 0.6) * rng.uniform(0.9, 1.1, 3)
        illumination += lamp(direction)[:, None] * strength
    return (illumination * tint * rng.uniform(0.85, 1.6)).astype(np.float32)
