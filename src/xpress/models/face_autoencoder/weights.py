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

    Averaged weights are taken where a checkpoint has them: Lightning keeps those as its
    `state_dict`.

    Raises:
        InputError: missing, unreadable, or without encoder weights.
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
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: not a readable weights file ({reason})") from error
    except Exception as error:  # unpickling errors have no common base
        raise InputError(f"{path}: not a checkpoint that can be loaded safely") from error
    weights = {n.removeprefix(PREFIX): v for n, v in state.items() if n.startswith(PREFIX)}
    weights = weights or state  # a file of the encoder alone has no prefix
    if "head.weight" not in weights:
        raise InputError(f"{path}: holds no encoder; give a checkpoint of task=face_autoencoder")
    return weights
