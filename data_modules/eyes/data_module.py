"""Pairs of eye crops for the eye GAN: packs of eyes, or of faces whose lids are labelled."""

from __future__ import annotations

import logging
import os
from functools import partial
from typing import Any

import numpy as np
from pydantic import NonNegativeInt, PositiveInt
from torch.utils.data import Dataset
from xpress.data_modules.eyes.dataset import KINDS, SHUT, EyeAugment, EyeDataset, EyePairs
from xpress.data_modules.eyes.rows import EyeRows, joined, read_eyes
from xpress.data_modules.pack_data_module import PackDataModule, PackWeights, Paths
from xpress.data_modules.sampling import WeightedSampler

log = logging.getLogger(__name__)


class EyesDataModule(PackDataModule):
    """Batches of `EyeBatch`; evaluation tells every set apart by `KINDS`.

    Args:
        train: packs of eyes or faces, see `rows.read_eyes`, or folders of videos and pictures.
        val: the same for validation, named by key or by file stem.
        test: the same for testing; `val` where empty.
        batch_size: of training; evaluation uses the same.
        num_workers: processes of the training loader.
        holdout: share of the people in `train` left out for validation while fitting, by a hash
            of their name.
        least_width: of eyes that are cut out of faces, pixels.
        closed_more: how much more often a shut eye is wanted than an open one.
        pack_weights: see `PackDataModule`.
        pack_folder: likewise.
        pack_every: likewise.
        augment: how training pairs vary.
        pairs: of each kind in evaluation, at most.
        pin_memory: page-locked batches, for a GPU.
        seed: of the sampler and the augmentation.
    """

    def __init__(
        self,
        train: Paths = (),
        val: Paths = (),
        test: Paths = (),
        batch_size: PositiveInt = 24,
        num_workers: NonNegativeInt = 0,
        holdout: float = 0.12,
        least_width: float = 14.0,
        closed_more: float = 2.0,
        pack_weights: PackWeights | None = None,
        pack_folder: str | os.PathLike = "logs/packs",
        pack_every: int = 5,
        augment: EyeAugment | None = None,
        pairs: PositiveInt = 400,
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
        self.least_width, self.closed_more, self.pairs = least_width, closed_more, pairs
        self.augment = augment or EyeAugment()

    def _read(self, path: Any) -> EyeRows:
        return read_eyes(path, self.least_width)

    def _varied(self, rows: EyeRows) -> Dataset:
        """What training draws from."""
        return EyeDataset(rows, self.augment, self.seed)

    def _fixed(self, rows: EyeRows) -> dict[str, Dataset]:
        """What evaluation sees of a set, told apart by name."""
        sets = {kind: EyePairs(rows, kind, self.pairs) for kind in KINDS}
        return {kind: pairs for kind, pairs in sets.items() if len(pairs)}

    def evaluation_sets(self, split: str) -> dict[str, Any]:
        """Fixed pairs by pack and kind."""
        return {
            f"{name}-{kind}": pairs
            for name, path in self.paths[split].items()
            for kind, pairs in self._fixed(self._read(path)).items()
        }

    def setup_fit(self) -> dict[str, Any]:
        """Varied pairs of `train`, shut eyes more often."""
        kept, held, weights = self.split_people(self._read)
        rows = joined(kept)
        self.train_set = self._varied(rows)
        weights = weights * np.where(rows.openings() <= SHUT, self.closed_more, 1.0)
        self.sampler = partial(WeightedSampler, weights, self.batch_size, self.seed)
        fixed = self._fixed(joined(held)) if held else {}
        counts = {kind: len(pairs) for kind, pairs in fixed.items()}  # type: ignore[arg-type]
        log.info("eyes: %d to train on; pairs held out: %s", len(rows), counts)
        return fixed
