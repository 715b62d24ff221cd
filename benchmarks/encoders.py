"""The encoder that a benchmark measures: the package's, a folder's, or one still in training."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xpress.checkpoints.files import read_checkpoint
from xpress.errors import InputError
from xpress.extraction.encoder import CodeDecoder, FaceExtractor
from xpress.extraction.face_sample import FaceSample
from xpress.media.crop import Crop
from xpress.models.face_autoencoder.code import CodeLayout
from xpress.models.face_autoencoder.networks import FaceEncoder
from xpress.models.face_autoencoder.weights import read_encoder_weights
from xpress.morphable.landmarks.landmark_model import LandmarkModel
from xpress.morphable.model import MorphableModel
from xpress.packs.records import FaceRecords, decode
from xpress.reenactment.pretrained import load_pretrained

BATCH = 64


@dataclass(frozen=True)
class Measured:
    """An encoder with the face model that it was trained with."""

    model: MorphableModel
    extractor: FaceExtractor
    size: int

    def read(self, images: Sequence[np.ndarray], crops: Sequence[Crop]) -> list[FaceSample]:
        """Faces inside crops of pictures, a batch at a time."""
        faces: list[FaceSample] = []
        for start in range(0, len(images), BATCH):
            rows = range(start, min(start + BATCH, len(images)))
            cut = np.stack([crops[i].cut(images[i]) for i in rows])
            codes = self.extractor.encoder(cut)
            pairs = zip(codes, rows, strict=True)
            faces += [self.extractor.decoder(code, crops[i]) for code, i in pairs]
        return faces

    def read_rows(self, records: FaceRecords, rows: Sequence[int]) -> list[FaceSample]:
        """Rows of a pack, in canonical crops around their labels, as `mode=test` reads them."""
        images = [decode(records.images[row]) for row in rows]
        points = [records.landmarks68[row].astype(np.float64) for row in rows]
        return self.read(images, [Crop.around(p, size=self.size) for p in points])


def open_encoder(weights: str = "default", morphable: Path | None = None) -> Measured:
    """Load what `--weights` names.

    Args:
        weights: `default`; a folder or `.safetensors` that was exported, which runs in ONNX
            Runtime; a checkpoint, or a `.safetensors` without its `.onnx`, which runs in torch.
        morphable: face model that a checkpoint in torch was trained with, where it does not say.

    Raises:
        InputError: no such weights, or of another network.
    """
    path = Path(weights)
    if weights == "default" or path.is_dir() or path.with_suffix(".onnx").is_file():
        loaded = load_pretrained(weights, "none")
        return Measured(
            MorphableModel.of(loaded.model), loaded.extractor, loaded.encoder.layout.size
        )
    state = read_encoder_weights(path)
    settings = _settings(path)
    chosen = morphable or settings.get("morphable")
    model = MorphableModel.load(chosen) if chosen else MorphableModel.default()
    names = inspect.signature(FaceEncoder).parameters
    known = {name: settings[name] for name in names if name in settings}
    network = {k: tuple(v) if isinstance(v, list) else v for k, v in known.items()}
    layout = CodeLayout.of(model.sizes, model.expression_names, network.get("size", 128))
    encoder = FaceEncoder(layout.outputs, **{**network, "gaze": layout.gaze_outputs})
    try:
        encoder.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{path}: of another network than its settings say ({reason})") from error
    decoder = CodeDecoder(layout, LandmarkModel.of(model))
    return Measured(model, FaceExtractor(_in_torch(encoder.eval()), decoder), layout.size)


def _settings(path: Path) -> dict[str, Any]:
    """How the network was made: a checkpoint tells, or the card beside a `.safetensors`."""
    if path.suffix != ".safetensors":
        return dict(read_checkpoint(path).get("hyper_parameters", {}))
    card = path.with_suffix(".json")
    return json.loads(card.read_text(encoding="utf-8"))["network"] if card.is_file() else {}


def _in_torch(encoder: FaceEncoder) -> Callable[[np.ndarray], np.ndarray]:
    encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def run(crops: np.ndarray) -> np.ndarray:
        image = torch.from_numpy(crops).permute(0, 3, 1, 2).float().div_(255)
        return encoder(image).numpy()

    return run
