"""Action units that other programs have measured, found again by the names of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
from jaxtyping import Float, Float32

LARGEST = 5.0
"""Of the intensities that OpenFace measures, and GANimation's labels with it."""
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


class NamedUnits:
    """Units by name; a callable from a pack's key to the units or None.

    A key is looked for as it is, then without folders and suffix. Keys that end in a number of
    its own (`clip.mp4/000025`) are frames, counted from zero, of what stands before.

    Args:
        names: of the pictures, or (video, frame) counted from zero.
        intensities: in [0, 5]; beyond, they are clipped.
    """

    def __init__(
        self, names: Sequence[str | tuple[str, int]], intensities: Float[np.ndarray, "N 17"]
    ) -> None:
        self.units: Float32[np.ndarray, "N 17"] = scaled(intensities)
        self._exact = {name: row for row, name in enumerate(names) if isinstance(name, str)}
        self._short: dict[tuple[str, int | None], int] = {}
        for row, name in enumerate(names):
            frame = name if isinstance(name, str) else f"{name[0]}/{name[1]}"
            self._short.setdefault(short_name(frame), row)

    def __len__(self) -> int:
        return len(self.units)

    def __call__(self, key: str) -> Float32[np.ndarray, "17"] | None:
        """The units of the picture that a key names."""
        row = self._exact.get(key, self._short.get(short_name(key)))
        return None if row is None else self.units[row]


def scaled(intensities: Float[np.ndarray, "N 17"]) -> Float32[np.ndarray, "N 17"]:
    """From [0, 5] to [0, 1]."""
    return (np.asarray(intensities, np.float64) / LARGEST).clip(0, 1).astype(np.float32)


def short_name(name: str) -> tuple[str, int | None]:
    """Name without folders and suffix, and the frame where it has one."""
    path = PurePosixPath(name)
    if path.name.isdecimal() and path.parent.name:
        return path.parent.stem, int(path.name)
    return (path.stem if path.suffix.lower() in _SUFFIXES else path.name), None
