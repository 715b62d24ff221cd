"""Cuts between the shots of a video."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

THUMBNAIL = (64, 36)
LEAST = 15.0
"""Mean change of the colours that a cut makes at least, of 255."""
STEEP = 2.0
"""How many times the usual change of the frames before it is: what a moving camera is not."""
UNKNOWN = 15.0
"""What counts as usual before anything is known."""
MEMORY = 12
"""Frames that say what is usual."""


class ShotCuts:
    """Tells for each frame of a video whether a new shot begins with it.

    Adjacent frames are compared by the mean absolute change of their colours, against what is usual
    in this shot. To take a moving camera for a cut costs a search for faces, no more.
    """

    def __init__(self) -> None:
        self._last: np.ndarray | None = None
        self._usual: deque[float] = deque(maxlen=MEMORY)

    def state(self) -> list[float]:
        """What the next frame depends on besides the last one."""
        return list(self._usual)

    def restore(self, state: list[float], last: UInt8[np.ndarray, "H W 3"]) -> None:
        """Go on after a frame where `state` was taken."""
        self._usual.extend(state)
        self._last = _thumbnail(last)

    def __call__(self, image: UInt8[np.ndarray, "H W 3"]) -> bool:
        """Whether this frame, which follows the last one, begins a shot."""
        now = _thumbnail(image)
        last, self._last = self._last, now
        if last is None:
            return True
        change = float(np.abs(now - last).mean())
        usual = float(np.median(self._usual)) if self._usual else UNKNOWN
        cut = change > max(LEAST, STEEP * usual)
        if cut:
            self._usual.clear()
        else:
            self._usual.append(change)
        return cut


def _thumbnail(image: UInt8[np.ndarray, "H W 3"]) -> Float32[np.ndarray, "h w 3"]:
    return cv2.resize(image, THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
