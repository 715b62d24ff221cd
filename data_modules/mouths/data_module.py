"""Mouth crops for the mouth GAN: landmarked packs, or anybody's videos and pictures of faces."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from pydantic import NonNegativeInt, PositiveInt
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader
from xpress.data_modules.faces.data_module import Paths, _named, held_out
from xpress.data_modules.faces.dataset import FaceSource
from xpress.data_modules.faces.streams import part_of
from xpress.data_modules.mouths.augmentation import MouthAugment
from xpress.data_modules.mouths.dataset import (
    INNER,
    OUTER,
    MouthDataset,
    MouthSampler,
    RawMouths,
    as_made,
    is_open,
)
from xpress.data_modules.mouths.streams import MouthMaker, MouthStreams, open_mouths
from xpress.data_modules.resumable import resumable_loader
from xpress.data_modules.streaming.groups import groups_to_stream
from xpress.data_modules.streaming.stream import RowStream, StreamLoader

from xpress.batches import MouthBatch
from xpress.errors import InputError
from xpress.media.mouth_crop import SIZE
from xpress.packs import read_records
from xpress.packs.fitted_parameters import load_fits
from xpress.packs.media_files import is_media
from xpress.packs.pixels import load_pixels
from xpress.preparation.mouth_packs import PackSettings, made_pack

log = logging.getLogger(__name__)


class MouthCropsDataModule(LightningDataModule):
    """Batches of `MouthBatch` from pictures of faces or mouths with their inner lips.

    While fitting, validation runs on people held out of `train` (`val_names` is `["holdout"]`),
    so that the `val` packs choose nothing; `trainer.validate` runs on `val`, `trainer.test` on
    `test`, with canonical crops and the labelled hole.

    Args:
        train: packs (see `xpress.packs`; `contours` are needed), or folders of
            videos and pictures of faces, of which packs are made; see `mouth_pack`.
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
        pack_weights: multiplies how often entries of `train` are drawn, by name (by one where not
            named) or one for each; not when streaming.
        fits: file of the rows' face parameters, see `targets.load_fits`; without it the
            generator is not told where the teeth are and has no reference. Streams take none.
        augment: how training crops vary.
        cache: "auto", "decoded" or "encoded", see `pixels.load_pixels`.
        pin_memory: page-locked batches, for a GPU.
        pack_folder: where packs that are made of videos and pictures are kept.
        pack_every: each how manieth frame of a video they take.
        pack_size: pixels of the side of their crops, which are `mouth_pack.PACK_RATIO` lip widths
            wide.
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
        pack_weights: Mapping[str, float] | Sequence[float] | None = None,
        fits: str | os.PathLike | None = None,
        augment: MouthAugment | None = None,
        cache: str = "auto",
        pin_memory: bool = False,
        pack_folder: str | os.PathLike = "logs/mouth_packs",
        pack_every: int = 5,
        pack_size: int = 128,
        streaming: bool | str = "auto",
        shuffle_rows: int = 8192,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not 0 <= holdout < 1:
            raise InputError(f"data.holdout={holdout}: give a share below 1")
        self.paths = {"train": _named(train), "val": _named(val), "test": _named(test or val)}
        self.size, self.batch_size, self.num_workers = size, batch_size, num_workers
        self.holdout, self.open_more = holdout, open_more
        self.least_opening, self.least_width = least_opening, least_width
        self.pack_weights = _weights_of(pack_weights or {}, list(self.paths["train"]))
        self.fits = fits
        self.augment = augment or MouthAugment()
        self.cache, self.pin_memory, self.seed = cache, pin_memory, seed
        self.pack_folder = pack_folder
        self.pack_settings = PackSettings(pack_every, pack_size, least_width)
        self.streaming, self.shuffle_rows = streaming, shuffle_rows
        self._streams: MouthStreams | None = None
        self.train_set: MouthDataset | RowStream | None = None
        self.holdout_set: MouthDataset | RowStream | None = None
        self.eval_sets: dict[str, MouthDataset | RowStream] = {}
        self._mean_mouth: Float[Tensor, "1 3 S S"] | None = None
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

    @property
    def mean_mouth(self) -> Float[Tensor, "1 3 S S"]:
        """The mean inside of the mouths in `train`, pixel by pixel of the canonical crop."""
        if self._mean_mouth is None:
            self._setup_fit()
            if isinstance(self.train_set, MouthDataset):
                plain = MouthDataset(self.train_set.sources, self.size)
            else:
                assert self._streams is not None
                plain = self._streams.sample()
            self._mean_mouth = mean_mouth(plain)
        return self._mean_mouth

    def prepare_data(self) -> None:
        """Make packs of videos and pictures. Lightning calls it in one process of a machine."""
        self._use_packs()

    def _use_packs(self) -> None:
        """Put packs in the place of videos and pictures."""
        for named in self.paths.values():
            for name, path in named.items():
                if is_media(path):
                    named[name] = made_pack(path, self.pack_folder, self.pack_settings)

    def setup(self, stage: str = "fit") -> None:
        """Read what the stage needs; called again, it reads nothing twice."""
        self._stage = stage
        self._use_packs()
        if stage == "fit":
            self._setup_fit()
            return
        for path in self.paths["val" if stage == "validate" else "test"].values():
            if str(path) not in self.eval_sets:
                self.eval_sets[str(path)] = self._eval_set(path)

    def _eval_set(self, path: str | os.PathLike) -> MouthDataset | RowStream:
        groups = groups_to_stream(False if self.streaming is False else "auto", [path])
        if groups is not None:
            groups = open_mouths(groups, self.least_opening, self.least_width)
            return RowStream(groups, MouthMaker(self.size), self.batch_size)
        return MouthDataset([self._source(path)], self.size)

    def _source(self, path: str | os.PathLike) -> FaceSource:
        records = read_records(path)
        lips, inner = records.landmarks68[:, OUTER], records.contours[:, INNER]
        open_ = is_open(lips, inner, self.least_opening, self.least_width) & records.has_contours
        if not open_.any():
            raise InputError(f"{path}: no opened mouth with contours of the lips; add some")
        log.info("%s: %d of %d mouths are open", path, int(open_.sum()), len(records))
        records, pixels = load_pixels(records.select(np.flatnonzero(open_)), self.cache)
        if self.fits is None:
            return FaceSource(records, pixels)
        keys = [f"{records.name}/{key}" for key in records.keys]
        return FaceSource(records, pixels, load_fits(self.fits, keys)[0])

    def _setup_fit(self) -> None:
        if self.train_set is not None:
            return
        if not self.paths["train"]:
            raise InputError("data.train: nothing given; name at least one pack or folder")
        groups = groups_to_stream(self.streaming, self.paths["train"].values())
        if groups is not None:
            if len(set(self.pack_weights)) > 1:
                raise InputError("data.pack_weights: streams draw every row once; leave it out")
            self._streams = MouthStreams(
                groups,
                self.batch_size,
                MouthMaker(self.size, self.augment),
                self.least_opening,
                self.least_width,
                partial(held_out, share=self.holdout) if self.holdout else None,
                self.shuffle_rows,
                self.seed,
            )
            self.train_set, self.holdout_set = self._streams.train, self._streams.holdout
            return
        kept, held, scales = [], [], []
        for path, scale in zip(self.paths["train"].values(), self.pack_weights, strict=True):
            source = self._source(path)
            out = held_out(source.records.identities, source.records.keys, self.holdout)
            held += [part_of(source, np.flatnonzero(out))] if out.any() else []
            kept += [part_of(source, np.flatnonzero(~out))] if not out.all() else []
            scales.append(np.full(int((~out).sum()), scale))
        if not kept:
            raise InputError(f"data.holdout={self.holdout}: leaves nobody to train on")
        self.train_set = MouthDataset(kept, self.size, self.augment, self.seed)
        openings = self.train_set.openings()
        self._weights = opening_weights(openings, self.open_more) * np.concatenate(scales)
        self.holdout_set = MouthDataset(held, self.size) if held else None
        held_rows = len(self.holdout_set) if self.holdout_set else 0
        log.info("mouths: %d to train on, %d held out", len(self.train_set), held_rows)
        if self.holdout and not held:
            share = self.holdout
            log.warning(
                "mouths: nobody fell into data.holdout=%s; without figures there is no "
                "best checkpoint, so raise it",
                share,
            )

    @property
    def _place(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def train_dataloader(self) -> DataLoader | StreamLoader:
        """Varied crops, wide open mouths more often."""
        if self.train_set is None:
            raise InputError("data: call setup('fit') before train_dataloader()")
        if isinstance(self.train_set, RowStream):
            return StreamLoader(self.train_set, self.num_workers, self.pin_memory, *self._place)
        sampler = MouthSampler(self._weights, self.batch_size, self.seed, *self._place)
        return resumable_loader(
            self.train_set,
            sampler,
            self.num_workers,
            collate_fn=as_made,
            prefetch_factor=4 if self.num_workers else None,
            pin_memory=self.pin_memory,
        )

    def val_dataloader(self) -> list[DataLoader | StreamLoader]:
        """Canonical crops, one loader a name of `val_names`."""
        if self._stage == "fit":
            return [self._eval_loader(self.holdout_set)] if self.holdout_set else []
        paths = self.paths["val"].values()
        return [self._eval_loader(self.eval_sets[str(path)]) for path in paths]

    def test_dataloader(self) -> list[DataLoader | StreamLoader]:
        """Canonical crops, one loader a name of `test_names`."""
        paths = self.paths["test"].values()
        return [self._eval_loader(self.eval_sets[str(path)]) for path in paths]

    def _eval_loader(self, dataset: MouthDataset | RowStream) -> DataLoader | StreamLoader:
        if isinstance(dataset, RowStream):
            return StreamLoader(dataset, self.num_workers, self.pin_memory, *self._place)
        return DataLoader(dataset, batch_size=self.batch_size, collate_fn=as_made)

    def on_after_batch_transfer(
        self, batch: RawMouths | MouthBatch, dataloader_idx: int = 0
    ) -> MouthBatch:
        """uint8 to float, on the device."""
        del dataloader_idx
        return batch.finish() if isinstance(batch, RawMouths) else batch


def _weights_of(given: Mapping[str, float] | Sequence[float], names: list[str]) -> list[float]:
    if isinstance(given, Mapping):
        return [float(given.get(name, 1.0)) for name in names]
    if len(given) != len(names):
        raise InputError(f"data.pack_weights: give {len(names)}, one a pack, or name the packs")
    return [float(weight) for weight in given]


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
