"""Streams of mouth crops: decoded and augmented in the workers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Bool, UInt8
from xpress.data_modules.faces.dataset import FaceSource
from xpress.data_modules.mouths.augmentation import MouthAugment
from xpress.data_modules.mouths.dataset import (
    INNER,
    OUTER,
    MouthDataset,
    RawMouths,
    is_open,
)
from xpress.data_modules.resumable import SeededRow
from xpress.data_modules.streaming.groups import (
    NAMES,
    RowGroup,
    group_people,
    split_groups,
)
from xpress.data_modules.streaming.rows import EncodedRows
from xpress.data_modules.streaming.stream import RowStream

from xpress.errors import InputError
from xpress.packs.parquet import points_of
from xpress.packs.pixels import EncodedPixels
from xpress.packs.records import CONTOUR_POINTS, decode

log = logging.getLogger(__name__)


@dataclass
class MouthMaker:
    """Makes `RawMouths` of streamed rows, with the crops of `MouthDataset`.

    A row that cannot be used is replaced by another of its batch and counted in `broken`.

    Attributes:
        size: pixels of the crop's side.
        augment: how crops vary; None gives the canonical crop with the labelled hole.
        broken: rows replaced so far.
    """

    size: int
    augment: MouthAugment | None = None
    broken: int = 0

    def __call__(self, rows: EncodedRows, rng: np.random.Generator) -> RawMouths:
        """A batch; raises `InputError` where not one row can be used."""
        pictures = {
            row: picture for row in range(len(rows)) if (picture := _decode(rows, row)) is not None
        }
        self.broken += len(rows) - len(pictures)
        if not pictures:
            first = rows.records.keys[0]
            raise InputError(f"data: none of {len(rows)} rows from {first} on is usable")
        good = np.array(list(pictures))
        source = FaceSource(rows.records.select(good), list(pictures.values()))
        chosen = np.resize(np.arange(len(good)), len(rows))
        seeds = rng.integers(2**63, size=len(chosen)).tolist()
        dataset = MouthDataset([source], self.size, self.augment)
        draws = [SeededRow(row, seed) for row, seed in zip(chosen.tolist(), seeds, strict=True)]
        batch = dataset.__getitems__(draws)
        return replace(batch, row=torch.from_numpy(rows.numbers[good][chosen]))


class MouthStreams:
    """Training and validation streams of `MouthCropsDataModule`.

    Every row comes once an epoch. Which mouths are open is read from the landmarks beforehand.

    Args:
        groups: row groups of all packs.
        batch_size: rows of a batch.
        make: makes training batches.
        least_opening: area of the hole over the lips' width squared; others are left out.
        least_width: of the lips in pixels, likewise.
        out: takes people, gives (N,) who is held out for validation; None: nobody.
        shuffle_rows: see `RowStream`.
        seed: see `RowStream`.
    """

    def __init__(
        self,
        groups: Sequence[RowGroup],
        batch_size: int,
        make: MouthMaker,
        least_opening: float,
        least_width: float = 0.0,
        out: Callable[[list[str]], Bool[np.ndarray, " N"]] | None = None,
        shuffle_rows: int = 8192,
        seed: int = 0,
    ) -> None:
        kept, held = open_mouths(groups, least_opening, least_width), list[RowGroup]()
        if out is not None:
            kept, held = split_groups(kept, NAMES, lambda t, g: out(group_people(g, t)))
        if not kept:
            raise InputError("data.holdout: leaves nobody to train on")
        self.train = RowStream(kept, make, batch_size, shuffle_rows, True, seed=seed)
        self.holdout = RowStream(held, MouthMaker(make.size), batch_size) if held else None
        self._some = RowStream(kept, _Sources(), batch_size, shuffle_rows, seed=seed)
        log.info(
            "mouths: streaming %d rows of %d row groups, each once an epoch; %d rows held out",
            self.train.rows,
            len(kept),
            sum(group.count for group in held),
        )

    def sample(self, rows: int = 4096) -> MouthDataset:
        """About as many rows of the training stream, with canonical crops."""
        sources, count = [], 0
        for source in self._some:
            if isinstance(source, InputError):
                raise source
            sources.append(source)
            count += len(source.records)
            if count >= rows:
                break
        return MouthDataset(sources, self.train.make.size)  # type: ignore[attr-defined]


def open_mouths(
    groups: Sequence[RowGroup], least_opening: float, least_width: float = 0.0
) -> list[RowGroup]:
    """The rows whose mouths are open and wide enough, by their landmarks; pictures are not read.

    Raises:
        InputError: there are none.
    """

    def opened(table: pa.Table, group: RowGroup) -> Bool[np.ndarray, " N"]:
        where = group.shard.name
        landmarks, known = points_of(table, "landmarks68", 68, where)
        contours, has_contours = points_of(table, "contours", CONTOUR_POINTS, where)
        lips, inner = landmarks[:, OUTER], contours[:, INNER]
        wide = is_open(lips, inner, least_opening, least_width)
        return known & has_contours & wide

    chosen = split_groups(groups, ("landmarks68", "contours"), opened)[1]
    if not chosen:
        where = groups[0].shard.name
        raise InputError(f"{where}: no opened mouth with contours of the lips; add some")
    return chosen


class _Sources:
    """Makes data set sources of rows that have a picture."""

    broken = 0

    def __call__(self, rows: EncodedRows, rng: np.random.Generator) -> FaceSource:
        del rng
        good = [row for row in range(len(rows)) if _decode(rows, row) is not None]
        records = rows.records.select(np.array(good, np.int64))
        return FaceSource(records, EncodedPixels(records.images))


def _decode(rows: EncodedRows, row: int) -> UInt8[np.ndarray, "H W 3"] | None:
    if not rows.usable[row]:
        return None
    try:
        return decode(rows.records.images[row])
    except InputError as error:
        log.warning("%s is skipped (%s)", rows.records.keys[row], error)
        return None
