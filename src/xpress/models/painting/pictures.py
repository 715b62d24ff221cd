"""Sample grids of mouth crops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor


def sample_grid(columns: Sequence[Tensor], gap: int = 2) -> UInt8[np.ndarray, "H W 3"]:
    """Pictures side by side, one row a crop.

    Args:
        columns: each (B, 3, h, w) or (B, 1, h, w) in [0, 1].
        gap: white pixels between pictures.
    """
    pictures = torch.stack([c.detach().float().expand(-1, 3, -1, -1) for c in columns], dim=1)
    padded = torch.nn.functional.pad(pictures.cpu(), (0, gap, 0, gap), value=1.0)
    rows, count, _, height, width = padded.shape
    grid = padded.permute(0, 3, 1, 4, 2).reshape(rows * height, count * width, 3)
    return (grid.clamp(0, 1) * 255).round().byte().numpy()
