"""Looks for the mark of `watermark` in pictures and videos of unknown scale and crop.

A tile's worth of picture is folded onto one period, so that the pattern adds up and the picture
does not, and its spectrum is compared with the pattern's by phase alone at every shift (Kuglin
and Hines, "The phase correlation image alignment method", 1975). In an unmarked picture the
phases have nothing to do with a keyed pattern, so that the score of one trial is a sum of
cosines of independent uniform angles. The moment generating function of each, I₀(t), is at most
exp(t²/4), so the sum's tail is below exp(−score²/2), whatever the picture shows, and the
threshold follows from the number of trials.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import scipy.fft
from jaxtyping import Complex64, Float32, UInt8

from xpress.provenance.watermark import pattern_frequencies, pattern_phases

FALSE_ALARM = 1e-3
"""Bound of the probability that an unmarked medium is called marked."""

_OCTAVES = (-1, 0, 1, 2, 3)  # a tile of 40 to 80 pixels at half, full, ... and twice the size
_LARGEST = 24_000_000  # pixels that are searched at each octave: finer ones are left out
_STRIP = 512  # rows
_SMALLEST_PERIOD = 40.0  # pixels of a tile in the picture that an octave is searched in
_STEP = 1.03  # from one tried period to the next: a quarter of a wave over four tiles
_GRID = 32  # samples a tile is folded into
_SHIFTS = 20  # shifts tried in each direction
_WINDOWS = (2, 3, 4, 6)  # tiles a side of the windows that are searched
_SMOOTHING = 4.5  # samples; features wider than this are not the pattern


@dataclass(frozen=True)
class WatermarkEvidence:
    """What the search found.

    Attributes:
        score: of the best trial, standard deviations of an unmarked picture's.
        threshold: score that an unmarked medium reaches with probability `FALSE_ALARM` at most.
        period: of the tile in the best trial, pixels of the medium.
        shortest: period that was searched for, pixels of the medium.
    """

    score: float
    threshold: float
    period: float
    shortest: float = 0.0

    @property
    def found(self) -> bool:
        """Whether the medium is marked."""
        return self.score > self.threshold


def find_watermark(frames: Iterable[UInt8[np.ndarray, "H W 3"]]) -> WatermarkEvidence:
    """Look for the mark in a picture, or in the frames of a video together.

    Args:
        frames: RGB, all of one size; their evidence adds up, as the pattern stays in its place.
    """
    best, trials = (0.0, 0.0), 0
    residuals = _residuals(frames)
    for octave, residual in residuals.items():
        periods = _SMALLEST_PERIOD * _STEP ** np.arange(np.log(2) / np.log(_STEP))
        for period in periods:
            score, count = _best_score(_folded_spectra(residual, period))
            best = max(best, (score, float(period) * 2.0**octave))
            trials += count
    threshold = np.sqrt(2 * np.log(max(trials, 1) / FALSE_ALARM))
    shortest = _SMALLEST_PERIOD * 2.0 ** min(residuals, default=0)
    return WatermarkEvidence(best[0], float(threshold), best[1], shortest)


def _residuals(
    frames: Iterable[UInt8[np.ndarray, "H W 3"]],
) -> dict[int, Float32[np.ndarray, "h w"]]:
    """Fine structure of brightness, evened out, at each octave; the mean over the frames."""
    sums: dict[int, np.ndarray] = {}
    count = 0
    for frame in frames:
        grey, halved = _brightness(frame)
        count += 1
        for octave in _OCTAVES:
            factor = 2.0 ** (halved - octave)
            if min(grey.shape) * factor < 2 * _SMALLEST_PERIOD:
                continue
            if grey.size * factor**2 > _LARGEST:
                continue
            way = cv2.INTER_CUBIC if octave < 0 else cv2.INTER_AREA
            scaled = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=way)
            evened = _evened(scaled)
            sums[octave] = sums[octave] + evened if octave in sums else evened
    return {octave: total / count for octave, total in sums.items()}


def _brightness(frame: UInt8[np.ndarray, "H W 3"]) -> tuple[Float32[np.ndarray, "h w"], int]:
    """As large as it is searched at most, and how often it was halved for that."""
    height, width = frame.shape[:2]
    halved = 0
    while height * width / 4**halved > _LARGEST:
        halved += 1
    factor = 0.5**halved
    rows = height - height % 2**halved
    strips = []
    for top in range(0, rows, _STRIP):  # 4 bytes a pixel of all of it would be more than the frame
        part = frame[top : min(top + _STRIP, rows)]
        grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY).astype(np.float32)
        small = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        strips.append(small if halved else grey)
    return np.vstack(strips), halved


def _evened(grey: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """Local mean removed and local deviation made one, so that no strong edge decides."""
    fine = grey - cv2.GaussianBlur(grey, (0, 0), _SMOOTHING)
    deviation = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), _SMOOTHING))
    return fine / (deviation + 1)


def _folded_spectra(
    residual: Float32[np.ndarray, "h w"], period: float
) -> Complex64[np.ndarray, "y x K"]:
    """Spectrum of each tile at the pattern's frequencies."""
    factor = _GRID / period
    scaled = cv2.resize(residual, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    height, width = scaled.shape
    rows, columns = -(-height // _GRID), -(-width // _GRID)
    padded = np.zeros((rows * _GRID, columns * _GRID), np.float32)
    padded[:height, :width] = scaled
    tiles = padded.reshape(rows, _GRID, columns, _GRID).swapaxes(1, 2)
    down, across = pattern_frequencies().T
    return scipy.fft.rfft2(tiles)[:, :, down % _GRID, across]


def _best_score(spectra: Complex64[np.ndarray, "y x K"]) -> tuple[float, int]:
    """Best score over windows and shifts, and how many trials that were."""
    shifted = _shifted_pattern()
    number = len(shifted) // 2
    best, trials = 0.0, 0
    for size in sorted({min(size, *spectra.shape[:2]) for size in _WINDOWS}):
        sums = _window_sums(spectra, size).reshape(-1, number)
        phases = (sums / (np.abs(sums) + 1e-9)).astype(np.complex64)
        cosines = np.hstack([phases.real, phases.imag]) @ shifted
        best = max(best, float(cosines.max() / np.sqrt(number / 2)))
        trials += cosines.size
    return best, trials


@lru_cache(maxsize=1)
def _shifted_pattern() -> Float32[np.ndarray, "K2 S"]:
    """Real and imaginary parts of the pattern's components at each shift of a tile."""
    steps = np.arange(_SHIFTS) / _SHIFTS
    shifts = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)
    angles = pattern_phases()[:, None] - 2 * np.pi * pattern_frequencies() @ shifts.T
    return np.vstack([np.cos(angles), np.sin(angles)]).astype(np.float32)


def _window_sums(spectra: Complex64[np.ndarray, "y x K"], size: int) -> np.ndarray:
    """Of all windows of `size` by `size` tiles."""
    total = np.pad(spectra.astype(np.complex128).cumsum(0).cumsum(1), ((1, 0), (1, 0), (0, 0)))
    return total[size:, size:] - total[:-size, size:] - total[size:, :-size] + total[:-size, :-size]
