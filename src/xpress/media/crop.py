"""The square face crop that every network sees, in training and at inference."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

CROP_RATIO = 1.5
"""Side of the canonical crop over the longer side of the 68-landmark box."""

_LARGEST = 32_000
"""Pixels of a side that OpenCV's warps take, about."""


@dataclass(frozen=True)
class Crop:
    """A similarity from image pixels to crop pixels.

    Attributes:
        center: (x, y) in image pixels that lands in the middle of the crop.
        side: length of the crop's side in image pixels.
        size: pixels of the crop's side.
        angle: roll in radians; the content is turned by -angle so that a face rolled by
            `angle` (clockwise on screen) stands upright in the crop.
    """

    center: tuple[float, float]
    side: float
    size: int = 128
    angle: float = 0.0

    @staticmethod
    def around(landmarks68: np.ndarray, ratio: float = CROP_RATIO, size: int = 128) -> Crop:
        """The canonical crop around (68, 2) landmarks in image pixels."""
        low, high = landmarks68.min(0), landmarks68.max(0)
        x, y = (low + high) / 2
        return Crop((float(x), float(y)), max(float((high - low).max()) * ratio, 2.0), size)

    @property
    def zoom(self) -> float:
        """Crop pixels per image pixel."""
        return self.size / self.side

    @property
    def matrix(self) -> np.ndarray:
        """(2, 3) affine from image to crop pixels; pixel (0, 0) is a pixel's centre."""
        c, s = self.zoom * np.cos(self.angle), self.zoom * np.sin(self.angle)
        linear = np.array([[c, s], [-s, c]])
        middle = (self.size - 1) / 2
        offset = np.array([middle, middle]) - linear @ np.array(self.center)
        return np.concatenate([linear, offset[:, None]], axis=1)

    def to_crop(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) image pixels to crop pixels."""
        matrix = self.matrix
        return points @ matrix[:, :2].T + matrix[:, 2]

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) crop pixels to image pixels."""
        matrix = self.matrix
        return (points - matrix[:, 2]) @ matrix[:, :2] / self.zoom**2  # a turn's inverse

    def cut(self, image: np.ndarray) -> np.ndarray:
        """Sample the crop from an (H, W, 3) image; beyond the border the image is mirrored.

        Large faces are first halved with area averaging, so that the crop does not alias.
        """
        matrix = self.matrix
        zoom = self.zoom
        if zoom < 0.5 or max(image.shape) > _LARGEST:
            # Only the neighbourhood is shrunk: the rest of a large frame is never seen.
            x, y = self.center
            reach = self.side * 0.75 + 2
            x0, y0 = max(int(x - reach), 0), max(int(y - reach), 0)
            x1, y1 = (
                min(int(x + reach) + 1, image.shape[1]),
                min(int(y + reach) + 1, image.shape[0]),
            )
            if x1 - x0 > 2 and y1 - y0 > 2:
                patch = image[y0:y1, x0:x1]
                shrunk = min(zoom * 1.25, 1.0)
                width = max(round(patch.shape[1] * shrunk), 1)
                height = max(round(patch.shape[0] * shrunk), 1)
                image = cv2.resize(patch, (width, height), interpolation=cv2.INTER_AREA)
                fx, fy = patch.shape[1] / width, patch.shape[0] / height
                # shrunk pixel u is image pixel fx * (u + 0.5) - 0.5 + x0
                shift = np.array([0.5 * fx - 0.5 + x0, 0.5 * fy - 0.5 + y0])
                matrix = np.concatenate(
                    [
                        matrix[:, :2] * np.array([fx, fy]),
                        (matrix[:, 2] + matrix[:, :2] @ shift)[:, None],
                    ],
                    axis=1,
                )
        return cv2.warpAffine(
            image,
            matrix,
            (self.size, self.size),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
