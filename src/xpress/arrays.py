"""For what is written once and takes numpy's arrays and torch's tensors alike.

The frame loop computes in numpy and never loads torch, training computes in torch. What both need
is written with what arrays and tensors have in common, and with `library` for the rest.
"""

from __future__ import annotations

import sys
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any
"""A numpy array or a torch tensor; annotations give its shape and kind of number."""


def library(array: Array) -> Any:
    """Numpy or torch, whichever the array is of: `library(x).stack([x, y], -1)`.

    Arguments go by position, for what one calls `axis` is the other's `dim`.
    """
    # who made a tensor has loaded torch
    return np if isinstance(array, np.ndarray) else sys.modules["torch"]


def is_array(value: object) -> bool:
    """Whether it is either of them."""
    torch = sys.modules.get("torch")
    return isinstance(value, np.ndarray) or (torch is not None and isinstance(value, torch.Tensor))


def to_numpy(array: Array) -> np.ndarray:
    """The values without gradient history; shared with a tensor on the CPU."""
    return array if isinstance(array, np.ndarray) else array.detach().cpu().numpy()
