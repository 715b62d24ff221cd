"""Faces with 68 landmarks: packs, CSV folders and `.pts` folders, for training and evaluation."""

from __future__ import annotations

import hashlib
import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np
from pydantic import NonNegativeInt, PositiveInt
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader
from xpress.data_modules.augment import Augment
from xpress.data_modules.faces.batch import RawFaces
from xpress.data_modules.faces.dataset import (
    FaceDataset,
    FaceSource,
    identity_collate,
    seed_worker,
)
from xpress.data_modules.faces.streams import FaceMaker, FaceStreams, part_of
from xpress.data_modules.resumable import ResumableLoader, resumable_loader
from xpress.data_modules.sampling import FaceSampler
from xpress.data_modules.streaming.groups import RowGroup, groups_to_stream
from xpress.data_modules.streaming.stream import RowStream, StreamLoader

from xpress.batches import FaceBatch
from xpress.errors import InputError
from xpress.packs import read_records
from xpress.packs.blendshapes import load_scores
from xpress.packs.expression_balance import expression_weights
from xpress.packs.fitted_parameters import load_fits
from xpress.packs.pixels import load_pixels
from xpress.packs.shards import source_name

log = logging.getLogger(__name__)

Paths = Sequence[str | os.PathLike] | Mapping[str, str | os.PathLike]


@runtime_checkable
class SyntheticSource(Protocol):
    """Something that provides rendered faces, as `SyntheticFacesDataModule` does.

    Attributes:
        limit: how many are wanted at most; None wants all.
    """

    limit: int | None

    def prepare_data(self) -> None:
        """Render, if that was not done before."""
        ...  # pragma: no cover

    def source(self) -> FaceSource:
        """Rows with pictures and exact parameters."""
        ...  # pragma: no cover


class LandmarkFacesDataModule(LightningDataModule):
    """Batches of `FaceBatch` from landmarked pictures.

    The loaders' workers hand over uint8; Lightning calls `on_after_batch_transfer`, which makes
    the float `FaceBatch`. Who iterates a loader by hand calls `raw.finish()`.

    While fitting, validation runs on people held out of `train` (`val_names` is `["holdout"]`),
    so that the `val` packs choose nothing; `trainer.validate` runs on `val`, `trainer.test` on
    `test`, one loader a pack in the order of `val_names` and `test_names`.

    Args:
        train: packs, CSV files or folders (see `xpress.packs`).
        val: the same for validation, named by key or by file stem.
        test: the same for testing; `val` where empty.
        image_size: pixels of the square crop.
        batch_size: of training; evaluation uses the same.
        num_workers: processes of the training loader; evaluation uses none, it is cheap.
        holdout: share of the people in `train` left out for validation while fitting, by a hash
            of their name.
        validate_on: "holdout" or "val": what the validation loop of a fit sees.
        fits: safetensors of fitted parameters by row (see `targets.load_fits`).
        blendshapes: Parquet files with another network's blendshape scores of rows of `train`
            (see `readers.blendshapes.load_scores`).
        negatives: share of training crops that miss the face.
        augment: how training crops vary.
        balance: draw rare expressions up to six times as often.
        pack_weights: multiplies the sampling weight of each entry of `train` (needs `balance`).
        synthetic: rendered faces to mix in.
        synthetic_ratio: their share of every training batch.
        epoch_size: rows of a training epoch, synthetic ones included.
        cache: "auto", "decoded" or "encoded", see `pixels.load_pixels`.
        pin_memory: page-locked batches, for a GPU.
        streaming: true reads packs a row group at a time instead of whole (then every row comes
            once an epoch, whatever `balance` and `cache` say); "auto" does so above 1 GiB.
        shuffle_rows: rows of each worker's shuffle buffer when streaming.
        seed: of the sampler and the augmentation.
    """

    def __init__(
        self,
        train: Paths = (),
        val: Paths = (),
        test: Paths = (),
        image_size: int = 128,
        batch_size: PositiveInt = 128,
        num_workers: NonNegativeInt = 1,
        holdout: float = 0.05,
        validate_on: str = "holdout",
        fits: str | os.PathLike | None = None,
        blendshapes: Sequence[str | os.PathLike] = (),
        negatives: float = 0.06,
        augment: Augment | None = None,
        balance: bool = True,
        pack_weights: Sequence[float] | None = None,
        synthetic: SyntheticSource | None = None,
        synthetic_ratio: float = 0.25,
        epoch_size: int | None = None,
        cache: str = "auto",
        pin_memory: bool = False,
        streaming: bool | str = "auto",
        shuffle_rows: int = 8192,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not 0 <= holdout < 1 or not 0 <= negatives < 1 or not 0 <= synthetic_ratio <= 1:
            raise InputError("data: holdout, negatives and synthetic_ratio are shares below 1")
        if validate_on not in ("holdout", "val"):
            raise InputError(f"data.validate_on={validate_on}: choose holdout or val")
        self.paths = {"train": _named(train), "val": _named(val), "test": _named(test or val)}
        self.image_size, self.batch_size, self.num_workers = image_size, batch_size, num_workers
        self.holdout, self.validate_on = holdout, validate_on
        self.fits, self.negatives = fits, negatives
        self.blendshapes = list(blendshapes)
        self.augment = augment or Augment()
        self.balance, self.epoch_size = balance, epoch_size
        self.pack_weights = None if pack_weights is None else list(pack_weights)
        if self.pack_weights and len(self.pack_weights) != len(self.paths["train"]):
            raise InputError(f"data.pack_weights: give {len(self.paths['train'])}, one a pack")
        self.synthetic, self.synthetic_ratio = synthetic, synthetic_ratio
        self.cache, self.pin_memory, self.seed = cache, pin_memory, seed
        self.streaming, self.shuffle_rows = streaming, shuffle_rows
        self.train_set: FaceDataset | RowStream | None = None
        self.holdout_set: FaceDataset | RowStream | None = None
        self.eval_sets: dict[str, FaceDataset | RowStream] = {}
        self._sampler: Callable[[int, int], FaceSampler] | None = None
        self._stage = "fit"

    @property
    def val_names(self) -> list[str]:
        """Names of the loaders `val_dataloader` returns, in order."""
        if self._stage == "fit" and self.validate_on == "holdout":
            return ["holdout"] if self.holdout > 0 else []
        return list(self.paths["val"])

    @property
    def test_names(self) -> list[str]:
        """Names of the loaders `test_dataloader` returns, in order."""
        return list(self.paths["test"])

    def prepare_data(self) -> None:
        """Render synthetic faces, if some are wanted. Lightning calls it in one process."""
        fitting = self.trainer is None or self.trainer.state.fn == "fit"
        if self.synthetic is not None and fitting:
            self.synthetic.limit = self._shown()
            self.synthetic.prepare_data()

    def _shown(self) -> int | None:
        """Rendered faces that a run of few batches, as of `trainer=debug`, can show at most."""
        if self.trainer is None:
            return None
        epochs, batches = self.trainer.max_epochs, self.trainer.limit_train_batches
        if not isinstance(batches, int) or epochs is None or epochs < 0:
            return None
        per_batch = math.ceil(self.synthetic_ratio * self.batch_size)
        return max(1, epochs * batches * per_batch * self.trainer.world_size)

    def setup(self, stage: str = "fit") -> None:
        """Read what the stage needs; called again, it reads nothing twice."""
        self._stage = stage
        if stage == "fit" and self.train_set is None:
            self._setup_fit()
        part = ""
        if stage == "validate" or (stage == "fit" and self.validate_on == "val"):
            part = "val"
        elif stage in ("test", "predict"):
            part = "test"
        for path in self.paths.get(part, {}).values():
            if str(path) not in self.eval_sets:
                self.eval_sets[str(path)] = self._eval_set(path)

    def _eval_set(self, path: str | os.PathLike) -> FaceDataset | RowStream:
        groups = groups_to_stream(False if self.streaming is False else "auto", [path])
        if groups is not None:
            return RowStream(groups, FaceMaker(self.image_size), self.batch_size)
        return FaceDataset([self._source(path)], self.image_size)

    def _source(self, path: str | os.PathLike) -> FaceSource:
        records, pixels = load_pixels(read_records(path), self.cache)
        return FaceSource(records, pixels)

    def _setup_fit(self) -> None:
        if not self.paths["train"]:
            raise InputError(
                "data.train: no packs given; name at least one .parquet, .csv or folder"
            )
        if self.synthetic is not None:
            self.synthetic.limit = self._shown()
        groups = groups_to_stream(self.streaming, self.paths["train"].values())
        if groups is not None:
            self._setup_streams(groups)
            return
        kept, held, weights = [], [], []
        scales = self.pack_weights or [1.0] * len(self.paths["train"])
        for path, scale in zip(self.paths["train"].values(), scales, strict=True):
            source = self._source(path)
            out = held_out(source.records.identities, source.records.keys, self.holdout)
            held += [part_of(source, np.flatnonzero(out))] if out.any() else []
            if not out.all():
                kept.append(part_of(source, np.flatnonzero(~out)))
                weights += [scale] * int((~out).sum())
        if not kept:
            raise InputError(f"data.holdout={self.holdout}: leaves nobody to train on")
        if self.fits is not None:
            kept = _with_fits(self.fits, kept)
        if self.blendshapes:
            kept = _with_scores(self.blendshapes, kept)
        real = sum(len(source.records) for source in kept)
        rendered = [] if self.synthetic is None else [self.synthetic.source()]
        self.train_set = FaceDataset(
            kept + rendered, self.image_size, self.augment, self.negatives, self.seed
        )
        self.holdout_set = FaceDataset(held, self.image_size) if held else None
        landmarks = self.train_set.landmarks68[:real]
        drawn = expression_weights(landmarks) * np.array(weights) if self.balance else None
        synthetic = len(self.train_set) - real
        ratio = self.synthetic_ratio if synthetic else 0.0
        sizes = self.batch_size, self.epoch_size, self.seed
        self._sampler = partial(FaceSampler, drawn, real, synthetic, ratio, *sizes)
        held_rows = len(self.holdout_set) if self.holdout_set else 0
        log.info("faces: %d real, %d rendered, %d held out", real, synthetic, held_rows)
        if self.holdout and not held:
            log.warning(
                "faces: nobody fell into data.holdout=%s; without figures there is no "
                "best checkpoint, so raise it",
                self.holdout,
            )

    def _setup_streams(self, groups: list[RowGroup]) -> None:
        if self.pack_weights:
            raise InputError("data.pack_weights: not while streaming; set data.streaming=false")
        if self.blendshapes:
            raise InputError("data.blendshapes: not while streaming; set data.streaming=false")
        rendered = self.synthetic.source() if self.synthetic else None
        streams = FaceStreams(
            groups,
            self.batch_size,
            FaceMaker(self.image_size, self.augment, self.negatives, rendered=rendered),
            partial(held_out, share=self.holdout) if self.holdout else None,
            self.fits,
            self.synthetic_ratio,
            self.shuffle_rows,
            self.epoch_size,
            self.seed,
        )
        self.train_set, self.holdout_set = streams.train, streams.holdout

    @property
    def _place(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def train_dataloader(self) -> ResumableLoader | StreamLoader:
        """Augmented crops, rare expressions and rendered faces mixed in."""
        if isinstance(self.train_set, RowStream):
            return StreamLoader(self.train_set, self.num_workers, self.pin_memory, *self._place)
        if self.train_set is None or self._sampler is None:
            raise InputError("data: call setup('fit') before train_dataloader()")
        return resumable_loader(
            self.train_set,
            self._sampler(*self._place),
            self.num_workers,
            collate_fn=identity_collate,
            worker_init_fn=seed_worker,
            prefetch_factor=4 if self.num_workers else None,
            pin_memory=self.pin_memory,
        )

    def val_dataloader(self) -> list[DataLoader | StreamLoader]:
        """Canonical crops, one loader a name of `val_names`."""
        if self._stage == "fit" and self.validate_on == "holdout":
            return [self._eval_loader(self.holdout_set)] if self.holdout_set else []
        return self._eval_loaders(self.paths["val"])

    def test_dataloader(self) -> list[DataLoader | StreamLoader]:
        """Canonical crops, one loader a name of `test_names`."""
        return self._eval_loaders(self.paths["test"])

    def _eval_loaders(
        self, packs: Mapping[str, str | os.PathLike]
    ) -> list[DataLoader | StreamLoader]:
        return [self._eval_loader(self.eval_sets[str(path)]) for path in packs.values()]

    def _eval_loader(self, dataset: FaceDataset | RowStream) -> DataLoader | StreamLoader:
        if isinstance(dataset, RowStream):
            return StreamLoader(dataset, self.num_workers, self.pin_memory, *self._place)
        return DataLoader(dataset, batch_size=self.batch_size, collate_fn=identity_collate)

    def on_after_batch_transfer(
        self, batch: RawFaces | FaceBatch, dataloader_idx: int = 0
    ) -> FaceBatch:
        """uint8 to float, on the device."""
        del dataloader_idx
        return batch.finish() if isinstance(batch, RawFaces) else batch


def held_out(identities: Sequence[str], keys: Sequence[str], share: float) -> np.ndarray:
    """(N,) which rows belong to held-out people, by a hash of the name (the key where unknown).

    The same person is held out in every pack and every run.
    """
    names = [identity or key for identity, key in zip(identities, keys, strict=True)]
    chosen = {
        name: int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) < share * 2**64
        for name in set(names)
    }
    return np.array([chosen[name] for name in names], bool)


def _named(paths: Paths) -> dict[str, str | os.PathLike]:
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    if isinstance(paths, Mapping):
        return dict(paths)
    named: dict[str, str | os.PathLike] = {}
    for path in paths:
        name = source_name(path)
        if name in named:
            raise InputError(f"{path}: {name} is named twice; give the packs as a mapping")
        named[name] = path
    return named


def _with_fits(path: str | os.PathLike, sources: list[FaceSource]) -> list[FaceSource]:
    keys = [f"{s.records.name}/{key}" for s in sources for key in s.records.keys]
    table, flipped = load_fits(path, keys)
    out, start = [], 0
    for source in sources:
        rows = np.arange(start, start + len(source.records))
        start += len(rows)
        mirrored = None if flipped is None else flipped.select(rows)
        out.append(replace(source, targets=table.select(rows), flipped_targets=mirrored))
    known = int(table.valid.sum())
    log.info("fits: %d of %d rows have parameters", known, len(keys))
    return out


def _with_scores(paths: Sequence[str | os.PathLike], sources: list[FaceSource]) -> list[FaceSource]:
    scores = load_scores(paths, [key for s in sources for key in s.records.keys])
    known = int(np.isfinite(scores).all(1).sum())
    log.info("blendshapes: %d of %d rows have scores", known, len(scores))
    parts = np.split(scores, np.cumsum([len(s.records) for s in sources])[:-1])
    return [replace(s, scores=part) for s, part in zip(sources, parts, strict=True)]
