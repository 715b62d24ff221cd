"""From a training checkpoint to the files that `from_pretrained` reads.

    python train.py task=face_autoencoder ckpt=logs/…/checkpoints/best.ckpt export=DIR
    python -m xpress.export.weights logs/…/checkpoints/best.ckpt --output DIR

A folder gets `encoder.safetensors` (the weights), `encoder.onnx` (what the frame loop runs),
`encoder.json` (the card: layout, configuration, origin, hashes) and, where the network was
trained with another face model than the package's, `morphable.safetensors`. A name that ends in
`.safetensors` gives the first three that name.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule
from safetensors.torch import save
from torch import Tensor, nn

from xpress.checkpoints.files import read_checkpoint
from xpress.checkpoints.run_record import KEY
from xpress.command_line import one_line_errors
from xpress.errors import InputError
from xpress.export.encoder import export_onnx
from xpress.models.face_autoencoder.code import CodeLayout
from xpress.models.face_autoencoder.module import FaceAutoencoder
from xpress.models.face_autoencoder.networks import FaceEncoder
from xpress.models.face_autoencoder.weights import read_encoder_weights
from xpress.morphable.model import MorphableModel
from xpress.whole_files import written_beside

NETWORK = ("width", "size", "head_channels", "gaze_channels")
"""What a card says about the encoder's network."""

Card = Mapping[str, Any]
Writer = Callable[[LightningModule, Path, Card], list[Path]]

WRITERS = {
    "xpress.models.face_autoencoder.module.FaceAutoencoder": "xpress.export.weights.write_encoder",
    "xpress.models.mouth_gan.module.MouthGAN": "xpress.export.mouth.write_mouth_generator",
    "xpress.models.eye_gan.module.EyeGAN": "xpress.export.eyes.write_eye_generator",
    "xpress.models.eye_landmarks.module.EyeLandmarks": "xpress.export.landmarks.write_landmarks",
    "xpress.models.lip_landmarks.module.LipLandmarks": "xpress.export.landmarks.write_landmarks",
    "xpress.models.ganimation.module.GANimation": "xpress.export.editor.write_editor",
    "xpress.models.dft_net.module.DFTNet": "xpress.export.editor.write_editor",
}
"""What writes the weights of a network, by the class of its module: a function that takes the
module with its weights loaded, the file or folder to write, and the card's entries about the
training, and returns the files it wrote."""

OF_THIS_MACHINE = ("init_from", "lpips")
"""Settings of a network that name files, which no card tells."""


def export_checkpoint(
    module: LightningModule,
    checkpoint: str | os.PathLike,
    target: str | os.PathLike,
    card: Card | None = None,
) -> list[Path]:
    """Write the weights of a checkpoint in the form that `from_pretrained` reads.

    Averaged weights are taken where the checkpoint has them.

    Args:
        module: the network that the checkpoint is of; the weights are loaded into it.
        checkpoint: written by training.
        target: file or folder.
        card: more for the JSON card.

    Returns:
        The files written.

    Raises:
        InputError: such networks have no form of their own, or the files cannot be written.
    """
    kind = f"{type(module).__module__}.{type(module).__qualname__}"
    if kind not in WRITERS:
        raise InputError(f"export: no way to write {kind}; leave out export=")
    loaded = read_checkpoint(checkpoint)
    module.load_state_dict(loaded["state_dict"])
    module.eval()
    place, _, name = WRITERS[kind].rpartition(".")
    write: Writer = getattr(import_module(place), name)
    return write(module, Path(target), {**training_card(loaded), **(card or {})})


def training_card(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """What a card says about the training: how long, what was reached, with which settings."""
    record = checkpoint.get(KEY) or {}
    figures = record.get("figures", {})
    card = {
        "task": record.get("task"),
        "epoch": checkpoint.get("epoch"),
        "global_step": checkpoint.get("global_step"),
        "figures": {name: value for name, value in figures.items() if name.startswith("val")},
        "model": {k: v for k, v in record.get("model", {}).items() if k not in OF_THIS_MACHINE},
    }
    return {name: value for name, value in card.items() if value}


def write_encoder(module: FaceAutoencoder, target: Path, card: Card) -> list[Path]:
    """The files of a face encoder; see the top of this module."""
    settings = dict(module.hparams)
    written = _write_encoder(module.encoder, module.layout, settings, target, card)
    if settings.get("morphable"):
        path = written[0].with_name("morphable.safetensors")
        with written_beside(path) as partial:
            partial.write_bytes(Path(settings["morphable"]).read_bytes())
        written.append(path)
    return written


def write_safetensors(network: nn.Module, path: Path) -> str:
    """Write a network's state and return the hash that its card gives."""
    state: dict[str, Tensor] = {n: t.contiguous() for n, t in network.state_dict().items()}
    with written_beside(path) as partial:
        partial.write_bytes(save(state))  # a full disk is told as for every other file
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write_encoder(
    encoder: FaceEncoder,
    layout: CodeLayout,
    settings: Mapping[str, Any],
    target: Path,
    card: Card,
) -> list[Path]:
    path = target if target.suffix == ".safetensors" else target / "encoder.safetensors"
    digest = write_safetensors(encoder, path)
    details = {
        "network": {k: settings[k] for k in NETWORK},
        "parameters": sum(p.numel() for p in encoder.parameters()),
        "sha256": digest,
        **card,
    }
    export_onnx(encoder, layout, path.with_suffix(".onnx"), details)
    return [path, path.with_suffix(".onnx"), path.with_suffix(".json")]


def export_encoder(
    checkpoint: str | os.PathLike,
    output: str | os.PathLike,
    card: Card | None = None,
) -> Path:
    """Write the files of an encoder from a checkpoint and nothing else.

    Args:
        checkpoint: of `train.py task=face_autoencoder`.
        output: folder, made if needed.
        card: more for the JSON card, such as metrics.

    Returns:
        The folder.

    Raises:
        InputError: not such a checkpoint, or the folder cannot be written.
    """
    weights = read_encoder_weights(checkpoint)
    settings = checkpoint_settings(checkpoint, NETWORK)
    morphable = settings.get("morphable")
    model = MorphableModel.load(morphable) if morphable else MorphableModel.default()
    layout = CodeLayout.of(model.sizes, model.expression_names, settings["size"])
    encoder = FaceEncoder(
        layout.outputs,
        settings["width"],
        settings["size"],
        tuple(settings["head_channels"]),
        gaze=layout.gaze_outputs,
        gaze_channels=settings["gaze_channels"],
    )
    encoder.load_state_dict(weights)
    _write_encoder(encoder, layout, settings, Path(output), card or {})
    return Path(output)


def checkpoint_settings(checkpoint: str | os.PathLike, names: Sequence[str]) -> dict[str, Any]:
    """The arguments that a checkpoint's module was made with.

    Raises:
        InputError: it lacks one of the names.
    """
    loaded = torch.load(checkpoint, map_location="cpu", weights_only=True)
    settings = dict(loaded.get("hyper_parameters", {}))
    missing = set(names) - settings.keys()
    if missing:
        raise InputError(f"{checkpoint}: lacks the settings {', '.join(sorted(missing))}")
    return settings


@one_line_errors()
def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--card", type=Path, help="JSON whose entries are added to the card")
    options = parser.parse_args(arguments)
    card = json.loads(options.card.read_text()) if options.card else None
    print(export_encoder(options.checkpoint, options.output, card))


if __name__ == "__main__":
    main()
