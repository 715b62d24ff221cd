"""The mouth generator as files: weights, ONNX for the frame loop, and a card."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xpress.export.generator import write_generator
from xpress.export.weights import checkpoint_settings
from xpress.media.mouth_crop import INPUTS, MOUTH_RATIO
from xpress.models.mouth_gan.module import MouthGAN
from xpress.models.mouth_gan.networks import MouthGenerator
from xpress.models.mouth_gan.weights import read_generator_weights

TOLERANCE = 1e-3
"""Largest difference of colours in [0, 1] between torch and ONNX Runtime."""
SETTINGS = ("size", "channels", "repeats", "expansion")


def export_mouth_generator(
    checkpoint: str | os.PathLike,
    output: str | os.PathLike,
    card: Mapping[str, Any] | None = None,
) -> Path:
    """Write `mouth.safetensors`, `mouth.onnx` and `mouth.json` from the averaged generator.

    Weights are kept in half precision; the ONNX model computes with the same rounded numbers. It
    has the inputs "filled", "hole", "teeth" and "reference" and the output "painted", all
    (B, channels, size, size) as `MouthGenerator.forward` takes and gives them.

    Args:
        checkpoint: of `train.py task=mouth_gan`.
        output: folder, made if needed.
        card: more for the JSON card, such as metrics.

    Returns:
        The folder.

    Raises:
        InputError: not such a checkpoint, or the folder cannot be written.
    """
    weights = read_generator_weights(checkpoint)
    given = checkpoint_settings(checkpoint, SETTINGS)
    settings = {name: given[name] for name in SETTINGS}
    generator = MouthGenerator(settings["channels"], settings["repeats"], settings["expansion"])
    generator.load_state_dict(weights)
    _write(generator, settings, Path(output), card or {})
    return Path(output)


def write_mouth_generator(module: MouthGAN, target: Path, card: Mapping[str, Any]) -> list[Path]:
    """The same three files from a module with its weights loaded; see `export.weights.WRITERS`.

    Args:
        module: of which the averaged generator is written.
        target: folder, or a `.safetensors` file that gives all three their name.
        card: more for the JSON card.

    Returns:
        The files.
    """
    settings = {name: module.hparams[name] for name in SETTINGS}
    generator = module.average.module
    return _write(generator, settings, target, card)  # type: ignore[arg-type]


def _write(
    generator: MouthGenerator, settings: dict[str, Any], target: Path, card: Mapping[str, Any]
) -> list[Path]:
    size = settings["size"]
    shapes = {name: (channels, size, size) for name, channels in INPUTS.items()}
    details = {"size": size, "ratio": MOUTH_RATIO, "network": settings, **card}
    return write_generator(generator, target, "mouth", shapes, "painted", TOLERANCE, details)
