"""One face of one picture, as the frame loop hands it on: numpy, in pixels of the picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import cv2
import numpy as np
from jaxtyping import Float, Float32

from xpress.media.crop import CROP_RATIO, Crop
from xpress.structures import FaceParameters

UPRIGHT_WITHIN = np.deg2rad(15.0)
"""Roll that a crop may show; what goes beyond it is turned back by `Crop.angle`."""


@dataclass(frozen=True)
class FaceSample:
    """What the encoder says about one crop, in pixels of the whole picture.

    Attributes:
        identity: standard deviations of the identity basis.
        expression: activations in [0, 1].
        color: standard deviations of the colour basis.
        illumination: spherical harmonics, one column a colour channel.
        rotation: axis-angle, radians, model to camera.
        translation: pixels (x, y).
        scale: pixels per model unit.
        landmarks68: iBUG-68, pixels.
        contours: Face Mesh contour points, pixels.
        presence: probability that the crop shows a face.
        gaze_seen: how far the lids leave an iris to be seen, 0 to 1.
    """

    identity: Float[np.ndarray, " Ki"]
    expression: Float[np.ndarray, " Ke"]
    color: Float[np.ndarray, " Kc"]
    illumination: Float[np.ndarray, "9 3"]
    rotation: Float[np.ndarray, "3"]
    translation: Float[np.ndarray, "2"]
    scale: float
    landmarks68: Float[np.ndarray, "68 2"]
    contours: Float[np.ndarray, "138 2"]
    presence: float = 1.0
    gaze_seen: float = 1.0

    @property
    def parameters(self) -> FaceParameters:
        """The same as a batch of one, float32."""

        def batch(array: np.ndarray | float) -> Float32[np.ndarray, "1 ..."]:
            return np.array(array, np.float32)[None]

        return FaceParameters(
            identity=batch(self.identity),
            expression=batch(self.expression),
            color=batch(self.color),
            illumination=batch(self.illumination),
            rotation=batch(self.rotation),
            translation=batch(self.translation),
            scale=batch(self.scale),
        )

    def replace(self, **changes) -> FaceSample:
        """A copy with some fields changed."""
        return replace(self, **changes)


Timed = tuple[Fraction, FaceSample | None]
"""A time in seconds, and the face seen then or None."""


def roll(landmarks68: Float[np.ndarray, "68 2"]) -> float:
    """Angle of the line of the outer eye corners, radians, clockwise on screen."""
    across = landmarks68[45] - landmarks68[36]
    return float(np.arctan2(across[1], across[0]))


def upright_crop(
    landmarks68: Float[np.ndarray, "68 2"], size: int = 128, ratio: float = CROP_RATIO
) -> Crop:
    """The canonical crop, turned so that the face rolls by no more than `UPRIGHT_WITHIN` in it.

    The angle is a continuous function of the roll: a head that tilts does not make it jump.
    """
    angle = roll(landmarks68)
    angle -= float(np.clip(angle, -UPRIGHT_WITHIN, UPRIGHT_WITHIN))
    if angle == 0.0:
        return Crop.around(landmarks68, ratio, size)
    turn = _turn(angle)  # crop axes in the picture
    low, high = (landmarks68 @ turn).min(0), (landmarks68 @ turn).max(0)
    x, y = turn @ ((low + high) / 2)
    side = max(float((high - low).max()) * ratio, 2.0)
    return Crop((float(x), float(y)), side, size, angle)


def turn_rotation(rotation: Float[np.ndarray, "3"], angle: float) -> Float[np.ndarray, "3"]:
    """Axis-angle of a face seen in a crop of that `Crop.angle`, as seen in the picture."""
    around_z = cv2.Rodrigues(np.array([0.0, 0.0, -angle]))[0]
    return cv2.Rodrigues(around_z @ cv2.Rodrigues(rotation.astype(np.float64))[0])[0][:, 0]


def turn_light(light: Float[np.ndarray, "9 3"], angle: float) -> Float[np.ndarray, "9 3"]:
    """Spherical harmonics found in a crop of that `Crop.angle`, as they hold in the picture.

    Bands of order m turn with m times the angle around the viewing axis; see
    `rendering.lighting.spherical_harmonics` for their order.
    """
    turned = light.copy()
    for sine_band, cosine_band, order in ((1, 3, 1), (5, 7, 1), (4, 8, 2)):
        c, s = np.cos(order * angle), np.sin(order * angle)
        # xy carries half of sin 2φ where x² - y² carries cos 2φ; their constants make them equal
        turned[sine_band] = c * light[sine_band] - s * light[cosine_band]
        turned[cosine_band] = s * light[sine_band] + c * light[cosine_band]
    return turned


def _turn(angle: float) -> Float[np.ndarray, "2 2"]:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])
