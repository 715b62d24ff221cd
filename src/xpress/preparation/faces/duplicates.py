"""Pictures that show the same a second time."""

from __future__ import annotations

from collections import defaultdict

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8, UInt64

DISTANCE = 3
"""Bits by which the hashes of near duplicates differ at most."""
MOTION = 0.02
"""Mean distance of their landmarks, over that of the outer eye corners, at most: what is alike as
a picture may still be another expression."""
_SIDE, _KEPT = 32, 8
_BANDS = DISTANCE + 1
_BAND_BITS = 64 // _BANDS


def perceptual_hash(image: UInt8[np.ndarray, "H W 3"]) -> int:
    """64 signs of the low frequencies of a picture's brightness.

    Which of the lowest 8×8 coefficients of a cosine transform are above their median (Zauner,
    "Implementation and benchmarking of perceptual image hash functions", 2010).
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:_KEPT, :_KEPT].ravel()
    bits = low > np.median(low[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def near_duplicates(
    hashes: UInt64[np.ndarray, " N"], landmarks68: Float[np.ndarray, "N 68 2"]
) -> Bool[np.ndarray, " N"]:
    """Which rows show what a row before them that is none shows already.

    Hashes within three bits agree in one of four bands, so only rows of one band are compared.

    Args:
        hashes: see `perceptual_hash`.
        landmarks68: in crops that are placed by the landmarks.
    """
    shapes = _placed(landmarks68)
    bands: dict[tuple[int, int], list[int]] = defaultdict(list)
    doubled = np.zeros(len(hashes), bool)
    for row, value in enumerate(hashes.tolist()):
        keys = [(n, value >> n * _BAND_BITS & (1 << _BAND_BITS) - 1) for n in range(_BANDS)]
        others = sorted({other for key in keys for other in bands[key]})
        if others:
            bits = np.bitwise_count(hashes[others] ^ np.uint64(value))
            apart = np.linalg.norm(shapes[others] - shapes[row], axis=2).mean(1)
            doubled[row] = bool(((bits <= DISTANCE) & (apart <= MOTION)).any())
        if not doubled[row]:
            for key in keys:
                bands[key].append(row)
    return doubled


def _placed(landmarks68: Float[np.ndarray, "N 68 2"]) -> Float[np.ndarray, "N 68 2"]:
    """Without the crop: the mean at zero, the outer eye corners one apart."""
    across = np.linalg.norm(landmarks68[:, 45] - landmarks68[:, 36], axis=1)
    centered = landmarks68 - landmarks68.mean(1, keepdims=True)
    return centered / np.maximum(across, 1e-3)[:, None, None]
