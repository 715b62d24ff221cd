"""Eight drawn mouths."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from xpress.batches import MouthBatch

SIZE = 32


def drawn_mouth(rng: np.random.Generator, row: int) -> tuple[np.ndarray, ...]:
    """Skin with a dark ellipse in which bright teeth stand: picture, hole, distance, box."""
    y, x = np.mgrid[:SIZE, :SIZE] + 0.0
    middle, (a, b) = (SIZE - 1) / 2, (9.0, 3.0 + 0.5 * row)
    hole = ((x - middle) / a) ** 2 + ((y - middle) / b) ** 2 <= 1
    image = np.tile(rng.uniform(0.5, 0.8, (3, 1, 1)) * [[[1.0]]], (1, SIZE, SIZE))
    image += 0.02 * rng.standard_normal(image.shape)
    inside = np.where(y < middle, 0.85, 0.15) + 0.1 * np.cos(x * 1.3)
    image = np.where(hole, inside, image).clip(0, 1)
    distance = np.where(hole, distance_transform_edt(hole), distance_transform_edt(~hole)) - 0.5
    box = np.array([middle - a - 1, middle - b - 1, middle + a + 2, middle + b + 2])
    return image, hole[None], distance[None], box


@pytest.fixture
def mouths() -> MouthBatch:
    """The first is the least open."""
    rng = np.random.default_rng(0)
    columns = zip(*(drawn_mouth(rng, row) for row in range(8)), strict=True)
    image, hole, distance, box = (torch.from_numpy(np.stack(c)).float() for c in columns)
    rows = torch.arange(SIZE)[:, None].expand(SIZE, SIZE)
    teeth = torch.stack([rows < 14, rows > 18]).float().expand(8, 2, SIZE, SIZE)
    shown = torch.cat([(image - 0.1).clamp(0, 1) * hole, hole], dim=1)
    reference = torch.cat([shown, shown.roll(2, 2)], dim=1)
    reference[:4] = 0  # half of the mouths have none
    return MouthBatch(image, hole, distance, box, teeth, reference, torch.arange(8))
