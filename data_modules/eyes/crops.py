"""Crops of single eyes with their lids and iris, placed as badly as a face encoder places them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch.utils.data import Dataset
from xpress.data_modules.augment import photometric, to_grey
from xpress.data_modules.eyes.rows import EyeRows
from xpress.data_modules.landmark_crops import RawLandmarkCrops, smaller
from xpress.data_modules.resumable import row_generator

from xpress.media.eye_crop import CENTER, EYE_WIDTH, cut_eye, eye_matrix, transform


@dataclass(frozen=True)
class EyeCropAugment:
    """How crops differ from ones that the true corners would give.

    A face encoder's corners are off by 0.02 to 0.06 eye widths, each by its own, and stay off for
    a whole clip.

    Attributes:
        corner: standard deviation of each corner's error, eye widths.
        zoom: of the logarithm of the content's size beside it.
        small: share of crops that come from small eyes.
        smallest: their width in pixels at least.
        grey: share of crops without colour.
        photometric: strength of what cameras and codecs do; see `augment.photometric`.
    """

    corner: float = 0.06
    zoom: float = 0.06
    small: float = 0.3
    smallest: float = 10.0
    grey: float = 0.1
    photometric: float = 1.0


EVALUATION = EyeCropAugment(corner=0.05, zoom=0.0, small=0.0, grey=0.0, photometric=0.0)
"""Evaluation places crops as badly, too, each row always alike."""


class EyeCropDataset(Dataset):
    """Crops with what they show.

    Args:
        rows: labelled eyes.
        augment: how crops vary.
        seed: of random choices for rows that carry no seed of their own; None gives every row
            the same crop each time.
    """

    def __init__(self, rows: EyeRows, augment: EyeCropAugment, seed: int | None = None) -> None:
        self.rows, self.augment = rows, augment
        self._rng = None if seed is None else np.random.default_rng(seed)
        strength = augment.photometric
        self._filters = photometric(strength, seed or 0) if strength > 0 else None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> RawLandmarkCrops:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> RawLandmarkCrops:
        """A batch."""
        made = [self._make(index) for index in indices]
        image, points = (torch.from_numpy(np.stack(column)) for column in zip(*made, strict=True))
        eyes = self.rows.eye[[int(index) for index in indices]]
        return RawLandmarkCrops(image, points, torch.from_numpy(eyes.astype(np.int64)))

    def _make(self, index: int) -> tuple[UInt8[np.ndarray, "H W 3"], Float32[np.ndarray, "17 2"]]:
        rng = np.random.default_rng(int(index)) if self._rng is None else self._rng
        rng = row_generator(index, rng)
        row = int(index)
        lids, how = self.rows.lids[row], self.augment
        width = float(np.linalg.norm(lids[8] - lids[0]))
        outer, inner = lids[[0, 8]] + how.corner * width * rng.standard_normal((2, 2))
        zoom = float(np.exp(how.zoom * rng.standard_normal()))
        matrix = eye_matrix(outer, inner, bool(self.rows.left[row]), zoom=zoom)
        crop = cut_eye(smaller(self.rows.images[row], width, how.small, how.smallest, rng), matrix)
        if self._filters is not None:
            self._filters.set_random_seed(int(rng.integers(2**31)))
            crop = self._filters(image=crop)["image"]
        if rng.random() < how.grey:
            crop = to_grey(crop)
        points = np.concatenate([lids, self.rows.iris[row][:1]])
        shares = (transform(matrix, points) - CENTER) / EYE_WIDTH
        return crop, shares.astype(np.float32)
