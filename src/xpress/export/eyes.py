"""The eye generator as files: weights, ONNX for the frame loop, and a card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from xpress.export.generator import write_generator
from xpress.media.eye_crop import EYE_WIDTH, HEIGHT, WIDTH
from xpress.models.eye_gan.module import EyeGAN

TOLERANCE = 5e-3
"""Largest difference of flow, mask and colour, as the network gives them, from torch."""
SETTINGS = ("channels", "repeats", "expansion")


def write_eye_generator(module: EyeGAN, target: Path, card: Mapping[str, Any]) -> list[Path]:
    """Write the averaged generator of a module; see `export.weights.WRITERS`.

    The ONNX model has inputs "around", "reference" and "moved" (B, 3, 48, 64) and
    "maps" (B, 4, 48, 64); its output is "edit" (B, 6, 48, 64). See `EyeGenerator.forward`.

    Args:
        module: with its weights loaded.
        target: folder, which gets `eyes.safetensors`, `.onnx` and `.json`; or a `.safetensors`
            file that gives all three their name.
        card: more for the JSON card.

    Returns:
        The files.

    Raises:
        InputError: the export extra is missing, or the folder cannot be written.
    """
    generator = module.average.module
    assert isinstance(generator, nn.Module)
    channels = {"around": 3, "reference": 3, "moved": 3, "maps": 4}
    shapes = {name: (count, HEIGHT, WIDTH) for name, count in channels.items()}
    details = {
        "eye_width": EYE_WIDTH,
        "network": {name: module.hparams[name] for name in SETTINGS},
        **card,
    }
    return write_generator(generator, target, "eyes", shapes, "edit", TOLERANCE, details)
