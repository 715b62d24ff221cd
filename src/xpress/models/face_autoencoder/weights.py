"""Encoder weights as files: Lightning checkpoints and safetensors with a JSON card."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from xpress.errors import InputError

PREFIX = "encoder."


def read_encoder_weights(path: str | os.PathLike) -> dict[str, Tensor]:
    """State of the encoder from a `.ckpt` or `.safetensors` file.

    The averaged weights of a checkpoint are taken where it has them.

    Raises:
        InputError: missing, unreadable, or without encoder weights.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such weights file")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise InputError(f"{path}: not a readable weights file ({error})") from error
    except Exception as error:  # unpickling errors have no common base
        raise InputError(f"{path}: not a checkpoint that can be loaded safely") from error
    state = checkpoint.get("state_dict", {})
    weights = {n.removeprefix(PREFIX): v for n, v in state.items() if n.startswith(PREFIX)}
    if not weights:
        raise InputError(f"{path}: holds no encoder; give a checkpoint of task=face_autoencoder")
    return weights
