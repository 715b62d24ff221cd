"""Streams of face crops: decoded, augmented and mixed with rendered faces in the workers."""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, UInt8
from xpress.data_modules.augment import Augment
from xpress.data_modules.faces.dataset import FaceDataset, FaceSource, RawFaces
from xpress.data_modules.resumable import SeededRow
from xpress.data_modules.streaming.groups import (
    NAMES,
    RowGroup,
    group_names,
    group_people,
    split_groups,
    tables_of,
)
from xpress.data_modules.streaming.rows import EncodedRows
from xpress.data_modules.streaming.stream import RowStream

from xpress.errors import InputError
from xpress.packs.fitted_parameters import ParameterTable, load_fits
from xpress.packs.records import FaceRecords, decode

log = logging.getLogger(__name__)


@dataclass
class FaceMaker:
    """Makes `RawFaces` of streamed rows, with the crops and filters of `FaceDataset`.

    A row that cannot be used is replaced by another of its batch and counted in `broken`. Persons
    have the same number in every batch, a hash of their name.

    Attributes:
        size: pixels of the crop's side.
        augment: how crops vary; None gives the canonical crop.
        negatives: share of crops that miss the face.
        targets: parameters of all used rows of the stream, in the order of its row groups.
        flipped_targets: those of the mirrored pictures.
        rendered: faces to mix in, held in memory.
        rendered_per_batch: how many of them each batch has beside the streamed rows.
        broken: rows replaced so far.
    """

    size: int = 128
    augment: Augment | None = None
    negatives: float = 0.0
    targets: ParameterTable | None = None
    flipped_targets: ParameterTable | None = None
    rendered: FaceSource | None = None
    rendered_per_batch: int = 0
    broken: int = 0

    def __call__(self, rows: EncodedRows, rng: np.random.Generator) -> RawFaces:
        """A batch; raises `InputError` where not one row can be used."""
        good = np.flatnonzero(rows.usable)
        self.broken += len(rows) - len(good)
        if not len(good):
            raise InputError(
                f"data: none of {len(rows)} rows from {rows.records.keys[0]} on is usable"
            )
        sources = [self._streamed(rows.records.select(good), rows.numbers[good])]
        chosen = np.resize(np.arange(len(good)), len(rows))
        if self.rendered is not None and self.rendered_per_batch:
            drawn = rng.integers(len(self.rendered.records), size=self.rendered_per_batch)
            sources.append(self.rendered.select(drawn))
            chosen = np.concatenate([chosen, len(good) + np.arange(len(drawn))])
        if self.augment is not None:
            chosen = rng.permutation(chosen)
        dataset = FaceDataset(sources, self.size, self.augment, self.negatives)
        numbers = [zlib.crc32(name.encode()) for name in dataset.identities]
        known = dataset.identity_index >= 0
        dataset.identity_index[known] = np.array(numbers, np.int64)[dataset.identity_index[known]]
        seeds = rng.integers(2**63, size=len(chosen))
        pairs = zip(chosen.tolist(), seeds.tolist(), strict=True)
        batch = dataset.__getitems__([SeededRow(row, seed) for row, seed in pairs])
        self.broken += dataset.broken
        return batch

    def _streamed(self, records: FaceRecords, numbers: Int[np.ndarray, " N"]) -> FaceSource:
        targets = _select(self.targets, numbers)
        flipped = _select(self.flipped_targets, numbers)
        return FaceSource(records, _DecodedOnce(records), targets, flipped)


class FaceStreams:
    """Training and validation streams of `LandmarkFacesDataModule`.

    Every row comes once an epoch; there is no sampling by expression, because that would need the
    landmarks of all rows beforehand.

    Args:
        groups: row groups of all packs.
        batch_size: rows of a batch, rendered ones included.
        make: makes training batches; its targets and rendered rows a batch are set here.
        out: takes people, gives (N,) who is held out for validation; None: nobody.
        fits: safetensors of fitted parameters by row.
        rendered_ratio: share of rendered faces of every training batch.
        shuffle_rows: see `RowStream`.
        epoch_size: rows of an epoch, rendered ones included.
        seed: see `RowStream`.
    """

    def __init__(
        self,
        groups: Sequence[RowGroup],
        batch_size: int,
        make: FaceMaker,
        out: Callable[[list[str]], Bool[np.ndarray, " N"]] | None = None,
        fits: str | os.PathLike | None = None,
        rendered_ratio: float = 0.0,
        shuffle_rows: int = 8192,
        epoch_size: int | None = None,
        seed: int = 0,
    ) -> None:
        kept, held = list(groups), []
        if out is not None:
            kept, held = split_groups(kept, NAMES, lambda t, g: out(group_people(g, t)))
        if not kept:
            raise InputError("data.holdout: leaves nobody to train on")
        if fits is not None:
            make.targets, make.flipped_targets = _fits(fits, kept)
        make.rendered_per_batch = round(rendered_ratio * batch_size) if make.rendered else 0
        streamed = batch_size - make.rendered_per_batch
        if streamed < 1:
            raise InputError("data.synthetic_ratio=1: leaves no row to stream; leave `train` empty")
        if epoch_size is not None:
            epoch_size = epoch_size * streamed // batch_size
        self.train = RowStream(kept, make, streamed, shuffle_rows, True, epoch_size, seed)
        self.holdout = RowStream(held, FaceMaker(make.size), batch_size) if held else None
        log.info(
            "faces: streaming %d rows of %d row groups, each once an epoch, none more often than "
            "others; %d rows held out",
            self.train.rows,
            len(kept),
            sum(group.count for group in held),
        )


def _fits(
    path: str | os.PathLike, groups: Sequence[RowGroup]
) -> tuple[ParameterTable, ParameterTable | None]:
    names = []
    for group, table in tables_of(groups, NAMES):
        names += [f"{group.pack}/{key}" for key in group_names(group, table)[0]]
    return load_fits(path, names)


def _select(table: ParameterTable | None, rows: Int[np.ndarray, " M"]) -> ParameterTable | None:
    return None if table is None else table.select(rows)


class _DecodedOnce:
    """A batch's pictures; a mirrored one is asked for twice."""

    def __init__(self, records: FaceRecords) -> None:
        self.images, self._decoded = records.images, dict[int, np.ndarray]()

    def __getitem__(self, row: int) -> UInt8[np.ndarray, "H W 3"]:
        if row not in self._decoded:
            self._decoded[row] = decode(self.images[row])
        return self._decoded[row]
