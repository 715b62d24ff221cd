"""A photograph that follows pictures which somebody else sends, one by one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from xpress.errors import InputError
from xpress.live.session import LiveSession
from xpress.reenactment.options import ReenactmentOptions
from xpress.reenactment.reenactor import Reenactor
from xpress.studio.pictures import jpeg as encode

PIXELS = 1280 * 960
"""Of a camera's picture."""
QUALITY = 85


class LiveFace:
    """A session of `live.session` whose camera is a browser's.

    Args:
        reenactor: loaded networks.
        target: photograph, small enough to be drawn many times a second.
        options: how.
    """

    def __init__(self, reenactor: Reenactor, target: Path, options: ReenactmentOptions) -> None:
        self.session = LiveSession(reenactor, [target], options)
        self._sent: deque[tuple[Fraction, UInt8[np.ndarray, "H W 3"]]] = deque()
        # takes one picture for each that is asked of it
        self._tracked = reenactor.track_faces(self._given(), "largest", "camera", True)

    def __call__(self, moment: float, jpeg: bytes) -> tuple[bytes, bool]:
        """The photograph, JPEG, and whether a face was seen.

        Args:
            moment: seconds after the first picture.
            jpeg: the camera's picture.

        Raises:
            InputError: it is no such picture, or too large.
        """
        time = Fraction(moment).limit_denominator(1_000_000)
        self._sent.append((time, self.session.seen(_decoded(jpeg))))
        _, image, faces = next(self._tracked)
        face = faces[0] if faces else None
        return encode(self.session.draw(time, image, face), QUALITY), face is not None

    def told(self) -> str:
        """What is set, in words."""
        options, session = self.session.options, self.session
        words = [f"Strength {options.strength:.1f}"]
        words.append("eyes follow you" if options.gaze == "source" else "eyes stay as they are")
        words.append("head stays" if options.head == "target" else "head follows you")
        words += [name for name in ("frozen", "mirrored") if getattr(session, name)]
        return ", ".join(words)

    def _given(self) -> Iterator[tuple[Fraction, Any]]:
        while True:
            yield self._sent.popleft()


def _decoded(jpeg: bytes) -> UInt8[np.ndarray, "H W 3"]:
    try:
        with Image.open(BytesIO(jpeg), formats=("JPEG",)) as picture:
            width, height = picture.size
    except Exception as error:  # Pillow's plugins have no common error
        raise InputError("the camera's picture cannot be read; start again") from error
    if width * height > PIXELS:
        raise InputError("the camera's pictures are too large; choose a lower resolution")
    decoded = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise InputError("the camera's picture cannot be read; start again")
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
