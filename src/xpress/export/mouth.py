"""The mouth generator as files: weights, ONNX for the frame loop, and a card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xpress.export.generator import write_generator
from xpress.media.mouth_crop import INPUTS, MOUTH_RATIO
from xpress.models.mouth_gan.module import MouthGAN
from xpress.models.mouth_gan.networks import MouthGenerator

TOLERANCE = 1e-3
"""Largest difference of colours in [0, 1] between torch and ONNX Runtime."""
SETTINGS = ("size", "channels", "repeats", "expansion")


def write_mouth_generator(module: MouthGAN, target: Path, card: Mapping[str, Any]) -> list[Path]:
    """Write `mouth.safetensors`, `mouth.onnx` and `mouth.json`; see `export.weights.WRITERS`.

    Weights are kept in half precision; the ONNX model computes with the same rounded numbers. It
    has the inputs "filled", "hole", "teeth" and "reference" and the output "painted", all
    (B, channels, size, size) as `MouthGenerator.forward` takes and gives them.

    Args:
        module: of which the averaged generator is written, with its weights loaded.
        target: folder, or a `.safetensors` file that gives all three their name.
        card: more for the JSON card, such as metrics.

    Returns:
        The files.

    Raises:
        InputError: the export extra is missing, or the folder cannot be written.
    """
    settings = {name: module.hparams[name] for name in SETTINGS}
    generator = module.average.module
    assert isinstance(generator, MouthGenerator)
    size = settings["size"]
    shapes = {name: (channels, size, size) for name, channels in INPUTS.items()}
    details = {"size": size, "ratio": MOUTH_RATIO, "network": settings, **card}
    return write_generator(generator, target, "mouth", shapes, "painted", TOLERANCE, details)
