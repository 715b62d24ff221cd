"""Faces with 68 landmarks: packs, CSV folders and `.pts` folders, for training and evaluation."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from pydantic import NonNegativeInt, PositiveInt
from xpress.data_modules.augment import Augment
from xpress.data_modules.faces.dataset import FaceDataset, FaceSource, seed_worker
from xpress.data_modules.faces.streams import FaceMaker, FaceStreams
from xpress.data_modules.pack_data_module import PackDataModule, PackWeights, Paths
from xpress.data_modules.sampling import FaceSampler
from xpress.data_modules.streaming.groups import RowGroup, groups_to_stream
from xpress.data_modules.streaming.stream import RowStream

from xpress.errors import InputError
from xpress.packs import read_records
from xpress.packs.blendshapes import load_scores
from xpress.packs.expression_balance import expression_weights
from xpress.packs.fitted_parameters import load_fits
from xpress.packs.pixels import load_pixels

log = logging.getLogger(__name__)


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


class LandmarkFacesDataModule(PackDataModule):
    """Batches of `FaceBatch` from landmarked pictures.

    Who iterates a loader by hand calls `raw.finish()`.

    Args:
        train: packs, CSV files or folders (see `xpress.packs`), or folders of videos and pictures,
            of which packs are made.
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
        pack_weights: see `PackDataModule`.
        pack_folder: likewise.
        pack_every: likewise.
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
        pack_weights: PackWeights | None = None,
        pack_folder: str | os.PathLike = "logs/packs",
        pack_every: int = 5,
        synthetic: SyntheticSource | None = None,
        synthetic_ratio: float = 0.25,
        epoch_size: int | None = None,
        cache: str = "auto",
        pin_memory: bool = False,
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
        if not 0 <= negatives < 1 or not 0 <= synthetic_ratio <= 1:
            raise InputError("data: negatives and synthetic_ratio are shares below 1")
        if validate_on not in ("holdout", "val"):
            raise InputError(f"data.validate_on={validate_on}: choose holdout or val")
        self.image_size, self.validate_on = image_size, validate_on
        self.fits, self.negatives = fits, negatives
        self.blendshapes = list(blendshapes)
        self.augment = augment or Augment()
        self.balance, self.epoch_size, self.cache = balance, epoch_size, cache
        self.synthetic, self.synthetic_ratio = synthetic, synthetic_ratio
        self.streaming, self.shuffle_rows = streaming, shuffle_rows

    start_worker = staticmethod(seed_worker)

    def prepare_data(self) -> None:
        """Make packs of media, and render faces, if some are wanted, in one process."""
        super().prepare_data()
        if self.synthetic is not None and self.fitting:
            self.synthetic.limit = self._shown()
            self.synthetic.prepare_data()

    def made_pack(self, path: str | os.PathLike) -> str | os.PathLike:
        """The pack of a folder of videos and pictures; one with labels of its own is read as is."""
        folder = Path(path)
        labelled = next(folder.glob("*.csv"), None) or next(folder.rglob("*.pts"), None)
        return path if labelled else super().made_pack(path)

    def _shown(self) -> int | None:
        """Rendered faces that a run of few batches, as of `trainer=debug`, can show at most."""
        if self.trainer is None:
            return None
        epochs, batches = self.trainer.max_epochs, self.trainer.limit_train_batches
        if not isinstance(batches, int) or epochs is None or epochs < 0:
            return None
        per_batch = math.ceil(self.synthetic_ratio * self.batch_size)
        return max(1, epochs * batches * per_batch * self.trainer.world_size)

    def evaluation_set(self, path: str | os.PathLike) -> FaceDataset | RowStream:
        """Canonical crops of a pack."""
        groups = groups_to_stream(False if self.streaming is False else "auto", [path])
        if groups is not None:
            return RowStream(groups, FaceMaker(self.image_size), self.batch_size)
        return FaceDataset([self._source(path)], self.image_size)

    def _source(self, path: str | os.PathLike) -> FaceSource:
        return FaceSource(*load_pixels(read_records(path), self.cache))

    def setup_fit(self) -> dict[str, Any]:
        """Rows of `train` with their labels, and rendered faces."""
        if self.synthetic is not None:
            self.synthetic.limit = self._shown()
        groups = groups_to_stream(self.streaming, self.paths["train"].values())
        if groups is not None:
            return self._setup_streams(groups)
        kept, held, weights = self.split_people(self._source)
        if self.fits is not None:
            kept = _with_fits(self.fits, kept)
        if self.blendshapes:
            kept = _with_scores(self.blendshapes, kept)
        real = sum(len(source.records) for source in kept)
        rendered = [] if self.synthetic is None else [self.synthetic.source()]
        self.train_set = FaceDataset(
            kept + rendered, self.image_size, self.augment, self.negatives, self.seed
        )
        drawn = weights if np.ptp(weights) else None  # each once, where all weigh the same
        if self.balance:
            drawn = weights * expression_weights(self.train_set.landmarks68[:real])
        synthetic = len(self.train_set) - real
        ratio = self.synthetic_ratio if synthetic else 0.0
        sizes = self.batch_size, self.epoch_size, self.seed
        self.sampler = partial(FaceSampler, drawn, real, synthetic, ratio, *sizes)
        held_rows = sum(len(source.records) for source in held)
        log.info("faces: %d real, %d rendered, %d held out", real, synthetic, held_rows)
        return {"holdout": FaceDataset(held, self.image_size)} if held else {}

    def _setup_streams(self, groups: list[RowGroup]) -> dict[str, Any]:
        if len(set(self.pack_weights)) > 1:
            raise InputError("data.pack_weights: not while streaming; set data.streaming=false")
        if self.blendshapes:
            raise InputError("data.blendshapes: not while streaming; set data.streaming=false")
        rendered = self.synthetic.source() if self.synthetic else None
        streams = FaceStreams(
            groups,
            self.batch_size,
            FaceMaker(self.image_size, self.augment, self.negatives, rendered=rendered),
            self.who_is_held_out(),
            self.fits,
            self.synthetic_ratio,
            self.shuffle_rows,
            self.epoch_size,
            self.seed,
        )
        self.train_set = streams.train
        return {"holdout": streams.holdout} if streams.holdout else {}


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
