"""Generator weights as files: Lightning checkpoints and safetensors."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from xpress.errors import InputError
from xpress.models.mouth_gan.networks import MouthGenerator

AVERAGE = "average.module."


def read_generator_weights(path: str | os.PathLike) -> dict[str, Tensor]:
    """State of the generator from a `.ckpt` (its moving average) or `.safetensors` file.

    Raises:
        InputError: missing, unreadable, or without a generator.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such weights file")
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
            state = checkpoint.get("state_dict", {}) if isinstance(checkpoint, dict) else {}
            state = {n[len(AVERAGE) :]: v for n, v in state.items() if n.startswith(AVERAGE)}
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: not a readable weights file ({reason})") from error
    except Exception as error:  # unpickling errors have no common base
        raise InputError(f"{path}: not a checkpoint that can be loaded safely") from error
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
