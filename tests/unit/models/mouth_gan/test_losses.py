from __future__ import annotations

import math

import torch

from xpress.models.mouth_gan import losses


def picture(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float).view(1, 1, 1, -1)


def test_boundary_weight_is_its_formula():
    hole, distance = picture(1, 1, 0, 0), picture(0, 3, 0, 6)
    weight = losses.boundary_weight(hole, distance, boundary=2.0, surroundings=0.3, reach=3.0)
    expected = [1 + 2, 1 + 2 / math.e, 0.3, 0.3 / math.e**2]
    torch.testing.assert_close(weight.flatten(), torch.tensor(expected))
    flat = losses.boundary_weight(hole, distance, boundary=0.0, surroundings=0.0, reach=3.0)
    assert torch.equal(flat, hole)
