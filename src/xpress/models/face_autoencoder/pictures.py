"""What the network sees and makes of it, as one picture."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from xpress.models.face_autoencoder.decoder import Rendering

GREEN, RED = (60, 220, 60), (235, 70, 60)
ENLARGE = 2


def picture_grid(
    image: Float[Tensor, "B 3 H W"],
    labelled: Float[Tensor, "B 68 2"],
    predicted: Float[Tensor, "B 68 2"],
    rendering: Rendering,
) -> UInt8[np.ndarray, "H_ W_ 3"]:
    """One face a row: input, landmarks (labels green, predictions red), render, overlay.

    Args:
        image: crops, RGB in [0, 1].
        labelled: pixels of the crops.
        predicted: the same of the network.
        rendering: of the predicted parameters.
    """
    images = _pixels(image)
    renders = _pixels(rendering.image)
    masks = rendering.mask[:, 0].cpu().numpy()
    labels, points68 = labelled.cpu().numpy(), predicted.cpu().numpy()
    lines: list[np.ndarray] = []
    for i in range(len(images)):
        overlay = images[i].copy()
        overlay[masks[i]] = (0.35 * images[i][masks[i]] + 0.65 * renders[i][masks[i]]).round()
        points = _draw(_draw(_large(images[i]), labels[i], GREEN), points68[i], RED)
        cells = [_large(images[i]), points, _large(renders[i]), _large(overlay)]
        lines.append(np.concatenate(cells, axis=1))
    return np.concatenate(lines) if lines else np.zeros((1, 1, 3), np.uint8)


def _pixels(image: torch.Tensor) -> np.ndarray:
    return (image.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def _large(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, None, fx=ENLARGE, fy=ENLARGE, interpolation=cv2.INTER_CUBIC)


def _draw(image: np.ndarray, points: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    image = np.ascontiguousarray(image)
    for x, y in points * ENLARGE + (ENLARGE - 1) / 2:
        cv2.circle(image, (round(float(x)), round(float(y))), 1, color, -1, cv2.LINE_AA)
    return image
