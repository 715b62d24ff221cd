"""Faces and action units for editing expressions: GANimation, DFT-Net and their like."""

from __future__ import annotations

import logging
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import NonNegativeInt, PositiveInt
from xpress.data_modules.expressions.dataset import (
    ExpressionAugment,
    ExpressionDataset,
)
from xpress.data_modules.expressions.rows import ExpressionRows, load_rows, read_units
from xpress.data_modules.pack_data_module import PackDataModule, Paths
from xpress.data_modules.sampling import FaceSampler

from xpress.errors import InputError
from xpress.packs.edit_pairs import PairRows, load_pairs
from xpress.packs.expression_balance import expression_weights
from xpress.preparation.faces.settings import PrepareSettings

log = logging.getLogger(__name__)


class ExpressionDataModule(PackDataModule):
    """Batches of `ExpressionBatch` from pictures of faces.

    In training, the wanted action units of a face are those of another face in `train`, with
    bounded noise, or those of the teacher's edit. In evaluation they are another face's of the
    same set, the same in every run.

    Args:
        train: packs (see `xpress.packs`), or folders of videos and pictures of
            faces, of which packs are made. Action units are taken from the column
            `action_units` (see `xpress.preparation.annotate`), or read once and kept in
            `cache_folder`.
        val: the same for validation, named by key or by file stem.
        test: the same for testing; `val` where empty.
        image_size: pixels of the square crop.
        batch_size: of training; evaluation uses the same.
        num_workers: processes of the training loader; evaluation uses none, it is cheap.
        holdout: share of the people in `train` left out for validation while fitting, by a hash
            of their name.
        color_only: leave grey pictures out.
        noise: largest change of an action unit that is wanted in training.
        balance: draw rare expressions up to six times as often, as faces and as what is wanted.
        teacher: pack of edits to learn from, from `python -m xpress.preparation.edit_pairs`.
        teacher_ratio: their share of every training batch.
        augment: how training crops vary.
        epoch_size: rows of a training epoch, the teacher's included; by default one for each
            face of `train`.
        cache: "auto", "decoded" or "encoded", see `pixels.load_pixels`.
        cache_folder: keeps action units.
        pack_folder: see `PackDataModule`.
        pack_every: likewise.
        encoder: weights of the encoder that reads action units, see `load_pretrained`.
        pin_memory: page-locked batches, for a GPU.
        seed: of the sampler, the augmentation and all wanted action units.
    """

    def __init__(
        self,
        train: Paths = (),
        val: Paths = (),
        test: Paths = (),
        image_size: int = 96,
        batch_size: PositiveInt = 16,
        num_workers: NonNegativeInt = 1,
        holdout: float = 0.05,
        color_only: bool = True,
        noise: float = 0.1,
        balance: bool = True,
        teacher: str | os.PathLike | None = None,
        teacher_ratio: float = 0.5,
        augment: ExpressionAugment | None = None,
        epoch_size: int | None = None,
        cache: str = "auto",
        cache_folder: str | os.PathLike = "logs/action_units",
        pack_folder: str | os.PathLike = "logs/packs",
        pack_every: int = 5,
        encoder: str | os.PathLike = "default",
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
            pack_folder=pack_folder,
            pack_every=pack_every,
            pin_memory=pin_memory,
            seed=seed,
        )
        if not 0 <= teacher_ratio <= 1 or not 0 <= noise <= 1:
            raise InputError("data: give teacher_ratio and noise between 0 and 1")
        self.pack_settings = PrepareSettings(every=pack_every, weights=os.fspath(encoder))
        self.image_size, self.color_only, self.noise = image_size, color_only, noise
        self.balance, self.epoch_size = balance, epoch_size
        self.teacher, self.teacher_ratio = teacher, teacher_ratio if teacher else 0.0
        self.augment = augment or ExpressionAugment()
        self.cache, self.cache_folder, self.encoder = cache, Path(cache_folder), encoder

    def prepare_data(self) -> None:
        """Make packs and read action units. Lightning calls it in one process of a machine."""
        super().prepare_data()
        for path in self.paths["train" if self.fitting else "test"].values():
            read_units(path, self.cache_folder, self.encoder)

    def evaluation_set(self, path: str | os.PathLike) -> ExpressionDataset:
        """Canonical crops of a pack."""
        return self._plain([self._rows(path)])

    def _rows(self, path: str | os.PathLike) -> ExpressionRows:
        records, units = read_units(path, self.cache_folder, self.encoder)
        return load_rows(records, units, self.cache, self.color_only)

    def _plain(self, sources: list[ExpressionRows]) -> ExpressionDataset:
        return ExpressionDataset(sources, self.image_size, seed=self.seed)

    def setup_fit(self) -> dict[str, Any]:
        """Faces of `train`, rare expressions more often, and the teacher's share of each batch."""
        kept, held, _ = self.split_people(self._rows)
        chance = None
        if self.balance:
            chance = expression_weights(np.concatenate([s.records.landmarks68 for s in kept]))
        pairs = self._pairs()
        self.train_set = ExpressionDataset(
            kept, self.image_size, self.augment, pairs, self.noise, chance, self.seed
        )
        faces, taught, left = self.train_set.faces, len(pairs or ()), sum(map(len, held))
        sizes = self.batch_size, self.epoch_size or faces, self.seed
        self.sampler = partial(FaceSampler, chance, faces, taught, self.teacher_ratio, *sizes)
        log.info("expressions: %d faces, %d edits, %d held out", faces, taught, left)
        return {"holdout": self._plain(held)} if held else {}

    def _pairs(self) -> PairRows | None:
        """The teacher's edits of people that are not held out."""
        if self.teacher is None:
            return None
        pairs = load_pairs(self.teacher, self.cache)
        is_out = self.who_is_held_out()
        if is_out is None:
            return pairs
        out = is_out(pairs.records.people)
        if out.all():
            raise InputError(f"{self.teacher}: all its people are held out; make more pairs")
        return pairs.select(~out)
