"""What the network sees and makes of it, as one picture."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from jaxtyping import UInt8

from xpress.models.face_autoencoder.module import FaceAutoencoder
from xpress.structures import FaceBatch

GREEN, RED = (60, 220, 60), (235, 70, 60)
ENLARGE = 2


def picture_grid(
    module: FaceAutoencoder, batch: FaceBatch, rows: int = 8
) -> UInt8[np.ndarray, "H W 3"]:
    """One face a row: input, landmarks (labels green, predictions red), render, overlay.

    Args:
        module: in any mode; evaluated without gradients.
        batch: crops on the module's device.
        rows: at most so many faces that are present.
    """
    chosen = batch.present.nonzero()[:rows, 0]
    with torch.no_grad():
        parameters = module(batch.image[chosen])
        predicted = module.landmarks(parameters)[:, :68].cpu().numpy()
        rendering = module.decoder(parameters, (module.layout.size, module.layout.size))
    images = _pixels(batch.image[chosen])
    renders = _pixels(rendering.image)
    masks = rendering.mask[:, 0].cpu().numpy()
    labels = batch.landmarks68[chosen].cpu().numpy()
    lines: list[np.ndarray] = []
    for i in range(len(chosen)):
        overlay = images[i].copy()
        overlay[masks[i]] = (0.35 * images[i][masks[i]] + 0.65 * renders[i][masks[i]]).round()
        points = _draw(_draw(_large(images[i]), labels[i], GREEN), predicted[i], RED)
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
