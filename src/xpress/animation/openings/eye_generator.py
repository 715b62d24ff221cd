"""Eye crops to edits of them through ONNX Runtime, without torch in the loop."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from xpress.errors import InputError
from xpress.extraction.onnx_sessions import open_session
from xpress.media.eye_crop import HEIGHT, WIDTH

INPUTS = {"around": 3, "reference": 3, "moved": 3, "maps": 4}
"""Names and channels."""
OUTPUT = "edit"


class EyeGeneratorSession:
    """An exported eye generator; several threads may call it.

    Args:
        path: the `.onnx` file.
        threads: of ONNX Runtime inside one call.

    Raises:
        InputError: the file is missing or is none.
    """

    def __init__(self, path: str | os.PathLike, threads: int = 1) -> None:
        self._session = open_session(Path(path), threads, "eye generator")
        shapes = {i.name: list(i.shape[1:]) for i in self._session.get_inputs()}
        if shapes != {name: [channels, HEIGHT, WIDTH] for name, channels in INPUTS.items()}:
            raise InputError(
                f"{path}: takes no pairs of eye crops of {WIDTH}×{HEIGHT} pixels; export the "
                "network again"
            )

    def __call__(
        self,
        around: Float32[np.ndarray, "N H W 3"],
        reference: Float32[np.ndarray, "N H W 3"],
        moved: Float32[np.ndarray, "N H W 3"],
        maps: Float32[np.ndarray, "N 4 H W"],
    ) -> Float32[np.ndarray, "N H W 6"]:
        """Edit crops; see `EyeGenerator.forward`.

        Args:
            around: RGB in [0, 1], 0.5 in the region that is painted.
            reference: RGB in [0, 1].
            moved: the reference under `lid_flow`.
            maps: lids and iris of the reference, and as they are wanted.

        Returns:
            As the network gives them, channels last.
        """
        given = (around, reference, moved)
        pictures = (np.ascontiguousarray(picture.transpose(0, 3, 1, 2)) for picture in given)
        feed = dict(zip(INPUTS, (*pictures, maps), strict=True))
        edit = self._session.run([OUTPUT], feed)[0]
        return np.ascontiguousarray(edit.transpose(0, 2, 3, 1))
