"""The eye and lip landmark networks as files: weights, ONNX for the frame loop, and a card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from xpress.export.generator import write_generator
from xpress.models.eye_landmarks.module import EyeLandmarks
from xpress.models.lip_landmarks.module import LipLandmarks

TOLERANCE = 1e-3
"""Largest difference from torch, widths of an eye or of lips."""
SETTINGS = ("channels", "repeats", "hidden")


def write_landmarks(module: EyeLandmarks, target: Path, card: Mapping[str, Any]) -> list[Path]:
    """Write the averaged network of a module; see `export.weights.WRITERS`.

    The ONNX model has the input "image" (B, 3, H, W), of eyes (48, 64) and of lips (64, 64), and
    the output "points" (B, P, 2), 17 and 40; see `LandmarkNetwork.forward`.

    Args:
        module: with its weights loaded.
        target: folder, which gets `eye_landmarks` or `lip_landmarks` with the suffixes
            `.safetensors`, `.onnx` and `.json`; or a `.safetensors` file that gives all three
            their name.
        card: more for the JSON card.

    Returns:
        The files.

    Raises:
        InputError: the export extra is missing, or the folder cannot be written.
    """
    network = module.average.module
    assert isinstance(network, nn.Module)
    kind = "lip_landmarks" if isinstance(module, LipLandmarks) else "eye_landmarks"
    details = {
        "kind": kind,
        "network": {name: module.hparams[name] for name in SETTINGS},
        **card,
    }
    shapes = {"image": (3, *module.crop_size)}
    return write_generator(network, target, kind, shapes, "points", TOLERANCE, details)
