"""Mouth crops with a hole to painted ones through ONNX Runtime, without torch in the loop."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from xpress.errors import InputError
from xpress.extraction.onnx_sessions import open_session
from xpress.media.mouth_crop import INPUTS

OUTPUT = "painted"


class MouthGeneratorSession:
    """An exported mouth generator; several threads may call it.

    Args:
        path: the `.onnx` file; its card, with the crop's size, is the `.json` beside it.
        threads: of ONNX Runtime inside one call.

    Attributes:
        size: pixels of the crop's side.
        ratio: side of the crop over the width of the lips.

    Raises:
        InputError: one of the two files is missing or is none.
    """

    def __init__(self, path: str | os.PathLike, threads: int = 1) -> None:
        path = Path(path)
        self.size, self.ratio = read_crop(path.with_suffix(".json"))
        self._session = open_session(path, threads, "mouth generator")
        shapes = {i.name: list(i.shape[1:]) for i in self._session.get_inputs()}
        size = [self.size, self.size]
        wanted = {name: [n, *size] for name, n in INPUTS.items()}
        if shapes != wanted:
            raise InputError(
                f"{path}: takes no pictures, holes, teeth and references of {self.size} pixels, "
                "as its card says; train and export with this version"
            )

    def __call__(
        self,
        picture: UInt8[np.ndarray, "S S 3"],
        hole: Float32[np.ndarray, "S S"],
        teeth: UInt8[np.ndarray, "2 S S"],
        reference: UInt8[np.ndarray, "2 S S 4"],
    ) -> tuple[Float32[np.ndarray, "S S 3"], Float32[np.ndarray, "S S 2"]]:
        """Paint a crop's hole; see `generated_mouth.MouthPainter`.

        What the picture shows in the hole does not matter. The painting holds in the hole and in
        a rim of a few pixels.
        """
        filled = _channels_first(picture)
        filled += hole * (1 - filled)
        layers = np.concatenate([_channels_first(layer) for layer in reference])
        rows = teeth * np.float32(1 / 255)
        values = (filled[None], hole[None, None], rows[None], layers[None])
        given = dict(zip(INPUTS, values, strict=True))
        painted = self._session.run([OUTPUT], given)[0][0].transpose(1, 2, 0)
        return painted[..., :3] * np.float32(255), np.ascontiguousarray(painted[..., 3:])


def _channels_first(picture: UInt8[np.ndarray, "S S C"]) -> Float32[np.ndarray, "C S S"]:
    out = np.empty((picture.shape[2], *picture.shape[:2]), np.float32)
    return np.multiply(picture.transpose(2, 0, 1), np.float32(1 / 255), out=out)


def read_crop(card: Path) -> tuple[int, float]:
    """Size and ratio of the crop from a generator's JSON card.

    Raises:
        InputError: no such card, or it does not state them.
    """
    try:
        details = json.loads(card.read_text(encoding="utf-8"))
        size, ratio = int(details["size"]), float(details["ratio"])
    except FileNotFoundError as error:
        raise InputError(f"{card}: no such card; it belongs beside the generator") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{card}: states no size and ratio of the crop; export again") from error
    if size < 1 or not ratio > 0:
        raise InputError(f"{card}: size and ratio of the crop must be positive; export again")
    return size, ratio
