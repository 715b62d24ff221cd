"""Faces of a video that come and go: what is done to them comes and goes with them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from fractions import Fraction
from typing import TypeVar

import numpy as np
from jaxtyping import UInt8

EASE = Fraction(1, 5)
"""Seconds over which a face that comes back takes over from what was held without it."""
HELD = 2**28
"""Bytes of the pictures that are read ahead at most."""

Face = TypeVar("Face")
Faded = TypeVar("Faded")
Frame = tuple[Fraction, UInt8[np.ndarray, "H W 3"], list[Face | None]]


def eased(since: Fraction, over: Fraction = EASE) -> float:
    """Share of what comes, 0 to 1 without a jump in speed, `since` seconds after it was gone."""
    x = min(max(float(since / over), 0.0), 1.0)
    return x * x * (3 - 2 * x)


def fading(
    frames: Generator[Frame[Face], None, None], faded: Callable[[Face, float], Faded]
) -> Generator[Frame[Faded], None, None]:
    """Frames whose faces fade in after others that do not show them, and out before such.

    Args:
        frames: in order of time; as many are read ahead as the fading out takes, `HELD` at most.
        faded: gives a face its share in [0, 1].
    """
    ahead: deque[Frame[Face]] = deque()
    gone: dict[int, Fraction] = {}
    with closing(frames):
        for frame in frames:
            ahead.append(frame)
            if frame[0] - ahead[0][0] >= EASE or len(ahead) * frame[1].nbytes > HELD:
                yield _first(ahead, gone, faded)
        while ahead:
            yield _first(ahead, gone, faded)


def _first(
    ahead: deque[Frame[Face]], gone: dict[int, Fraction], faded: Callable[[Face, float], Faded]
) -> Frame[Faded]:
    """The first frame that waits, with its faces' shares; `gone` is when each was missed last."""
    slots = max(len(faces) for _, _, faces in ahead)
    time, image, faces = ahead.popleft()
    shown: list[Faded | None] = []
    for slot in range(slots):
        face = faces[slot] if slot < len(faces) else None
        if face is None:
            gone[slot] = time
            shown.append(None)
            continue
        missing = [t for t, _, f in ahead if slot >= len(f) or f[slot] is None]
        near = [abs(t - time) for t in (*missing[:1], *([gone[slot]] if slot in gone else []))]
        shown.append(faded(face, min(map(eased, near), default=1.0)))
    return time, image, shown[: len(faces)]
