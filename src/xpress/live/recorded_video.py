"""A live picture that goes into a file."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from xpress.live.display import Display
from xpress.media.label import Label
from xpress.media.video import VideoWriter


class RecordedVideo(Display):
    """Writes the pictures with their own times, so that dropped frames leave no gap in time.

    Args:
        path: the file, which appears when the recording ends.
        fps: of the source.
        label: what the file says of itself.
    """

    def __init__(self, path: Path, fps: Fraction, label: Label | None = None) -> None:
        self._path, self._fps, self._label = path, fps, label
        self._stack = ExitStack()
        self._writer: VideoWriter | None = None
        self._size = (0, 0)

    def show(self, image: UInt8[np.ndarray, "H W 3"], time: Fraction) -> None:
        """Write a picture; the first one sets the video's size."""
        if self._writer is None:
            self._size = (image.shape[1], image.shape[0])
            self._writer = self._stack.enter_context(
                VideoWriter(self._path, self._fps, self._size, label=self._label)
            )
        if (image.shape[1], image.shape[0]) != self._size:
            image = cv2.resize(image, self._size, interpolation=cv2.INTER_AREA)
        self._writer.write(image, time)

    def __exit__(self, *error) -> None:
        self._stack.__exit__(*error)
