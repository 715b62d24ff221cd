"""Weights that the frame loop needs: the package's, or those of a folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
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
EDITORS = {"ganimation": "ganimation.onnx", "dft_net": "dft_net.onnx"}
NETWORKS = (ENCODER, MOUTH, *EDITORS.values())


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
        name: `default` for the weights in the package; a folder that `train.py … export=DIR` has
            written: an encoder, with its face model where that is another than the package's, a
            mouth generator, or all; or the `.safetensors` file of `export=NAME.safetensors`,
            with the two beside it. What is lacking comes from the package.
        mouth: `generator`, `model` or `none`; without a generator anywhere `generator` is `model`.
        threads: of each network.

    Raises:
        InputError: no such folder, nothing in it, or a file of it cannot be read.
    """
    if mouth not in MOUTHS:
        raise InputError(f"mouth={mouth}: choose {', '.join(MOUTHS[:-1])} or {MOUTHS[-1]}")
    with ExitStack() as stack:
        assets = stack.enter_context(as_file(files("xpress") / "assets"))
        own = {} if name == "default" else _own_files(Path(name))
        encoder = EncoderSession(own.get(ENCODER, assets / ENCODER), threads)
        model = MorphableModel.load(own[MODEL]) if MODEL in own else MorphableModel.default()
        extractor = FaceExtractor(encoder, CodeDecoder(encoder.layout, LandmarkModel.of(model)))
        return Pretrained(model, encoder, extractor, _mouth(mouth, own, assets, threads))


@contextmanager
def weights_file(name: str | os.PathLike, file: str) -> Iterator[Path]:
    """A network of a folder of weights, or the package's.

    Args:
        name: as of `load_pretrained`.
        file: of `NETWORKS`.

    Raises:
        InputError: as `load_pretrained`, or neither has it.
    """
    with as_file(files("xpress") / "assets") as assets:
        own = {} if name == "default" else _own_files(Path(name))
        place = own.get(file, assets / file)
        if not place.exists():
            raise InputError(
                f"{file}: neither in the package nor in a folder given as weights=…; train one "
                f"with train.py task={Path(file).stem} export=DIR"
            )
        yield place


def animator(model: MorphableModel, mouth: Literal["model", "none"] | MouthPainter) -> Animator:
    """One that draws faces of the model."""
    from xpress.reenactment.animator import FaceAnimator

    return FaceAnimator(model, mouth)


def _mouth(
    mouth: str, own: dict[str, Path], assets: Path, threads: int
) -> Literal["model", "none"] | MouthPainter:
    if mouth == "none":
        return "none"
    place = own.get(MOUTH, assets / MOUTH)
    if mouth == "model" or (MOUTH not in own and not place.exists()):
        return "model"
    return MouthGeneratorSession(place, threads)


def _own_files(given: Path) -> dict[str, Path]:
    """The user's files by the package's names."""
    if given.is_file():
        return _of_one_network(given)
    if not given.is_dir():
        raise InputError(
            f"{given}: no such folder of weights; give one that train.py … export=DIR wrote"
        )
    # A card alone counts, so that a lost network is told and not replaced.
    found = {
        name: given / name
        for name in NETWORKS
        if (given / name).exists() or (given / name).with_suffix(".json").exists()
    }
    if not found:
        raise InputError(
            f"{given}: holds none of {', '.join(NETWORKS)}; give a folder that "
            "train.py … export=DIR wrote"
        )
    if (given / MODEL).exists():
        if ENCODER not in found:
            raise InputError(
                f"{given}: {MODEL} without the {ENCODER} that was trained with it; put both there"
            )
        found[MODEL] = given / MODEL
    return found


def _of_one_network(file: Path) -> dict[str, Path]:
    """The network of `export=NAME.safetensors`; its card tells which one it is."""
    card = file.with_suffix(".json")
    try:
        details = json.loads(card.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{card}: no card beside the weights; export them again") from error
    known = {"layout": ENCODER, "ratio": MOUTH}
    names = [name for entry, name in known.items() if entry in details]
    names += [EDITORS[details["kind"]]] if details.get("kind") in EDITORS else []
    if not names:
        raise InputError(f"{card}: of no encoder, mouth generator or editor; export again")
    found = {names[0]: file.with_suffix(".onnx")}
    model = file.with_name(MODEL)
    return found | ({MODEL: model} if names[0] == ENCODER and model.exists() else {})
