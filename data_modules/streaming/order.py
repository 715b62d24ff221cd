"""Who reads which rows of an epoch, and in what order they leave the shuffle buffer.

Nothing here reads data: the order is a function of the seed, the epoch and the reader's place, so
that a stream can be continued anywhere without reading what came before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int


@dataclass(frozen=True)
class ReaderRank:
    """Which of all readers one is.

    Attributes:
        rank: number of the training process, of `world`.
        worker: number of the loader's process, of `workers`.
    """

    rank: int = 0
    world: int = 1
    worker: int = 0
    workers: int = 1


@dataclass(frozen=True)
class RowRange:
    """Used rows start … stop-1 of a row group, which is the number `group` of its list."""

    group: int
    start: int
    stop: int


@dataclass(frozen=True)
class ReaderShare:
    """What one reader reads in an epoch: parts in order, and how many batches they make."""

    parts: list[RowRange]
    batches: int


def batches_of(rows: int, batch_size: int, rank: int, world: int, drop_last: bool) -> int:
    """Batches of one process in an epoch of `rows` rows in all.

    With `drop_last` every process has the same number and a rest is left out; without, all rows
    are read and the numbers differ by one at most.
    """
    if drop_last:
        return rows // (batch_size * world)
    whole = -(-rows // batch_size)
    return whole * (rank + 1) // world - whole * rank // world


def share_of(
    counts: Sequence[int],
    batch_size: int,
    place: ReaderRank,
    drop_last: bool,
    order: Int[np.ndarray, " G"],
    most: int | None = None,
) -> ReaderShare:
    """One reader's part of an epoch.

    The row groups are laid end to end in `order`, and this line is cut into one piece a reader,
    in whole batches. So no row is read twice or lost, and all processes make the same number of
    batches; a row group that lies across a cut is opened by two readers.

    Args:
        counts: used rows of each row group.
        batch_size: rows of a batch.
        place: of the reader.
        drop_last: see `batches_of`.
        order: of the row groups in this epoch.
        most: batches of a process in a shorter epoch (with `drop_last`).
    """
    ends = np.cumsum(np.asarray(counts, np.int64)[order])
    rows = int(ends[-1]) if len(ends) else 0
    own = [batches_of(rows, batch_size, r, place.world, drop_last) for r in range(place.rank + 1)]
    if most is not None and drop_last:
        own = [min(batches, most) for batches in own]
    # The loader takes batches from its workers in turn: the first ones make the odd batches.
    shares = [(own[-1] - w + place.workers - 1) // place.workers for w in range(place.workers)]
    first = (sum(own[:-1]) + sum(shares[: place.worker])) * batch_size
    last = min(first + shares[place.worker] * batch_size, rows)
    parts = []
    position = int(np.searchsorted(ends, first, side="right"))
    while first < last:
        group = int(order[position])
        begin = int(ends[position]) - counts[group]
        stop = min(last - begin, counts[group])
        if stop > first - begin:
            parts.append(RowRange(group, first - begin, stop))
        first, position = begin + stop, position + 1
    return ReaderShare(parts, shares[place.worker])


class ShuffleBuffer:
    """Positions of a reader's rows, batch by batch, as a buffer of bounded size lets them go.

    Parts are taken in, in order, until the buffer is full; each batch is drawn from it at random.
    So at most `capacity - 1` rows and one part are held, and a row leaves at the earliest when its
    part is taken in. This class knows positions only; who follows it holds the rows.

    Args:
        lengths: rows of each part.
        capacity: rows; 0 keeps the rows in order.
        rng: draws; None keeps the rows in order.
    """

    def __init__(
        self, lengths: Sequence[int], capacity: int, rng: np.random.Generator | None
    ) -> None:
        self.starts = np.concatenate([[0], np.cumsum(np.asarray(lengths, np.int64))]).astype(int)
        self.capacity, self.rng = capacity, rng
        self.held = np.empty(0, np.int64)
        self.taken_in = 0

    def draw(self, count: int) -> Int[np.ndarray, " N"]:
        """Positions of the next batch; fewer than `count` at the end."""
        full = max(self.capacity, count)
        while self.taken_in < len(self.starts) - 1 and len(self.held) < full:
            part = np.arange(self.starts[self.taken_in], self.starts[self.taken_in + 1])
            self.held = np.concatenate([self.held, part])
            self.taken_in += 1
        if self.rng is not None and self.capacity:
            leaving = self.rng.permutation(len(self.held))[:count]
        else:
            leaving = np.arange(min(count, len(self.held)))
        drawn = self.held[leaving]
        self.held = np.delete(self.held, leaving)
        return drawn
