"""From a training checkpoint to the files that `from_pretrained` reads.

    python -m xpress.export.weights logs/face_autoencoder/…/checkpoints/best.ckpt --output DIR

writes `encoder.safetensors` (the weights), `encoder.onnx` (what the frame loop runs) and
`encoder.json` (the card: layout, configuration, origin, hashes).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from xpress.errors import InputError
from xpress.export.encoder import export_onnx
from xpress.media.files import written_beside
from xpress.models.face_autoencoder.code import CodeLayout
from xpress.models.face_autoencoder.networks import FaceEncoder
from xpress.models.face_autoencoder.weights import read_encoder_weights
from xpress.morphable.model import MorphableModel


def export_encoder(
    checkpoint: str | os.PathLike,
    output: str | os.PathLike,
    card: Mapping[str, Any] | None = None,
) -> Path:
    """Write the three files of an encoder.

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
    settings = _settings(checkpoint)
    morphable = settings.get("morphable")
    model = MorphableModel.load(morphable) if morphable else MorphableModel.default()
    layout = CodeLayout(*model.sizes, settings["size"])
    encoder = FaceEncoder(
        layout.outputs, settings["width"], settings["size"], tuple(settings["head_channels"])
    )
    encoder.load_state_dict(weights)
    folder = Path(output)
    with written_beside(folder / "encoder.safetensors") as partial:
        save_file({n: t.contiguous() for n, t in encoder.state_dict().items()}, partial)
    details = {
        "network": {k: settings[k] for k in ("width", "size", "head_channels")},
        "parameters": sum(p.numel() for p in encoder.parameters()),
        "sha256": hashlib.sha256((folder / "encoder.safetensors").read_bytes()).hexdigest(),
        **(card or {}),
    }
    export_onnx(encoder, layout, folder / "encoder.onnx", details)
    return folder


def _settings(checkpoint: str | os.PathLike) -> dict[str, Any]:
    loaded = torch.load(checkpoint, map_location="cpu", weights_only=True)
    settings = dict(loaded.get("hyper_parameters", {}))
    missing = {"width", "size", "head_channels"} - settings.keys()
    if missing:
        raise InputError(f"{checkpoint}: lacks the settings {', '.join(sorted(missing))}")
    return settings


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
    try:
        print(export_encoder(options.checkpoint, options.output, card))
    except InputError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
