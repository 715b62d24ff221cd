"""Rows in the order of the shuffle buffer, read one row group at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Int
from xpress.data_modules.streaming.groups import OpenShards, RowGroup
from xpress.data_modules.streaming.order import ReaderShare, ShuffleBuffer

from xpress.packs.parquet import COLUMNS, records_of
from xpress.packs.records import FaceRecords


@dataclass(frozen=True)
class EncodedRows:
    """Some rows of packs, still encoded.

    Attributes:
        records: labels; keys are "<pack>/<key>".
        usable: which rows have a picture and landmarks.
        numbers: of the rows among all used rows of the stream, in the order of its row groups.
    """

    records: FaceRecords
    usable: np.ndarray
    numbers: np.ndarray

    def __len__(self) -> int:
        return len(self.numbers)


class _Row(NamedTuple):
    image: bytes
    key: str
    identity: str
    color: np.int8
    landmarks68: np.ndarray
    contours: np.ndarray
    has_contours: np.bool_
    usable: np.bool_
    number: int


class RowReader:
    """One reader's rows of an epoch, in batches.

    Args:
        groups: all row groups of the stream.
        share: what this reader reads of them.
        batch_size: rows of a batch.
        buffer: the order, fresh.
        skip: batches left out at the beginning; what only they need is not read.
    """

    def __init__(
        self,
        groups: Sequence[RowGroup],
        share: ReaderShare,
        batch_size: int,
        buffer: ShuffleBuffer,
        skip: int = 0,
    ) -> None:
        self.groups, self.share, self.batch_size = groups, share, batch_size
        self.buffer, self.skip = buffer, skip
        self.first = np.concatenate([[0], np.cumsum([g.count for g in groups])]).astype(int)
        self.peak = 0
        self._rows: dict[int, _Row] = {}
        self._shards = OpenShards()

    def __iter__(self) -> Iterator[EncodedRows]:
        """Batches; the last may be smaller.

        Raises:
            InputError: a shard is damaged or cannot be reached; the message names it.
        """
        for _ in range(self.skip):
            self.buffer.draw(self.batch_size)
        read = 0
        try:
            for _ in range(self.skip, self.share.batches):
                positions = self.buffer.draw(self.batch_size)
                for part in range(read, self.buffer.taken_in):
                    self._take_in(part, np.concatenate([self.buffer.held, positions]))
                read = self.buffer.taken_in
                self.peak = max(self.peak, len(self._rows))
                yield _join([self._rows.pop(int(position)) for position in positions])
        finally:
            self._shards.close()

    def _take_in(self, number: int, wanted: Int[np.ndarray, " N"]) -> None:
        """Read a part and keep those of its rows that have not left yet."""
        first, last = self.buffer.starts[number : number + 2]
        positions = np.sort(wanted[(wanted >= first) & (wanted < last)])
        if not len(positions):
            return
        part = self.share.parts[number]
        group = self.groups[part.group]
        places = positions - first + part.start
        rows = places if group.used is None else group.used[places]
        table = self._shards.read(group, COLUMNS).take(pa.array(rows))
        numbered = (group.first + rows).tolist()
        records, usable = records_of(table, group.pack, group.shard.name, numbered)
        numbers = places + self.first[part.group]
        for i, position in enumerate(positions.tolist()):
            self._rows[position] = _Row(
                records.images[i],  # type: ignore[arg-type]
                f"{group.pack}/{records.keys[i]}",
                records.identities[i],
                records.color[i],
                records.landmarks68[i].copy(),
                records.contours[i].copy(),
                records.has_contours[i],
                usable[i],
                int(numbers[i]),
            )


def _join(rows: list[_Row]) -> EncodedRows:
    column: Any = _Row(*zip(*rows, strict=True))  # type: ignore[arg-type]
    records = FaceRecords(
        "stream",
        list(column.image),
        list(column.key),
        list(column.identity),
        np.array(column.color, np.int8),
        np.stack(column.landmarks68),
        np.stack(column.contours),
        np.array(column.has_contours, bool),
    )
    return EncodedRows(records, np.array(column.usable, bool), np.array(column.number, np.int64))
