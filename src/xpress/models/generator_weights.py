"""Weights of generators as files: Lightning checkpoints and safetensors."""

from __future__ import annotations

import os

from torch import nn

from xpress.errors import InputError
from xpress.models.state_files import read_state

AVERAGE = "average.module."
"""Where a checkpoint keeps a generator's moving average."""


def load_generator(generator: nn.Module, path: str | os.PathLike) -> None:
    """Load weights in place: a checkpoint's moving average, or a file of the generator alone.

    Raises:
        InputError: missing, unreadable, or of a generator of another kind or shape.
    """
    state = read_state(path)
    averaged = {n[len(AVERAGE) :]: v for n, v in state.items() if n.startswith(AVERAGE)}
    try:
        generator.load_state_dict(averaged or state)
    except RuntimeError as error:
        kind = type(generator).__name__
        raise InputError(
            f"{path}: not the weights of such a {kind}; give a checkpoint of the same task, and "
            "the channels, blocks and other sizes that it was trained with"
        ) from error
