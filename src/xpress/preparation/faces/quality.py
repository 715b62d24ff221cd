"""How good the picture of a face is, and how far its landmarks are to be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from xpress.extraction.encoder import Extractor
from xpress.extraction.face_sample import FaceSample, upright_crop
from xpress.media.crop import Crop
from xpress.morphable.landmarks.landmark_names import MIRROR_68
from xpress.preparation.faces.settings import QualityLimits

SIZE = 128
"""Pixels of the crop that sharpness is measured in."""
INNER = slice(17, 68)
"""All landmarks but the jaw's."""
PATCH_RATIO, PATCH_SIZE = 2.4, 256
"""Of the part of the picture that is mirrored to be read again."""


@dataclass(frozen=True)
class FaceQuality:
    """What `QualityLimits` are about; they have the units of these."""

    size: float
    sharpness: float
    yaw: float
    pitch: float
    presence: float
    visible: float
    uncertainty: float

    def rejections(self, limits: QualityLimits) -> list[str]:
        """Names of the limits that this face is beyond."""
        beyond = {
            "min_size": self.size < limits.min_size,
            "min_sharpness": self.sharpness < limits.min_sharpness,
            "max_yaw": abs(self.yaw) > limits.max_yaw,
            "max_pitch": abs(self.pitch) > limits.max_pitch,
            "min_presence": self.presence < limits.min_presence,
            "min_visible": self.visible < limits.min_visible,
            "max_uncertainty": self.uncertainty > limits.max_uncertainty,
        }
        return [name for name, is_beyond in beyond.items() if is_beyond]


def measure(
    image: UInt8[np.ndarray, "H W 3"],
    face: FaceSample,
    extractor: Extractor,
    size: int,
    read: Float[np.ndarray, "68 2"] | None = None,
) -> FaceQuality:
    """Measure a face.

    Args:
        image: the picture.
        face: in its pixels.
        extractor: reads the mirrored face.
        size: pixels of its crop.
        read: landmarks that the extractor reads, where those of the face come from elsewhere;
            uncertain is then where they disagree.
    """
    points = face.landmarks68
    height, width = image.shape[:2]
    inside = (points > -1).all(1) & (points < (width, height)).all(1)
    yaw, pitch = head_angles(face.rotation)
    return FaceQuality(
        size=float(np.ptp(points, axis=0).max()),
        sharpness=sharpness(Crop.around(points, size=SIZE).cut(image)),
        yaw=yaw,
        pitch=pitch,
        presence=face.presence,
        visible=float(inside.mean()),
        uncertainty=uncertainty(image, points, extractor, size)
        if read is None
        else disagreement(points, read),
    )


def head_angles(rotation: Float[np.ndarray, "3"]) -> tuple[float, float]:
    """Yaw (positive to the owner's left) and pitch (positive down), degrees."""
    x, y, z = cv2.Rodrigues(np.asarray(rotation, np.float64))[0][:, 2]  # where the face looks
    return float(np.degrees(np.arctan2(x, z))), float(np.degrees(np.arctan2(-y, np.hypot(x, z))))


def sharpness(crop: UInt8[np.ndarray, "S S 3"]) -> float:
    """Variance of the Laplacian over the variance of the grey values.

    It takes no notice of contrast; small faces that were enlarged have little of it, too (Pech-
    Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000).
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var() / max(float(grey.var()), 1.0))


def uncertainty(
    image: UInt8[np.ndarray, "H W 3"],
    points: Float[np.ndarray, "68 2"],
    extractor: Extractor,
    size: int,
) -> float:
    """Mean distance to the landmarks of the mirrored picture, over that of the outer eye corners.

    A network that reads a face well reads its mirror image alike (Yang and Patras, "Mirror, mirror
    on the wall, tell me, is the error small?", CVPR 2015).
    """
    patch = Crop.around(points, PATCH_RATIO, PATCH_SIZE)
    mirrored = cv2.flip(patch.cut(image), 1)
    here = _mirror(patch.to_crop(points))
    again = extractor(mirrored, upright_crop(here, size)).landmarks68
    return disagreement(here, again, slice(None))


def disagreement(
    one: Float[np.ndarray, "68 2"], other: Float[np.ndarray, "68 2"], points: slice = INNER
) -> float:
    """Mean distance of landmarks over that of the outer eye corners.

    Args:
        one: landmarks; their corners count.
        other: the same in the same pixels.
        points: that are compared; along the jaw annotators differ by habit.
    """
    eyes = max(float(np.linalg.norm(one[45] - one[36])), 1.0)
    return float(np.linalg.norm(one[points] - other[points], axis=1).mean() / eyes)


def _mirror(points: Float[np.ndarray, "68 2"]) -> Float[np.ndarray, "68 2"]:
    return np.stack([PATCH_SIZE - 1 - points[:, 0], points[:, 1]], 1)[MIRROR_68]
