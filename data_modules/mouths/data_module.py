"""Mouth crops for the mouth GAN: landmarked packs, or anybody's videos and pictures of faces."""

from __future__ import annotations

import logging
import os
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor
from xpress.data_modules.faces.dataset import FaceSource
from xpress.data_modules.mouths.augmentation import MouthAugment
from xpress.data_modules.mouths.dataset import (
    INNER,
    OUTER,
    MouthDataset,
    is_open,
)
from xpress.data_modules.mouths.streams import MouthMaker, MouthStreams, open_mouths
from xpress.data_modules.pack_data_module import PackDataModule, PackWeights, Paths
from xpress.data_modules.sampling import WeightedSampler
from xpress.data_modules.streaming.groups import RowGroup, groups_to_stream
from xpress.data_modules.streaming.stream import RowStream

from xpress.errors import InputError
from xpress.media.mouth_crop import SIZE
from xpress.packs import read_records
from xpress.packs.fitted_parameters import load_fits, moved
from xpress.packs.pixels import load_pixels
from xpress.packs.prepared import crop_placement

log = logging.getLogger(__name__)

CROP = "mouth"
"""Of packs that have crops of several parts of a face."""


class MouthCropsDataModule(PackDataModule):
    """Batches of `MouthBatch` from pictures of faces or mouths with their inner lips.

    Evaluation has canonical crops and the labelled hole.

    Args:
        train: packs (see `xpress.packs`; `contours` are needed), or folders of
            videos and pictures of faces, of which packs are made. Of packs with crops of mouths
            these are taken.
        val: the same for validation, named by key or by file stem.
        test: the same for testing; `val` where empty.
        size: pixels of the square crop.
        batch_size: of training; evaluation uses the same.
        num_workers: processes of the training loader.
        holdout: share of the people in `train` left out for validation while fitting, by a hash
            of their name.
        least_opening: area of the hole over the lips' width squared; more closed mouths are left
            out.
        least_width: of the lips, pixels of the picture (of the crop in a pack); smaller mouths
            show no teeth.
        open_more: how much more often a wide open mouth is drawn than one barely open.
        pack_weights: see `PackDataModule`; not when streaming.
        fits: file of the rows' face parameters, see `targets.load_fits`; without it the
            generator is not told where the teeth are and has no reference. Streams take none.
        augment: how training crops vary.
        cache: "auto", "decoded" or "encoded", see `pixels.load_pixels`.
        pin_memory: page-locked batches, for a GPU.
        pack_folder: see `PackDataModule`.
        pack_every: likewise.
        streaming: true reads packs a row group at a time instead of whole (then every row comes
            once an epoch, whatever `open_more` and `cache` say); "auto" does so above 1 GiB.
        shuffle_rows: rows of each worker's shuffle buffer when streaming.
        seed: of the sampler and the augmentation.
    """

    def __init__(
        self,
        train: Paths = (),
        val: Paths = (),
        test: Paths = (),
        size: int = SIZE,
        batch_size: PositiveInt = 32,
        num_workers: NonNegativeInt = 1,
        holdout: float = 0.1,
        least_opening: float = 0.02,
        least_width: float = 20.0,
        open_more: float = 3.0,
        pack_weights: PackWeights | None = None,
        fits: str | os.PathLike | None = None,
        augment: MouthAugment | None = None,
        cache: str = "auto",
        pin_memory: bool = False,
        pack_folder: str | os.PathLike = "logs/packs",
        pack_every: int = 5,
        streaming: bool | str = "auto",
        shuffle_rows: int = 8192,
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
        self.size, self.open_more, self.fits, self.cache = size, open_more, fits, cache
        self.least_opening, self.least_width = least_opening, least_width
        self.augment = augment or MouthAugment()
        self.streaming, self.shuffle_rows = streaming, shuffle_rows
        self._streams: MouthStreams | None = None
        self._mean_mouth: Float[Tensor, "1 3 S S"] | None = None

    @property
    def mean_mouth(self) -> Float[Tensor, "1 3 S S"]:
        """The mean inside of the mouths in `train`, pixel by pixel of the canonical crop."""
        if self._mean_mouth is None:
            self.read_train()
            if isinstance(self.train_set, MouthDataset):
                plain = MouthDataset(self.train_set.sources, self.size)
            else:
                assert self._streams is not None
                plain = self._streams.sample()
            self._mean_mouth = mean_mouth(plain)
        return self._mean_mouth

    def evaluation_set(self, path: str | os.PathLike) -> MouthDataset | RowStream:
        """Canonical crops of a pack."""
        groups = groups_to_stream(False if self.streaming is False else "auto", [path], CROP)
        if groups is not None:
            groups = open_mouths(groups, self.least_opening, self.least_width)
            return RowStream(groups, MouthMaker(self.size), self.batch_size)
        return MouthDataset([self._source(path)], self.size)

    def _source(self, path: str | os.PathLike) -> FaceSource:
        records = read_records(path, CROP)
        lips, inner = records.landmarks68[:, OUTER], records.contours[:, INNER]
        open_ = is_open(lips, inner, self.least_opening, self.least_width) & records.has_contours
        if not open_.any():
            raise InputError(f"{path}: no opened mouth with contours of the lips; add some")
        log.info("%s: %d of %d mouths are open", path, int(open_.sum()), len(records))
        records, pixels = load_pixels(records.select(np.flatnonzero(open_)), self.cache)
        if self.fits is None:
            return FaceSource(records, pixels)
        keys = [f"{records.name}/{key}" for key in records.keys]
        table = load_fits(self.fits, keys)[0]
        placed = crop_placement(path, CROP, records)
        return FaceSource(records, pixels, table if placed is None else moved(table, placed))

    def setup_fit(self) -> dict[str, Any]:
        """Open mouths of `train`, wide open ones more often."""
        groups = groups_to_stream(self.streaming, self.paths["train"].values(), CROP)
        if groups is not None:
            return self._setup_streams(groups)
        kept, held, weights = self.split_people(self._source)
        self.train_set = MouthDataset(kept, self.size, self.augment, self.seed)
        weights = opening_weights(self.train_set.openings(), self.open_more) * weights
        self.sampler = partial(WeightedSampler, weights, self.batch_size, self.seed)
        held_rows = sum(len(source.records) for source in held)
        log.info("mouths: %d to train on, %d held out", len(self.train_set), held_rows)
        return {"holdout": MouthDataset(held, self.size)} if held else {}

    def _setup_streams(self, groups: list[RowGroup]) -> dict[str, Any]:
        if len(set(self.pack_weights)) > 1:
            raise InputError("data.pack_weights: streams draw every row once; leave it out")
        streams = MouthStreams(
            groups,
            self.batch_size,
            MouthMaker(self.size, self.augment),
            self.least_opening,
            self.least_width,
            self.who_is_held_out(),
            self.shuffle_rows,
            self.seed,
        )
        self.train_set, self._streams = streams.train, streams
        return {"holdout": streams.holdout} if streams.holdout else {}


def opening_weights(openings: Float[np.ndarray, " N"], open_more: float) -> Float[np.ndarray, " N"]:
    """Sampling weights from one for the least open mouth to `open_more` for the upper decile."""
    low, high = openings.min(), np.quantile(openings, 0.9)
    share = ((openings - low) / max(high - low, 1e-9)).clip(0, 1)
    return 1 + (open_more - 1) * share


def mean_mouth(dataset: MouthDataset, batch_size: int = 64) -> Float[Tensor, "1 3 S S"]:
    """Mean of the pixels inside the holes; where no mouth has one, the mean of all of them."""
    total = torch.zeros(3, dataset.size, dataset.size, dtype=torch.double)
    count = torch.zeros(1, dataset.size, dataset.size, dtype=torch.double)
    for start in range(0, len(dataset), batch_size):
        rows = range(start, min(start + batch_size, len(dataset)))
        batch = dataset.__getitems__(list(rows)).finish()
        total += (batch.image * batch.hole).sum(0)
        count += batch.hole.sum(0)
    everywhere = total.sum((1, 2)) / count.sum().clamp_min(1)
    mean = torch.where(count > 0, total / count.clamp_min(1), everywhere[:, None, None])
    return mean[None].float()
