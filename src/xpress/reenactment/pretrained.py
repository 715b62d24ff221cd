"""Weights that the frame loop needs: the package's, or those of a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal

from xpress.errors import InputError
from xpress.morphable.landmark_model import LandmarkModel
from xpress.morphable.model import MorphableModel
from xpress.reenactment.extractor import CodeDecoder, EncoderSession, FaceExtractor
from xpress.reenactment.generated_mouth import MouthPainter
from xpress.reenactment.mouth_generator import MouthGeneratorSession
from xpress.reenactment.targets import Animator

MOUTHS = ("generator", "model", "none")
MODEL, ENCODER, MOUTH = "morphable.safetensors", "encoder.onnx", "mouth.onnx"


@dataclass(frozen=True)
class Pretrained:
    """Loaded weights.

    Attributes:
        model: the face model.
        encoder: the network that reads faces.
        extractor: with the encoder in it.
        mouth: what fills an opened mouth; see `FaceAnimator`.
    """

    model: MorphableModel
    encoder: EncoderSession
    extractor: FaceExtractor
    mouth: Literal["model", "none"] | MouthPainter

    def animators(self) -> Callable[[], Animator]:
        """What makes the animators; they share one generator."""
        return lambda: animator(self.model, self.mouth)


def load_pretrained(
    name: str | os.PathLike = "default", mouth: str = "generator", threads: int = 1
) -> Pretrained:
    """Load face model, encoder and mouth generator.

    Args:
        name: `default` for the weights in the package, or a folder that `train.py … export=DIR`
            has written: an encoder, with its face model where that is another than the package's,
            a mouth generator, or all of them. What it lacks comes from the package.
        mouth: `generator`, `model` or `none`; without a generator anywhere `generator` is `model`.
        threads: of each network.

    Raises:
        InputError: no such folder, nothing in it, or a file of it cannot be read.
    """
    if mouth not in MOUTHS:
        raise InputError(f"mouth={mouth}: choose {', '.join(MOUTHS[:-1])} or {MOUTHS[-1]}")
    with ExitStack() as stack:
        assets = stack.enter_context(as_file(files("xpress") / "assets"))
        own = assets if name == "default" else _checked(Path(name))
        encoder = EncoderSession(_place(own, assets, ENCODER), threads)
        if own != assets and (own / MODEL).exists():
            model = MorphableModel.load(own / MODEL)
        else:
            model = MorphableModel.default()
        extractor = FaceExtractor(encoder, CodeDecoder(encoder.layout, LandmarkModel.of(model)))
        return Pretrained(model, encoder, extractor, _mouth(mouth, own, assets, threads))


def animator(model: MorphableModel, mouth: Literal["model", "none"] | MouthPainter) -> Animator:
    """One that draws faces of the model."""
    from xpress.reenactment.animator import FaceAnimator

    return FaceAnimator(model, mouth)


def _mouth(
    mouth: str, own: Path, assets: Path, threads: int
) -> Literal["model", "none"] | MouthPainter:
    if mouth == "none":
        return "none"
    place = _place(own, assets, MOUTH)
    if mouth == "model" or (place.parent == assets and not place.exists()):
        return "model"
    return MouthGeneratorSession(place, threads)


def _checked(folder: Path) -> Path:
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such folder of weights; give one that train.py … export=DIR wrote"
        )
    if not any((folder / name).exists() for name in (ENCODER, MOUTH)):
        raise InputError(
            f"{folder}: holds neither {ENCODER} nor {MOUTH}; give a folder that "
            "train.py … export=DIR wrote"
        )
    if (folder / MODEL).exists() and not (folder / ENCODER).exists():
        raise InputError(
            f"{folder}: {MODEL} without the {ENCODER} that was trained with it; put both there"
        )
    return folder


def _place(own: Path, assets: Path, name: str) -> Path:
    """The folder's file where it has one or its card, else the package's."""
    here = own / name
    given = here.exists() or here.with_suffix(".json").exists()
    return here if given else assets / name
