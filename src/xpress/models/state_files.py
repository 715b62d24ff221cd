"""Weights in files: Lightning checkpoints and safetensors, read without unpickling code."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from xpress.errors import InputError


def read_state(path: str | os.PathLike) -> dict[str, Tensor]:
    """The tensors of a `.safetensors` file, or the `state_dict` of a checkpoint.

    Raises:
        InputError: missing or unreadable.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such weights file")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        return checkpoint.get("state_dict", {}) if isinstance(checkpoint, dict) else {}
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: not a readable weights file ({reason})") from error
    except Exception as error:  # unpickling errors have no common base
        raise InputError(f"{path}: not a checkpoint that can be loaded safely") from error
