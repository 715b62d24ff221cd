"""Batches streamed from packs, and the loader that feeds a trainer with them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from xpress.data_modules.streaming.groups import RowGroup
from xpress.data_modules.streaming.order import ReaderRank, ShuffleBuffer, batches_of, share_of
from xpress.data_modules.streaming.rows import EncodedRows, RowReader

from xpress.errors import InputError

log = logging.getLogger(__name__)

MOST_WORKERS = 1024


@runtime_checkable
class BatchMaker(Protocol):
    """Decodes rows into a batch, in a worker.

    Attributes:
        broken: rows replaced so far because they could not be used.
    """

    broken: int

    def __call__(self, rows: EncodedRows, rng: np.random.Generator) -> Any:
        """A batch of as many rows; random choices are drawn from `rng` alone."""
        ...  # pragma: no cover


class RowStream(IterableDataset):
    """Batches of the rows of some row groups.

    An epoch is a function of the seed, its number and the number of processes and workers. Make
    it iterate with a `StreamLoader`, which says what epoch it is.

    Args:
        groups: what to read.
        make: makes batches of rows.
        batch_size: rows of a batch.
        shuffle_rows: rows of each worker's shuffle buffer; 0 reads in order.
        drop_last: give every process the same number of whole batches.
        epoch_size: rows of an epoch of all processes; each epoch then takes other row groups.
        seed: of the order and of the random choices in the batches.
    """

    def __init__(
        self,
        groups: Sequence[RowGroup],
        make: BatchMaker,
        batch_size: int,
        shuffle_rows: int = 0,
        drop_last: bool = False,
        epoch_size: int | None = None,
        seed: int = 0,
    ) -> None:
        self.groups, self.make, self.batch_size = list(groups), make, batch_size
        self.shuffle_rows, self.drop_last, self.seed = shuffle_rows, drop_last, seed
        self.epoch_size = epoch_size
        self.counts = [group.count for group in self.groups]
        self.rows = sum(self.counts)
        # Shared with the workers, which live longer than an epoch.
        self._place = torch.zeros(2, dtype=torch.int64).share_memory_()
        self._broken = torch.zeros(MOST_WORKERS, dtype=torch.int64).share_memory_()
        self._peak = torch.zeros(MOST_WORKERS, dtype=torch.int64).share_memory_()
        self.join(0, 1)

    def join(self, rank: int, world: int) -> None:
        """Be the stream of process `rank` of `world`; their rows differ.

        Raises:
            InputError: there is no whole batch for each process.
        """
        self.rank, self.world = rank, world
        self.batches = batches_of(self.rows, self.batch_size, rank, world, self.drop_last)
        if self.drop_last and self.epoch_size is not None:
            self.batches = min(self.batches, max(self.epoch_size // (self.batch_size * world), 1))
        if self.drop_last and not self.batches:
            raise InputError(
                f"data: {self.rows} rows make no batch of {self.batch_size} for each of {world} "
                "process(es); set a smaller data.batch_size or data.streaming=false"
            )

    @property
    def broken(self) -> int:
        """Rows replaced so far, by all workers, because they could not be used."""
        return int(self._broken.sum())

    @property
    def peak_rows(self) -> int:
        """The most rows that one worker has held at a time."""
        return int(self._peak.max())

    def go_to(self, epoch: int, batches: int = 0) -> None:
        """The next iteration reads `epoch` from its batch number `batches` on."""
        self._place[0], self._place[1] = epoch, batches

    def __iter__(self) -> Iterator[Any]:
        """Batches of one worker; a shard that fails is the last thing, as `InputError`."""
        info = get_worker_info()
        number, workers = (info.id, info.num_workers) if info else (0, 1)
        epoch, done = self._place.tolist()
        # The loader asks its first process first, so that one plays who is next in turn.
        place = ReaderRank(self.rank, self.world, (number + done) % workers, workers)
        skip = (done - place.worker + workers - 1) // workers
        try:
            reader = self._reader(epoch, place, skip)
            for turn, rows in enumerate(reader, start=skip):
                batch = turn * workers + place.worker
                made = self.make(rows, self._rng(epoch, 1, self.rank, batch))
                self._broken[number] = self.make.broken
                self._peak[number] = max(int(self._peak[number]), reader.peak)
                yield made
        except InputError as error:
            yield error

    def _reader(self, epoch: int, place: ReaderRank, skip: int) -> RowReader:
        order = np.arange(len(self.groups))
        if self.shuffle_rows:
            order = self._rng(epoch, 0).permutation(len(self.groups))
        share = share_of(self.counts, self.batch_size, place, self.drop_last, order, self.batches)
        lengths = [part.stop - part.start for part in share.parts]
        rng = self._rng(epoch, 2, place.rank, place.worker) if self.shuffle_rows else None
        buffer = ShuffleBuffer(lengths, self.shuffle_rows, rng)
        return RowReader(self.groups, share, self.batch_size, buffer, skip)

    def _rng(self, *numbers: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *numbers])


class StreamLoader:
    """Hands out the batches of a `RowStream`; what a data module returns as its loader.

    Not a `DataLoader`, because Lightning warns of iterable data sets that know their length; this
    one's is exact. Its place in the epoch is part of Lightning's checkpoints.

    Args:
        stream: the batches.
        num_workers: processes that read and decode; 0 does it in this one.
        pin_memory: page-locked batches, for a GPU.
        rank: number of this process.
        world: number of processes.
    """

    batch_sampler = None  # Lightning asks for it wherever there is a sampler

    def __init__(
        self,
        stream: RowStream,
        num_workers: int = 0,
        pin_memory: bool = False,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if num_workers > MOST_WORKERS:
            raise InputError(f"data.num_workers={num_workers}: at most {MOST_WORKERS}")
        stream.join(rank, world)
        self.stream, self.num_workers, self.epoch = stream, num_workers, 0
        self.loader = DataLoader(
            stream,
            batch_size=None,
            num_workers=num_workers,
            collate_fn=_as_it_is,
            worker_init_fn=_one_thread,
            persistent_workers=num_workers > 0,
            prefetch_factor=4 if num_workers else None,
            pin_memory=pin_memory,
            generator=torch.Generator().manual_seed(stream.seed),
        )
        self._now, self._taken, self._skip = 0, 0, 0

    def __len__(self) -> int:
        return self.stream.batches

    @property
    def sampler(self) -> StreamLoader:
        """Where Lightning looks for `set_epoch`."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """The next iteration is this epoch."""
        if epoch != self.epoch:
            self.epoch, self._skip = epoch, 0

    def __iter__(self) -> Iterator[Any]:
        """Batches of an epoch; the epoch is the one set when the first batch is asked for."""
        self._now, self._taken, self._skip = self.epoch, self._skip, 0
        self.epoch += 1
        self.stream.go_to(self._now, self._taken)
        broken = self.stream.broken
        for batch in self.loader:
            if isinstance(batch, InputError):
                raise batch
            self._taken += 1
            if self._taken == len(self) and self.stream.broken > broken:
                count = self.stream.broken - broken
                log.warning("data: %d rows of epoch %d could not be used", count, self._now)
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """Called by Lightning for a checkpoint."""
        return {"epoch": self._now, "batches": self._taken, "layout": self._layout()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Called by Lightning with a checkpoint: the epoch continues where it stopped.

        With other packs, another number of processes or workers or another batch size, rows of
        this one epoch are repeated or left out; that is said.
        """
        self.epoch = self._now = int(state["epoch"])
        self._taken = self._skip = int(state["batches"]) % max(len(self), 1)
        if self._skip and list(state.get("layout", [])) != self._layout():
            log.warning(
                "data: the checkpoint was made with other packs, data.num_workers, batch_size, "
                "shuffle_rows, seed or number of processes; some rows of epoch %d come twice or "
                "not at all",
                self.epoch,
            )

    def _layout(self) -> list[int]:
        stream = self.stream
        sizes = stream.rows, stream.batches, stream.batch_size, stream.shuffle_rows
        return [*sizes, stream.seed, stream.world, max(self.num_workers, 1)]


def _as_it_is(batch: Any) -> Any:
    return batch


def _one_thread(worker: int) -> None:
    del worker
    cv2.setNumThreads(0)
