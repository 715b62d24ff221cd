"""Scaled integers for bases: a quarter or half of float32's size at errors far below a pixel."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy.typing import DTypeLike


def quantize(
    basis: Float[np.ndarray, "K V C"], dtype: DTypeLike
) -> tuple[Int[np.ndarray, "K V C"], Float32[np.ndarray, " K"]]:
    """Round each basis vector to integers of `dtype` with one scale a vector.

    Returns:
        Integers and scales; `dequantize` inverts up to scale / 2.
    """
    largest = np.abs(basis).max(axis=(1, 2), initial=1e-12)
    scale = (largest / np.iinfo(dtype).max).astype(np.float32)
    return np.rint(basis / scale[:, None, None]).astype(dtype), scale


def dequantize(
    values: Int[np.ndarray, "K V C"], scale: Float32[np.ndarray, " K"]
) -> Float32[np.ndarray, "K V C"]:
    """The basis that `quantize` rounded."""
    return np.multiply(values, scale[:, None, None], dtype=np.float32)
