"""Pictures on their way to the page: scaled, encoded, and where their faces are."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import UInt8

from xpress.extraction.face_sample import FaceSample

Image = UInt8[np.ndarray, "H W 3"]


def within(image: Image, side: int) -> Image:
    """Scaled down until the longer side is no longer than that."""
    scale = side / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def scaled(face: FaceSample, scale: float) -> FaceSample:
    """The face in a picture of another size."""
    return face.replace(
        translation=(face.translation + 0.5) * scale - 0.5,
        scale=face.scale * scale,
        landmarks68=(face.landmarks68 + 0.5) * scale - 0.5,
        contours=(face.contours + 0.5) * scale - 0.5,
    )


def jpeg(image: Image, quality: int = 90) -> bytes:
    """As bytes of a JPEG file."""
    swapped = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", swapped, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def box(face: FaceSample, width: int, height: int) -> list[float]:
    """Left, top, width and height around a face, in shares of the picture's size."""
    low, high = face.landmarks68.min(0), face.landmarks68.max(0)
    margin = 0.12 * (high - low).max()
    left, top = np.maximum(low - margin, 0) / (width, height)
    right, bottom = np.minimum(high + margin, (width, height)) / (width, height)
    return [round(float(v), 4) for v in (left, top, right - left, bottom - top)]
