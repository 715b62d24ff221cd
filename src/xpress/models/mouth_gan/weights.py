"""Generator weights as files: Lightning checkpoints and safetensors."""

from __future__ import annotations

import os

from torch import Tensor

from xpress.errors import InputError
from xpress.models.mouth_gan.networks import MouthGenerator
from xpress.models.state_files import read_state

AVERAGE = "average.module."


def read_generator_weights(path: str | os.PathLike) -> dict[str, Tensor]:
    """State of the generator from a `.ckpt` (its moving average) or `.safetensors` file.

    Raises:
        InputError: missing, unreadable, or without a generator.
    """
    state = read_state(path)
    averaged = {n[len(AVERAGE) :]: v for n, v in state.items() if n.startswith(AVERAGE)}
    state = averaged or state  # a file of the generator alone has no prefix
    if "shuffle.0.0.weight" not in state or "paint.1.weight" not in state:
        raise InputError(f"{path}: holds no mouth generator; give a checkpoint of task=mouth_gan")
    return state


def load_generator(generator: MouthGenerator, path: str | os.PathLike) -> None:
    """Load weights in place.

    Raises:
        InputError: not such a file, or of a generator of another shape.
    """
    try:
        generator.load_state_dict(read_generator_weights(path))
    except RuntimeError as error:
        raise InputError(
            f"{path}: of another generator; give the channels, repeats and expansion it was "
            "trained with"
        ) from error
