"""Mouth crops with a hole to painted ones through ONNX Runtime, without torch in the loop."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from xpress.errors import InputError
from xpress.extraction.onnx_sessions import open_session

INPUTS = ("filled", "hole")
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
        if shapes != {"filled": [3, *size], "hole": [1, *size]}:
            raise InputError(
                f"{path}: takes no pictures and holes of {self.size} pixels, as its card says; "
                "export both together"
            )

    def __call__(
        self, picture: UInt8[np.ndarray, "S S 3"], hole: Float32[np.ndarray, "S S"]
    ) -> Float32[np.ndarray, "S S 3"]:
        """Paint a crop's hole.

        Args:
            picture: RGB; what it shows in the hole does not matter.
            hole: one where the picture is to be painted.

        Returns:
            RGB 0 to 255 of the whole crop; it holds in the hole and in a rim of a few pixels.
        """
        filled = np.empty((1, 3, self.size, self.size), np.float32)
        np.multiply(picture.transpose(2, 0, 1), np.float32(1 / 255), out=filled[0])
        filled += hole * (1 - filled)
        given = dict(zip(INPUTS, (filled, hole[None, None]), strict=True))
        painted = self._session.run([OUTPUT], given)[0][0]
        return np.ascontiguousarray(painted.transpose(1, 2, 0)) * np.float32(255)


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
