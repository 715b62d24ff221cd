"""The eye landmark network as files: weights, ONNX for the frame loop, and a card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from xpress.export.generator import write_generator
from xpress.media.eye_crop import HEIGHT, WIDTH
from xpress.models.eye_landmarks.module import EyeLandmarks

TOLERANCE = 1e-3
"""Largest difference from torch, eye widths."""
SETTINGS = ("channels", "repeats", "hidden")


def write_eye_landmarks(module: EyeLandmarks, target: Path, card: Mapping[str, Any]) -> list[Path]:
    """Write the averaged network of a module; see `export.weights.WRITERS`.

    The ONNX model has the input "image" (B, 3, 48, 64) and the output "points" (B, 17, 2); see
    `EyeLandmarkNetwork.forward`.

    Args:
        module: with its weights loaded.
        target: folder, which gets `eye_landmarks.safetensors`, `.onnx` and `.json`; or a
            `.safetensors` file that gives all three their name.
        card: more for the JSON card.

    Returns:
        The files.

    Raises:
        InputError: the export extra is missing, or the folder cannot be written.
    """
    network = module.average.module
    assert isinstance(network, nn.Module)
    details = {
        "kind": "eye_landmarks",
        "network": {name: module.hparams[name] for name in SETTINGS},
        **card,
    }
    shapes = {"image": (3, HEIGHT, WIDTH)}
    return write_generator(network, target, "eye_landmarks", shapes, "points", TOLERANCE, details)
