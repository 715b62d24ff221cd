"""Pairs of eye crops for the eye GAN: packs of eyes, or of faces whose lids are labelled."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import NonNegativeInt, PositiveInt
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader
from xpress.data_modules.eyes.dataset import (
    KINDS,
    SHUT,
    EyeAugment,
    EyeDataset,
    EyePairs,
    RawEyes,
    as_made,
)
from xpress.data_modules.eyes.rows import EyeRows, joined, read_eyes
from xpress.data_modules.faces.data_module import Paths, _named, held_out
from xpress.data_modules.mouths.data_module import _weights_of
from xpress.data_modules.mouths.dataset import MouthSampler
from xpress.data_modules.resumable import ResumableLoader, resumable_loader

from xpress.batches import EyeBatch
from xpress.errors import InputError

log = logging.getLogger(__name__)


class EyesDataModule(LightningDataModule):
    """Batches of `EyeBatch`.

    While fitting, validation runs on people held out of `train`, so that the `val` packs choose
    nothing; `trainer.validate` runs on `val`, `trainer.test` on `test`. Every set is told apart by
    `KINDS`.

    Args:
        train: packs of eyes or faces, see `rows.read_eyes`.
        val: the same for validation, named by key or by file stem.
        test: the same for testing; `val` where empty.
        batch_size: of training; evaluation uses the same.
        num_workers: processes of the training loader.
        holdout: share of the people in `train` left out for validation while fitting, by a hash
            of their name.
        least_width: of eyes that are cut out of faces, pixels.
        closed_more: how much more often a shut eye is wanted than an open one.
        pack_weights: multiplies how often entries of `train` are drawn, by name (by one where not
            named) or one for each.
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
        pack_weights: Mapping[str, float] | Sequence[float] | None = None,
        augment: EyeAugment | None = None,
        pairs: PositiveInt = 400,
        pin_memory: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not 0 <= holdout < 1:
            raise InputError(f"data.holdout={holdout}: give a share below 1")
        self.paths = {"train": _named(train), "val": _named(val), "test": _named(test or val)}
        self.pack_weights = _weights_of(pack_weights or {}, list(self.paths["train"]))
        self.batch_size, self.num_workers, self.pin_memory = batch_size, num_workers, pin_memory
        self.holdout, self.least_width, self.closed_more = holdout, least_width, closed_more
        self.augment, self.pairs, self.seed = augment or EyeAugment(), pairs, seed
        self.train_set: EyeDataset | None = None
        self._eval_sets: dict[str, dict[str, EyePairs]] = {}
        self._stage = "fit"

    @property
    def val_names(self) -> list[str]:
        """Names of the loaders `val_dataloader` returns, in order."""
        stage = "holdout" if self._stage == "fit" else "val"
        return list(self._eval_sets.get(stage, {}))

    @property
    def test_names(self) -> list[str]:
        """Names of the loaders `test_dataloader` returns, in order."""
        return list(self._eval_sets.get("test", {}))

    def setup(self, stage: str = "fit") -> None:
        """Read what the stage needs; called again, it reads nothing twice."""
        self._stage = stage
        if stage == "fit":
            self._setup_fit()
            return
        split = "val" if stage == "validate" else "test"
        if split not in self._eval_sets:
            self._eval_sets[split] = {
                f"{name}-{kind}": pairs
                for name, path in self.paths[split].items()
                for kind, pairs in self._pairs(read_eyes(path, self.least_width)).items()
            }

    def _pairs(self, rows: EyeRows) -> dict[str, EyePairs]:
        sets = {kind: EyePairs(rows, kind, self.pairs) for kind in KINDS}
        return {kind: pairs for kind, pairs in sets.items() if len(pairs)}

    def _setup_fit(self) -> None:
        if self.train_set is not None:
            return
        if not self.paths["train"]:
            raise InputError("data.train: nothing given; name at least one pack")
        kept, held, weights = [], [], []
        for path, scale in zip(self.paths["train"].values(), self.pack_weights, strict=True):
            rows = read_eyes(path, self.least_width)
            people = rows.identity.tolist()
            out = held_out(people, people, self.holdout)
            held += [rows.select(np.flatnonzero(out))] if out.any() else []
            kept += [rows.select(np.flatnonzero(~out))] if not out.all() else []
            weights.append(np.full(int((~out).sum()), scale))
        if not kept:
            raise InputError(f"data.holdout={self.holdout}: leaves nobody to train on")
        self.train_set = EyeDataset(joined(kept), self.augment, self.seed)
        shut = self.train_set.open <= SHUT
        self._weights = np.concatenate(weights) * np.where(shut, self.closed_more, 1.0)
        self._eval_sets["holdout"] = self._pairs(joined(held)) if held else {}
        counts = {kind: len(pairs) for kind, pairs in self._eval_sets["holdout"].items()}
        log.info("eyes: %d to train on; pairs held out: %s", len(self.train_set), counts)
        if self.holdout and not counts:
            log.warning(
                "eyes: nobody fell into data.holdout=%s; without figures there is no best "
                "checkpoint, so raise it",
                self.holdout,
            )

    def train_dataloader(self) -> ResumableLoader:
        """Varied pairs, shut eyes more often."""
        if self.train_set is None:
            raise InputError("data: call setup('fit') before train_dataloader()")
        place = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        sampler = MouthSampler(self._weights, self.batch_size, self.seed, *place)
        return resumable_loader(
            self.train_set,
            sampler,
            self.num_workers,
            collate_fn=as_made,
            prefetch_factor=4 if self.num_workers else None,
            pin_memory=self.pin_memory,
        )

    def val_dataloader(self) -> list[DataLoader]:
        """Fixed pairs, one loader a name of `val_names`."""
        return self._loaders("holdout" if self._stage == "fit" else "val")

    def test_dataloader(self) -> list[DataLoader]:
        """Fixed pairs, one loader a name of `test_names`."""
        return self._loaders("test")

    def _loaders(self, split: str) -> list[DataLoader]:
        sets = self._eval_sets.get(split, {}).values()
        return [DataLoader(s, batch_size=self.batch_size, collate_fn=as_made) for s in sets]

    def on_after_batch_transfer(
        self, batch: RawEyes | EyeBatch, dataloader_idx: int = 0
    ) -> EyeBatch:
        """uint8 to float, on the device."""
        del dataloader_idx
        return batch.finish() if isinstance(batch, RawEyes) else batch
