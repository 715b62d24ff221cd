"""Which files of networks are taken: the package's, or those of a folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from xpress.errors import InputError
from xpress.whole_files import local_path

MODEL = "morphable.safetensors"
ENCODER = "encoder.onnx"
MOUTH = "mouth.onnx"
EYES = "eyes.onnx"
EYE_LANDMARKS = "eye_landmarks.onnx"
LIP_LANDMARKS = "lip_landmarks.onnx"
EDITORS = {"ganimation": "ganimation.onnx", "dft_net": "dft_net.onnx"}
NETWORKS = (ENCODER, EYE_LANDMARKS, LIP_LANDMARKS, MOUTH, EYES, *EDITORS.values())


@dataclass(frozen=True)
class WeightFiles:
    """Where the networks lie.

    Attributes:
        own: the user's files by the package's names.
        assets: folder of the package's.
    """

    own: Mapping[str, Path]
    assets: Path

    def __getitem__(self, name: str) -> Path:
        """The user's file, or else the package's, which may not exist."""
        return self.own.get(name, self.assets / name)

    def has(self, name: str) -> bool:
        """Whether the file is the user's, who is told if it is lost, or is in the package."""
        return name in self.own or self[name].exists()


@contextmanager
def weight_files(name: str | os.PathLike = "default") -> Iterator[WeightFiles]:
    """The files of `default` or of the user's weights.

    Args:
        name: `default` for the weights in the package; a folder that `train.py … export=DIR` has
            written: an encoder, with its face model where that is another than the package's, a
            mouth or eye generator, an editor, or all; a face model alone, for which the package's
            encoder reads; or the `.safetensors` file of
            `export=NAME.safetensors`, with the two beside it. What is lacking comes from the
            package.

    Raises:
        InputError: no such folder, or nothing in it.
    """
    with as_file(files("xpress") / "assets") as assets:
        yield WeightFiles({} if name == "default" else _own_files(local_path(name)), assets)


@contextmanager
def weights_file(name: str | os.PathLike, file: str) -> Iterator[Path]:
    """One network of a folder of weights, or the package's.

    Args:
        name: as of `weight_files`.
        file: of `NETWORKS`.

    Raises:
        InputError: as `weight_files`, or neither has it.
    """
    with weight_files(name) as found:
        if not found[file].exists():
            raise InputError(
                f"{file}: neither in the package nor in a folder given as weights=…; train one "
                f"with train.py task={Path(file).stem} export=DIR"
            )
        yield found[file]


def check_used(name: str | os.PathLike, *used: str) -> frozenset[str]:
    """Check that weights which a user names are of any use to what is to be done.

    Args:
        name: as of `weight_files`.
        used: of `NETWORKS`, those that will be taken.

    Returns:
        The networks among them that are the user's.

    Raises:
        InputError: as `weight_files`, or the user's weights have none of them; nothing of the
            package is taken in their place without a word.
    """
    with weight_files(name) as found:
        own = frozenset(found.own) & set(NETWORKS)
    if not own or own & set(used):
        return own & set(used)
    editors = [editor for editor, file in EDITORS.items() if file in own]
    hint = f"; give editor={' or editor='.join(editors)}" if editors else ""
    raise InputError(
        f"{name}: holds {' and '.join(sorted(own))}, where {' or '.join(used)} would be used{hint}"
    )


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
    if (given / MODEL).exists():
        found[MODEL] = given / MODEL
    if not found:
        raise InputError(
            f"{given}: holds none of {', '.join((*NETWORKS, MODEL))}; give a folder that "
            "train.py … export=DIR wrote"
        )
    return found


def _of_one_network(file: Path) -> dict[str, Path]:
    """The network of `export=NAME.safetensors`; its card tells which one it is."""
    card = file.with_suffix(".json")
    try:
        details = json.loads(card.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{card}: no card beside the weights; export them again") from error
    known = {"layout": ENCODER, "ratio": MOUTH, "eye_width": EYES}
    names = [name for entry, name in known.items() if entry in details]
    kinds = {**EDITORS, "eye_landmarks": EYE_LANDMARKS, "lip_landmarks": LIP_LANDMARKS}
    names += [kinds[details["kind"]]] if details.get("kind") in kinds else []
    if not names:
        raise InputError(f"{card}: of no encoder, generator or editor; export again")
    found = {names[0]: file.with_suffix(".onnx")}
    model = file.with_name(MODEL)
    return found | ({MODEL: model} if names[0] == ENCODER and model.exists() else {})


def encoder_digest(weights: str | os.PathLike = "default") -> str:
    """Hash of the encoder's file that `weight_files` finds."""
    with weight_files(weights) as found:
        return hashlib.sha256(found[ENCODER].read_bytes()).hexdigest()
