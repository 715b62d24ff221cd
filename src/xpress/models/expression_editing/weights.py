"""Weights of expression editors as files: Lightning checkpoints and safetensors."""

from __future__ import annotations

import os

from torch import Tensor, nn

from xpress.errors import InputError
from xpress.models.state_files import read_state

AVERAGE = "average.module."


def read_generator_weights(path: str | os.PathLike) -> dict[str, Tensor]:
    """State of the generator from a `.ckpt` (its moving average) or `.safetensors` file.

    Raises:
        InputError: missing or unreadable.
    """
    state = read_state(path)
    averaged = {n[len(AVERAGE) :]: v for n, v in state.items() if n.startswith(AVERAGE)}
    return averaged or state  # a file of the generator alone has no prefix


def load_generator(generator: nn.Module, path: str | os.PathLike) -> None:
    """Load weights in place.

    Raises:
        InputError: not such a file, or of a generator of another kind or shape.
    """
    try:
        generator.load_state_dict(read_generator_weights(path))
    except RuntimeError as error:
        kind = type(generator).__name__
        raise InputError(
            f"{path}: not the weights of such a {kind}; give a checkpoint of the same task, and "
            "the channels, blocks and other sizes that it was trained with"
        ) from error
