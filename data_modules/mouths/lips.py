"""Crops of mouths with the outlines of their lips, placed as badly as an encoder places them."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from pydantic import NonNegativeInt, PositiveInt
from torch.utils.data import Dataset
from xpress.data_modules.augment import photometric, to_grey
from xpress.data_modules.faces.dataset import FaceSource
from xpress.data_modules.landmark_crops import RawLandmarkCrops, smaller
from xpress.data_modules.pack_data_module import PackDataModule, PackWeights, Paths
from xpress.data_modules.resumable import row_generator
from xpress.data_modules.sampling import WeightedSampler

from xpress.errors import InputError
from xpress.media.lip_crop import LIP_WIDTH, MIDDLE, MIRRORED, lip_crop
from xpress.morphable.landmarks.landmark_weights import LIPS
from xpress.packs import read_records
from xpress.packs.pixels import load_pixels

log = logging.getLogger(__name__)

CROP = "mouth"
"""Of packs that have crops of several parts of a face."""
LEVELS = (0.02, 0.1, 0.2)
"""Openings between the inner lips, over the width, that part mouths for the sampler."""


@dataclass(frozen=True)
class LipCropAugment:
    """How crops differ from ones that the true lips would give.

    Attributes:
        shift: standard deviation of the middle's error along x and y, lip widths.
        zoom: of the logarithm of the size.
        turn: of the roll, radians.
        flip: share of mirrored crops.
        small: share of crops that come from small mouths.
        smallest: their width in pixels at least.
        grey: share of crops without colour.
        photometric: strength of what cameras and codecs do; see `augment.photometric`.
    """

    shift: float = 0.08
    zoom: float = 0.12
    turn: float = 0.08
    flip: float = 0.5
    small: float = 0.3
    smallest: float = 16.0
    grey: float = 0.1
    photometric: float = 1.0


EVALUATION = LipCropAugment(
    shift=0.05, zoom=0.08, turn=0.05, flip=0.0, small=0.0, grey=0.0, photometric=0.0
)
"""Evaluation places crops as badly, too, each row always alike."""


class LipCropDataset(Dataset):
    """Crops with what they show; rows of all sources are numbered on end.

    Args:
        sources: labelled pictures whose contours are known.
        augment: how crops vary.
        seed: of random choices for rows that carry no seed of their own; None gives every row
            the same crop each time.
    """

    def __init__(
        self, sources: Sequence[FaceSource], augment: LipCropAugment, seed: int | None = None
    ) -> None:
        self.sources, self.augment = list(sources), augment
        records = [source.records for source in sources]
        lengths = [len(r) for r in records]
        self._source = np.repeat(np.arange(len(records)), lengths)
        self._row = np.concatenate([np.arange(n) for n in lengths])
        self.lips = np.concatenate([r.contours[:, LIPS] for r in records]).astype(np.float64)
        people = [name for r in records for name in r.people]
        self.group = np.unique(people, return_inverse=True)[1].astype(np.int64)
        self._rng = None if seed is None else np.random.default_rng(seed)
        strength = augment.photometric
        self._filters = photometric(strength, seed or 0) if strength > 0 else None

    def __len__(self) -> int:
        return len(self._row)

    def openings(self) -> Float32[np.ndarray, " N"]:
        """Between the middles of the inner lips, over the corners' distance."""
        gap = np.linalg.norm(self.lips[:, 25] - self.lips[:, 35], axis=1)
        width = np.linalg.norm(self.lips[:, 10] - self.lips[:, 0], axis=1)
        return (gap / np.maximum(width, 1e-6)).astype(np.float32)

    def __getitem__(self, index: int) -> RawLandmarkCrops:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> RawLandmarkCrops:
        """A batch."""
        made = [self._make(index) for index in indices]
        image, points = (torch.from_numpy(np.stack(column)) for column in zip(*made, strict=True))
        groups: Int64[np.ndarray, " B"] = self.group[[int(index) for index in indices]]
        return RawLandmarkCrops(image, points, torch.from_numpy(groups))

    def _make(self, index: int) -> tuple[UInt8[np.ndarray, "S S 3"], Float32[np.ndarray, "40 2"]]:
        rng = np.random.default_rng(int(index)) if self._rng is None else self._rng
        rng, row, how = row_generator(index, rng), int(index), self.augment
        lips = self.lips[row]
        shift = how.shift * rng.standard_normal(2)
        zoom = float(np.exp(how.zoom * rng.standard_normal()))
        turn = how.turn * float(rng.standard_normal())
        crop = lip_crop(lips[:20], (float(shift[0]), float(shift[1])), zoom, turn)
        picture = self.sources[self._source[row]].pixels[int(self._row[row])]
        width = float(np.linalg.norm(lips[10] - lips[0]))
        pixels = crop.cut(smaller(picture, width, how.small, how.smallest, rng))
        if self._filters is not None:
            self._filters.set_random_seed(int(rng.integers(2**31)))
            pixels = self._filters(image=pixels)["image"]
        if rng.random() < how.grey:
            pixels = to_grey(pixels)
        points = (crop.to_crop(lips) - MIDDLE) / LIP_WIDTH
        if rng.random() < how.flip:
            pixels, points = pixels[:, ::-1], points[MIRRORED] * (-1, 1)
        return np.ascontiguousarray(pixels), points.astype(np.float32)


class LipLandmarksDataModule(PackDataModule):
    """Batches of `LandmarkBatch` from pictures of faces or mouths with their lips.

    Args:
        train: packs (see `xpress.packs`; `contours` are needed), or folders of videos and pictures
            of faces, of which packs are made. Of packs with crops of mouths these are taken.
        val: the same for validation, named by key or by file stem.
        test: the same for testing; `val` where empty.
        batch_size: of training; evaluation uses the same.
        num_workers: processes of the training loader.
        holdout: share of the people in `train` left out for validation while fitting, by a hash
            of their name.
        least_width: of the lips, pixels of the picture; smaller mouths show too little.
        rare_more: how much more often mouths of a rare opening are drawn, at most.
        pack_weights: see `PackDataModule`.
        pack_folder: likewise.
        pack_every: likewise.
        augment: how training crops vary.
        pin_memory: page-locked batches, for a GPU.
        seed: of the sampler and the augmentation.
    """

    def __init__(
        self,
        train: Paths = (),
        val: Paths = (),
        test: Paths = (),
        batch_size: PositiveInt = 64,
        num_workers: NonNegativeInt = 0,
        holdout: float = 0.1,
        least_width: float = 20.0,
        rare_more: float = 3.0,
        pack_weights: PackWeights | None = None,
        pack_folder: str | os.PathLike = "logs/packs",
        pack_every: int = 5,
        augment: LipCropAugment | None = None,
        pin_memory: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(
            train,
            val,
            test,
            batch_size=batch_size,
            num_workers=num_workers,
            holdout=holdout,
            pack_weights=pack_weights,
            pack_folder=pack_folder,
            pack_every=pack_every,
            pin_memory=pin_memory,
            seed=seed,
        )
        self.least_width, self.rare_more = least_width, rare_more
        self.augment = augment or LipCropAugment()

    def setup_fit(self) -> dict[str, Any]:
        """Varied crops of `train`, rare openings more often."""
        kept, held, weights = self.split_people(self._source)
        self.train_set = LipCropDataset(kept, self.augment, self.seed)
        level = np.digitize(self.train_set.openings(), LEVELS)
        count = np.bincount(level, minlength=len(LEVELS) + 1)
        rare = np.minimum(count.max() / np.maximum(count, 1), self.rare_more)
        self.sampler = partial(WeightedSampler, weights * rare[level], self.batch_size, self.seed)
        log.info("lips: %d mouths to train on", len(self.train_set))
        return {"holdout": LipCropDataset(held, EVALUATION)} if held else {}

    def evaluation_set(self, path: str | os.PathLike) -> Dataset:
        """All mouths of a pack, placed as badly as in use."""
        return LipCropDataset([self._source(path)], EVALUATION)

    def _source(self, path: str | os.PathLike) -> FaceSource:
        records = read_records(path, CROP)
        lips = records.contours[:, LIPS]
        wide = np.linalg.norm(lips[:, 10] - lips[:, 0], axis=1) >= self.least_width
        usable = wide & records.has_contours & (lips.min((1, 2)) >= 0)
        if not usable.any():
            raise InputError(
                f"{path}: no mouth of {self.least_width:g} pixels with contours of the lips; "
                "give larger faces"
            )
        records, pixels = load_pixels(records.select(np.flatnonzero(usable)), "encoded")
        return FaceSource(records, pixels)
