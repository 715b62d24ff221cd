"""Encoder weights as files: Lightning checkpoints and safetensors with a JSON card."""

from __future__ import annotations

import os

from torch import Tensor, nn

from xpress.errors import InputError
from xpress.models.face_autoencoder.networks import FaceEncoder
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


def load_encoder_weights(encoder: nn.Module, path: str | os.PathLike) -> None:
    """Load encoder weights from a Lightning checkpoint or a safetensors file.

    Raises:
        InputError: not such a file, or of an encoder of another shape.
    """
    try:
        state = read_encoder_weights(path)
        if isinstance(encoder, FaceEncoder) and encoder.gaze is not None:
            # weights from before there was such a head are gone on with
            state = {f"gaze.{n}": v for n, v in encoder.gaze.state_dict().items()} | state
        encoder.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(
            f"{path}: of another encoder; give the width, size and head_channels it was trained "
            "with, and a face model of the same sizes"
        ) from error
