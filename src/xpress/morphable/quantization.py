"""Scaled integers for bases: a quarter or half of float32's size at errors far below a pixel."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def quantize(basis: Float[Tensor, "K V C"], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Round each basis vector to integers of `dtype` with one scale a vector.

    Returns:
        Integers (K, V, C) and float32 scales (K,); `dequantize` inverts up to scale / 2.
    """
    top = torch.iinfo(dtype).max
    scale = basis.abs().amax(dim=(1, 2)).clamp_min(1e-12) / top if len(basis) else basis[:, 0, 0]
    return (basis / scale[:, None, None]).round().to(dtype), scale


def dequantize(values: Tensor, scale: Float[Tensor, " K"]) -> Float[Tensor, "K V C"]:
    """The float32 basis that `quantize` rounded."""
    return values.float() * scale[:, None, None]
