"""What the window says over the picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

_FONT = cv2.FONT_HERSHEY_SIMPLEX


def captioned(
    image: UInt8[np.ndarray, "H W 3"], lines: Sequence[str], bottom: Sequence[str] = ()
) -> UInt8[np.ndarray, "H W 3"]:
    """A copy with lines of text at its top and at its bottom, readable on any picture."""
    drawn = image.copy()
    size = max(0.4, image.shape[1] / 1400)
    step = round(34 * size)
    rows = [step + number * step for number in range(len(lines))]
    rows += [image.shape[0] - step // 2 - n * step for n in reversed(range(len(bottom)))]
    for row, text in zip(rows, [*lines, *bottom], strict=True):
        # thicker letters are wider, so a rim is drawn by letters of the same thickness
        for across, down in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            place = (step // 3 + across, row + down)
            cv2.putText(drawn, text, place, _FONT, size, (0, 0, 0), 1, cv2.LINE_AA)
        cv2.putText(drawn, text, (step // 3, row), _FONT, size, (255, 255, 255), 1, cv2.LINE_AA)
    return drawn
