"""An invisible mark of the region that was changed.

A keyed pseudo-random pattern in the middle frequencies of brightness is added where a picture
was changed: spread-spectrum marking (Cox, Kilian, Leighton and Shamoon, "Secure spread spectrum
watermarking for multimedia", 1997) with a periodic tile, so that a crop keeps whole tiles and a
search over the tile's period finds it in a scaled copy (Kutter, "Watermarking resisting to
translation, rotation, and scaling", 1998). It says one thing only: xpress changed this.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float32, Int, UInt8

KEY = "xpress"
"""The pattern's key is public: everyone can look for the mark."""
LOWEST, HIGHEST = 3.0, 8.0
"""Cycles a tile of the pattern's frequencies: scaling and H.264 keep them, eyes see them little."""
TILES_A_FACE, FEWEST = 4.5, 3.5
"""Periods of the tile along the longer side of a face's landmarks, and of a small face's."""
LASTING = 64
"""Pixels of a period that coding and shrinking leave; only small faces have a shorter one."""
SHORTEST, LONGEST = 20, 512
"""Bounds of the tile's period, pixels."""
PSNR = 42.5
"""Of the marked region against the unmarked one, dB; where texture hides little it is higher."""

_CELL = 8  # side of the cells that count as changed or not, pixels
_BRIDGED = 5  # cells; unchanged ones that lie between changed ones are marked too
_PLAIN, _STRONGEST = 1.1, 2.6  # grey levels: on smooth skin, and the most that texture hides
_HIDING = 0.25  # more of them for each grey level of texture
_DARK = 110.0  # grey level below which the mark fades: it shows most in dark hair
_FAINTEST = 0.35  # of the strength, on black


@lru_cache(maxsize=1)
def pattern_frequencies() -> Int[np.ndarray, "K 2"]:
    """Row and column frequency of each component, cycles a tile; one of each conjugate pair."""
    reach = range(-int(HIGHEST), int(HIGHEST) + 1)
    pairs = [(row, column) for row in reach for column in reach if (column, row) > (0, 0)]
    return np.array([pair for pair in pairs if LOWEST <= np.hypot(*pair) <= HIGHEST])


@lru_cache(maxsize=1)
def pattern_phases() -> Float32[np.ndarray, " K"]:
    """Radians of each component, from a hash: the same on every machine and for all time."""
    digests = [
        hashlib.sha256(f"{KEY}:{row}:{column}".encode()).digest()
        for row, column in pattern_frequencies()
    ]
    turns = [int.from_bytes(digest[:8], "big") / 2**64 for digest in digests]
    return np.array(turns, np.float32) * np.float32(2 * np.pi)


def pattern_tile(period: int) -> Float32[np.ndarray, "P P"]:
    """One period of the pattern with mean 0 and standard deviation 1.

    Args:
        period: pixels, more than twice `HIGHEST`.
    """
    spectrum = np.zeros((period, period), np.complex128)
    rows, columns = pattern_frequencies().T
    component = np.exp(1j * pattern_phases())
    spectrum[rows, columns] = component
    spectrum[-rows, -columns] = component.conj()
    tile = np.fft.ifft2(spectrum).real
    return (tile / tile.std()).astype(np.float32)


def tile_period(face_side: float) -> int:
    """The tile's period for a face, pixels.

    Args:
        face_side: longer side of the box around its landmarks, pixels.
    """
    period = max(face_side / TILES_A_FACE, min(LASTING, face_side / FEWEST))
    return int(np.clip(round(period), SHORTEST, LONGEST))


class Watermark:
    """Marks what was changed in pictures of one size; the same pattern lies over all of them.

    Args:
        face_side: longer side of the box around the landmarks of the (largest) face, pixels.
    """

    def __init__(self, face_side: float) -> None:
        self.period = tile_period(face_side)
        self._tile = pattern_tile(self.period)
        self._pattern = self._tile

    def __call__(
        self, original: UInt8[np.ndarray, "H W 3"], changed: UInt8[np.ndarray, "H W 3"]
    ) -> UInt8[np.ndarray, "H W 3"]:
        """A copy of `changed` that is marked where it differs from `original`.

        Cells of 8×8 pixels whose mean difference in brightness reaches half a grey level are
        marked, and cells between them; all other pixels stay as they are.
        """
        marked = changed.copy()
        cells = _changed_cells(original, changed)
        if not cells.any():
            return marked
        height, width = changed.shape[:2]
        x, y, columns, rows = (_CELL * side for side in cv2.boundingRect(cells))
        across, down = slice(x, min(x + columns, width)), slice(y, min(y + rows, height))
        inside = cells[y // _CELL : (y + rows) // _CELL, x // _CELL : (x + columns) // _CELL]
        part = marked[down, across]
        strength = _strength(part, inside)
        offset = cv2.multiply(self._covering(height, width)[down, across], strength)
        marked[down, across] = cv2.add(part, cv2.merge([offset] * 3), dtype=cv2.CV_8U)
        return marked

    def _covering(self, height: int, width: int) -> Float32[np.ndarray, "h w"]:
        """The pattern over a picture; kept, since the next frame has the same size."""
        if self._pattern.shape[0] < height or self._pattern.shape[1] < width:
            times = (-(-height // self.period), -(-width // self.period))
            self._pattern = np.tile(self._tile, times)
        return self._pattern


@runtime_checkable
class LandmarkedFace(Protocol):
    """A face of a picture."""

    @property
    def landmarks68(self) -> Float32[np.ndarray, "68 2"]:
        """Pixels of the picture."""


class FaceMarker:
    """A `Watermark` whose tile fits the first faces that it meets; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watermark: Watermark | None = None

    def __call__(
        self,
        original: UInt8[np.ndarray, "H W 3"],
        changed: UInt8[np.ndarray, "H W 3"],
        faces: Sequence[LandmarkedFace],
    ) -> UInt8[np.ndarray, "H W 3"]:
        """`changed` with its mark; `faces` are those that may have been changed."""
        with self._lock:
            if self._watermark is None and faces:
                side = max(float(np.ptp(face.landmarks68, axis=0).max()) for face in faces)
                self._watermark = Watermark(side)
        return changed if self._watermark is None else self._watermark(original, changed)


Marker = Callable[[np.ndarray, np.ndarray, Sequence[LandmarkedFace]], np.ndarray]
"""What `FaceMarker` and `unmarked` are: original, changed and faces to the picture to show."""


def unmarked(
    original: np.ndarray, changed: np.ndarray, faces: Sequence[LandmarkedFace]
) -> np.ndarray:
    """`changed` as it is."""
    return changed


def _changed_cells(
    original: UInt8[np.ndarray, "H W 3"], changed: UInt8[np.ndarray, "H W 3"]
) -> UInt8[np.ndarray, "h w"]:
    """1 where a cell is to be marked; the last row and column may reach beyond the picture."""
    height, width = changed.shape[:2]
    # every other row tells as much
    difference = cv2.cvtColor(cv2.absdiff(original[::2], changed[::2]), cv2.COLOR_RGB2GRAY)
    below, beside = -len(difference) % (_CELL // 2), -width % _CELL
    if below or beside:
        difference = cv2.copyMakeBorder(difference, 0, below, 0, beside, cv2.BORDER_REPLICATE)
    size = (-(-width // _CELL), -(-height // _CELL))
    mean = cv2.resize(difference, size, interpolation=cv2.INTER_AREA)
    cells = np.minimum(mean, 1)
    return cv2.morphologyEx(cells, cv2.MORPH_CLOSE, np.ones((_BRIDGED, _BRIDGED), np.uint8))


def _strength(
    part: UInt8[np.ndarray, "H W 3"], cells: UInt8[np.ndarray, "h w"]
) -> Float32[np.ndarray, "H W"]:
    """Standard deviation of the mark at each pixel, grey levels; `PSNR` at least over the cells."""
    height, width = part.shape[:2]
    rows, columns = cells.shape
    grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (2 * columns, 2 * rows), interpolation=cv2.INTER_AREA)
    values = small.astype(np.float32)
    fine = values - cv2.blur(values, (3, 3))
    hidden = _PLAIN + _HIDING * np.sqrt(cv2.blur(fine * fine, (5, 5)))
    bright = np.clip(cv2.blur(values, (5, 5)) / _DARK, _FAINTEST, 1.0)
    hidden = np.clip(hidden, _PLAIN, _STRONGEST) * bright
    weight = cv2.resize(hidden, (columns, rows), interpolation=cv2.INTER_AREA) * cells
    power = float((weight * weight).sum() / cells.sum())
    weight *= min(1.0, 255 * 10 ** (-PSNR / 20) / np.sqrt(power))
    # a cell's weight fades towards unmarked neighbours within its own pixels
    full = cv2.resize(weight, (columns * _CELL, rows * _CELL), interpolation=cv2.INTER_LINEAR)
    full *= cv2.resize(cells, full.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return full[:height, :width]
