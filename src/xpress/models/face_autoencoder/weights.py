"""Encoder weights as files: Lightning checkpoints and safetensors with a JSON card."""

from __future__ import annotations

import os

from torch import Tensor

from xpress.errors import InputError
from xpress.models.state_files import read_state

PREFIX = "encoder."


def read_encoder_weights(path: str | os.PathLike) -> dict[str, Tensor]:
    """State of the encoder from a `.ckpt` or `.safetensors` file.

    Averaged weights are taken where a checkpoint has them: Lightning keeps those as its
    `state_dict`.

    Raises:
        InputError: missing, unreadable, or without encoder weights.
    """
    state = read_state(path)
    weights = {n.removeprefix(PREFIX): v for n, v in state.items() if n.startswith(PREFIX)}
    weights = weights or state  # a file of the encoder alone has no prefix
    if "head.weight" not in weights:
        raise InputError(f"{path}: holds no encoder; give a checkpoint of task=face_autoencoder")
    return weights
