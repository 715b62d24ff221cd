"""Generator weights as files: Lightning checkpoints and safetensors."""

from __future__ import annotations

import os

from torch import Tensor

from xpress.errors import InputError
from xpress.models.eye_gan.networks import EyeGenerator
from xpress.models.mouth_gan.weights import AVERAGE
from xpress.models.state_files import read_state


def read_generator_weights(path: str | os.PathLike) -> dict[str, Tensor]:
    """State of the generator from a `.ckpt` (its moving average) or `.safetensors` file.

    Raises:
        InputError: missing, unreadable, or without an eye generator.
    """
    state = read_state(path)
    averaged = {n[len(AVERAGE) :]: v for n, v in state.items() if n.startswith(AVERAGE)}
    state = averaged or state  # a file of the generator alone has no prefix
    last = state.get("paint.1.bias")
    if last is None or last.numel() != 6:
        raise InputError(f"{path}: holds no eye generator; give a checkpoint of task=eye_gan")
    return state


def load_generator(generator: EyeGenerator, path: str | os.PathLike) -> None:
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
