"""An expression editor's generator as files: weights, ONNX for the frame loop, and a card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from xpress.export.generator import write_generator
from xpress.media.crop import CROP_RATIO
from xpress.models.expression_editing.module import ExpressionGAN
from xpress.morphable.action_units import ACTION_UNIT_NAMES

TOLERANCE = 2e-3
"""Largest difference of colours in [0, 1] and of pixels between torch and ONNX Runtime."""
OUTPUTS = {
    "ganimation": ("color", "attention"),
    "dft_net": ("flow", "attention", "texture"),
}
"""Of each kind, in the order of its generator's `forward`."""
SETTINGS = {
    "ganimation": ("channels", "blocks", "modulated"),
    "dft_net": ("channels", "blocks", "texture_channels", "flow_skips"),
}
"""Arguments of each kind's generator."""


def write_editor(module: ExpressionGAN, target: Path, card: Mapping[str, Any]) -> list[Path]:
    """Write the averaged generator of a module; see `export.weights.WRITERS`.

    Weights are kept in half precision; the ONNX model computes with the same rounded numbers. It
    has inputs "image" (B, 3, size, size), RGB in [0, 1], and "units" (B, 17), the wanted action
    units in [0, 1] or, where the card's "relative" is positive, so many times their difference from
    the face's own. Its outputs are those of the generator's `forward`, (B, channels, size, size):
    GANimation's "color" and "attention", the weight of the input; DFT-Net's "flow" in pixels,
    "attention", the weight of the warped picture, and "texture".

    Args:
        module: with its weights loaded.
        target: folder, which gets `ganimation.safetensors` or `dft_net.safetensors`, `.onnx` and
            `.json`; or a `.safetensors` file that gives all three their name.
        card: more for the JSON card.

    Returns:
        The files.

    Raises:
        InputError: the export extra is missing, or the folder cannot be written.
    """
    kind, size = module.kind, module.settings.size
    generator = module.average.module
    assert isinstance(generator, torch.nn.Module)
    shapes = {"image": (3, size, size), "units": (len(ACTION_UNIT_NAMES),)}
    details = {
        "kind": kind,
        "size": size,
        "crop_ratio": CROP_RATIO,
        "units": list(ACTION_UNIT_NAMES),
        "relative": float(module.settings.relative),
        "network": {name: module.hparams[name] for name in SETTINGS[kind]},
        **card,
    }
    return write_generator(generator, target, kind, shapes, OUTPUTS[kind], TOLERANCE, details)
