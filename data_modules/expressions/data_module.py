"""Faces and action units for editing expressions: GANimation, DFT-Net and their like."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
from pydantic import NonNegativeInt, PositiveInt
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader
from xpress.data_modules.expressions.dataset import (
    ExpressionAugment,
    ExpressionDataset,
    RawExpressions,
    as_made,
)
from xpress.data_modules.expressions.rows import ExpressionRows, load_rows, read_units
from xpress.data_modules.faces.data_module import Paths, _named, held_out
from xpress.data_modules.resumable import ResumableLoader, resumable_loader
from xpress.data_modules.sampling import FaceSampler

from xpress.batches import ExpressionBatch
from xpress.errors import InputError
from xpress.packs.edit_pairs import PairRows, load_pairs
from xpress.packs.expression_balance import expression_weights
from xpress.packs.media_files import is_media
from xpress.preparation.face_packs import FacePackSettings, made_face_pack

log = logging.getLogger(__name__)


class ExpressionDataModule(LightningDataModule):
    """Batches of `ExpressionBatch` from pictures of faces.

    In training, the wanted action units of a face are those of another face in `train`, with
    bounded noise, or those of the teacher's edit. While fitting, validation runs on people held
    out of `train` (`val_names` is `["holdout"]`), so that the `val` packs choose nothing;
    `trainer.validate` runs on `val`, `trainer.test` on `test`. There, a face's wanted action
    units are another face's of the same set, the same in every run.

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
        cache_folder: keeps action units, and packs made of videos and pictures.
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
        encoder: str | os.PathLike = "default",
        pin_memory: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not 0 <= holdout < 1 or not 0 <= teacher_ratio <= 1 or not 0 <= noise <= 1:
            raise InputError("data: give holdout, teacher_ratio and noise between 0 and 1")
        self.paths = {"train": _named(train), "val": _named(val), "test": _named(test or val)}
        self.image_size, self.batch_size, self.num_workers = image_size, batch_size, num_workers
        self.holdout, self.color_only, self.noise = holdout, color_only, noise
        self.balance, self.epoch_size = balance, epoch_size
        self.teacher, self.teacher_ratio = teacher, teacher_ratio if teacher else 0.0
        self.augment = augment or ExpressionAugment()
        self.cache, self.cache_folder, self.encoder = cache, Path(cache_folder), encoder
        self.pin_memory, self.seed = pin_memory, seed
        self.train_set: ExpressionDataset | None = None
        self.holdout_set: ExpressionDataset | None = None
        self.eval_sets: dict[str, ExpressionDataset] = {}
        self._chance: np.ndarray | None = None
        self._stage = "fit"

    @property
    def val_names(self) -> list[str]:
        """Names of the loaders `val_dataloader` returns, in order."""
        if self._stage == "fit":
            return ["holdout"] if self.holdout > 0 else []
        return list(self.paths["val"])

    @property
    def test_names(self) -> list[str]:
        """Names of the loaders `test_dataloader` returns, in order."""
        return list(self.paths["test"])

    def prepare_data(self) -> None:
        """Make packs and read action units. Lightning calls it in one process of a machine."""
        self._use_packs()
        fitting = self.trainer is None or self.trainer.state.fn == "fit"
        for path in self.paths["train" if fitting else "test"].values():
            read_units(path, self.cache_folder, self.encoder)

    def _use_packs(self) -> None:
        settings = FacePackSettings(weights=os.fspath(self.encoder))
        for named in self.paths.values():
            for name, path in named.items():
                if is_media(path):
                    named[name] = made_face_pack(path, self.cache_folder, settings)

    def setup(self, stage: str = "fit") -> None:
        """Read what the stage needs; called again, it reads nothing twice."""
        self._stage = stage
        self._use_packs()
        if stage == "fit":
            self._setup_fit()
            return
        for path in self.paths["val" if stage == "validate" else "test"].values():
            if str(path) not in self.eval_sets:
                self.eval_sets[str(path)] = self._plain([self._rows(path)])

    def _rows(self, path: str | os.PathLike) -> ExpressionRows:
        records, units = read_units(path, self.cache_folder, self.encoder)
        return load_rows(records, units, self.cache, self.color_only)

    def _plain(self, sources: list[ExpressionRows]) -> ExpressionDataset:
        return ExpressionDataset(sources, self.image_size, seed=self.seed)

    def _setup_fit(self) -> None:
        if self.train_set is not None:
            return
        if not self.paths["train"]:
            raise InputError("data.train: nothing given; name at least one pack or folder")
        kept, held = [], []
        for path in self.paths["train"].values():
            rows = self._rows(path)
            out = held_out(rows.records.identities, rows.records.keys, self.holdout)
            held += [rows.select(np.flatnonzero(out))] if out.any() else []
            kept += [rows.select(np.flatnonzero(~out))] if not out.all() else []
        if not kept:
            raise InputError(f"data.holdout={self.holdout}: leaves nobody to train on")
        if self.balance:
            landmarks = np.concatenate([rows.records.landmarks68 for rows in kept])
            self._chance = expression_weights(landmarks)
        pairs = self._pairs()
        self.train_set = ExpressionDataset(
            kept, self.image_size, self.augment, pairs, self.noise, self._chance, self.seed
        )
        self.holdout_set = self._plain(held) if held else None
        taught, left = len(pairs or ()), len(self.holdout_set or ())
        log.info("expressions: %d faces, %d edits, %d held out", self.train_set.faces, taught, left)
        if self.holdout and not held:
            log.warning(
                "expressions: nobody fell into data.holdout=%s; without figures there is no "
                "best checkpoint, so raise it",
                self.holdout,
            )

    def _pairs(self) -> PairRows | None:
        """The teacher's edits of people that are not held out."""
        if self.teacher is None:
            return None
        pairs = load_pairs(self.teacher, self.cache)
        out = held_out(pairs.records.identities, pairs.records.keys, self.holdout)
        if out.all():
            raise InputError(f"{self.teacher}: all its people are held out; make more pairs")
        return pairs.select(~out)

    @property
    def _place(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def train_dataloader(self) -> ResumableLoader:
        """Varied crops, rare expressions more often, with the teacher's share in each batch."""
        if self.train_set is None:
            raise InputError("data: call setup('fit') before train_dataloader()")
        faces = self.train_set.faces
        sampler = FaceSampler(
            self._chance,
            faces,
            len(self.train_set) - faces,
            self.teacher_ratio,
            self.batch_size,
            self.epoch_size or faces,
            self.seed,
            *self._place,
        )
        return resumable_loader(
            self.train_set,
            sampler,
            self.num_workers,
            collate_fn=as_made,
            prefetch_factor=4 if self.num_workers else None,
            pin_memory=self.pin_memory,
        )

    def val_dataloader(self) -> list[DataLoader]:
        """Canonical crops, one loader a name of `val_names`."""
        if self._stage == "fit":
            return [self._eval_loader(self.holdout_set)] if self.holdout_set else []
        paths = self.paths["val"].values()
        return [self._eval_loader(self.eval_sets[str(path)]) for path in paths]

    def test_dataloader(self) -> list[DataLoader]:
        """Canonical crops, one loader a name of `test_names`."""
        paths = self.paths["test"].values()
        return [self._eval_loader(self.eval_sets[str(path)]) for path in paths]

    def _eval_loader(self, dataset: ExpressionDataset) -> DataLoader:
        return DataLoader(dataset, batch_size=self.batch_size, collate_fn=as_made)

    def on_after_batch_transfer(
        self, batch: RawExpressions | ExpressionBatch, dataloader_idx: int = 0
    ) -> ExpressionBatch:
        """uint8 to float, on the device."""
        del dataloader_idx
        return batch.finish() if isinstance(batch, RawExpressions) else batch
