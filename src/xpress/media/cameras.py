"""Cameras, always at their latest frame."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from xpress.errors import InputError

_FALLBACK_FPS = Fraction(30)
_TIMEOUT = 5.0
"""Seconds without a frame after which a camera counts as unplugged."""


class Camera:
    """A camera through OpenCV that drops the frames nobody had time for.

    A thread grabs continuously, so that a slow consumer sees the present and not the driver's
    queue. Use it as a context manager, or call `close`.

    Attributes:
        index: OpenCV's number of the camera.
        fps: frames per second that the camera states, else 30.
        size: (width, height) in pixels.
    """

    def __init__(self, index: int = 0) -> None:
        """Open the camera and wait for its first frame.

        Raises:
            InputError: there is no such camera, it is in use, or it sends nothing.
        """
        self.index = index
        self._capture = _open(index)
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = Fraction(rate).limit_denominator(1001) if 1 <= rate <= 1000 else _FALLBACK_FPS
        self._changed = threading.Condition()
        self._latest: np.ndarray | None = None
        self._number = 0
        self._seen = 0
        self._ended = False
        self._thread = threading.Thread(target=self._grab, name=f"camera-{index}", daemon=True)
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._number or self._ended, _TIMEOUT)
            first = self._latest
        if first is None:
            self.close()
            raise InputError(f"camera {index}: sends no picture; close other programs that use it")
        self.size: tuple[int, int] = (first.shape[1], first.shape[0])

    def read(self) -> UInt8[np.ndarray, "H W 3"] | None:
        """The newest RGB frame not read before; waits for one, None when the camera stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > self._seen or self._ended, _TIMEOUT)
            if self._number == self._seen or self._latest is None:
                return None
            self._seen = self._number
            latest = self._latest
        return cv2.cvtColor(latest, cv2.COLOR_BGR2RGB)

    def __iter__(self) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
        while (frame := self.read()) is not None:
            yield frame

    def close(self) -> None:
        """Stop the thread and free the device."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join(_TIMEOUT)
        self._capture.release()

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _grab(self) -> None:
        while not self._ended:
            good, frame = self._capture.read()
            with self._changed:
                if good:
                    self._latest = frame
                    self._number += 1
                else:
                    self._ended = True
                self._changed.notify_all()


def _open(index: int) -> Any:
    """Open quietly: OpenCV would print each backend it tries."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        capture = cv2.VideoCapture(index)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not capture.isOpened():
        capture.release()
        raise InputError(f"camera {index}: cannot be opened; plug it in or try another number")
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return capture
