"""Crops of single eyes for the eye landmark network: packs of eyes, or of faces with contours."""

from __future__ import annotations

import os
from typing import Any

from pydantic import NonNegativeInt, PositiveInt
from torch.utils.data import Dataset
from xpress.data_modules.eyes.crops import (
    EVALUATION,
    EyeCropAugment,
    EyeCropDataset,
)
from xpress.data_modules.eyes.data_module import EyesDataModule
from xpress.data_modules.eyes.rows import EyeRows
from xpress.data_modules.pack_data_module import PackDataModule, PackWeights, Path, Paths


class EyeLandmarksDataModule(EyesDataModule):
    """Batches of `LandmarkBatch`; splits as `EyesDataModule`, one set a pack.

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
        least_width: float = 14.0,
        closed_more: float = 1.5,
        pack_weights: PackWeights | None = None,
        pack_folder: str | os.PathLike = "logs/packs",
        pack_every: int = 5,
        augment: EyeCropAugment | None = None,
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
            least_width=least_width,
            closed_more=closed_more,
            pack_weights=pack_weights,
            pack_folder=pack_folder,
            pack_every=pack_every,
            pin_memory=pin_memory,
            seed=seed,
        )
        self.crop_augment = augment or EyeCropAugment()

    def _varied(self, rows: EyeRows) -> Dataset:
        return EyeCropDataset(rows, self.crop_augment, self.seed)

    def _fixed(self, rows: EyeRows) -> dict[str, Dataset]:
        return {"holdout": EyeCropDataset(rows, EVALUATION)}

    def evaluation_sets(self, split: str) -> dict[str, Any]:
        """One set a pack."""
        return PackDataModule.evaluation_sets(self, split)

    def evaluation_set(self, path: Path) -> Dataset:
        """All eyes of a pack, placed as badly as in use."""
        return EyeCropDataset(self._read(path), EVALUATION)
