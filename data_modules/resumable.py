"""Training data that continues in the middle of an epoch exactly where it stopped.

What a row becomes is a function of the seed, the epoch and its place in the epoch alone: of no
state that a killed process takes with it, of no number of workers and of no rank. So a checkpoint
has to remember one number, the batches already taken. How a data module uses it:

    def train_dataloader(self):
        place = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        sampler = ResumableSampler(len(self.train_set), self.batch_size, self.seed, *place)
        return resumable_loader(self.train_set, sampler, num_workers=self.num_workers)

and its dataset draws nothing but from the generator of the row:

    def __getitem__(self, index):
        rng = row_generator(index, self._rng)  # `_rng` where the index is a plain int

Lightning stores the loader's `state_dict` in every checkpoint, gives it back before the first
epoch, and calls the sampler's `set_epoch`. The sampler shares the rows out between processes
itself, and Lightning leaves it alone, because it is a `DistributedSampler`. Other orders than a
shuffle override `order`, as `sampling.FaceSampler` does.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.distributed import DistributedSampler


class SeededRow(int):
    """A row number that carries the seed of its random choices; any dataset takes it as an int."""

    seed: int

    def __new__(cls, row: int, seed: int) -> SeededRow:
        """Row `row`, whose random choices follow `seed` (not negative)."""
        draw = super().__new__(cls, row)
        draw.seed = seed
        return draw

    def __reduce__(self) -> tuple[Any, ...]:
        return SeededRow, (int(self), self.seed)


def row_generator(index: int, otherwise: np.random.Generator) -> np.random.Generator:
    """The random state for one row: new for a `SeededRow`, else `otherwise`."""
    return np.random.default_rng(index.seed) if isinstance(index, SeededRow) else otherwise


class ResumableSampler(DistributedSampler[int]):
    """Rows of an epoch in seeded order, in whole batches, from any batch on.

    With W processes, batch b of process r is batch b·W + r of the epoch: together they see, in
    step b, what one process with W times the batch size sees.

    Args:
        rows: rows of an epoch, all processes together; a rest that fills no batch for each of
            them is left out, and fewer rows than that are repeated.
        batch_size: rows of a batch of one process.
        seed: the same seed and epoch give the same rows, on every process.
        rank: number of this process.
        world_size: number of processes.
    """

    def __init__(
        self, rows: int, batch_size: int, seed: int = 0, rank: int = 0, world_size: int = 1
    ) -> None:
        super().__init__(range(rows), world_size, rank, seed=seed)  # type: ignore[arg-type]
        self.rows, self.batch_size = rows, batch_size
        self.batches = max(rows // (batch_size * world_size), 1)
        self.start = 0

    def __len__(self) -> int:
        """Rows of this process."""
        return self.batches * self.batch_size

    def order(self, generator: torch.Generator) -> Int[Tensor, " N"]:
        """Rows of one epoch for all processes; here a shuffle. Draw from `generator` only."""
        return torch.randperm(self.rows, generator=generator)

    def __iter__(self) -> Iterator[int]:
        """The rest of the epoch from batch `start`, which is used up; then the next epoch."""
        start, self.start = self.start, 0
        epoch, self.epoch = self.epoch, self.epoch + 1
        order = self.order(torch.Generator().manual_seed(self.seed * 1_000_003 + epoch))
        count = len(self) * self.num_replicas
        order = order.repeat(-(-count // max(len(order), 1)))[:count]
        seeds = np.random.default_rng([self.seed, epoch]).integers(2**63, size=count)
        shape = self.batches, self.num_replicas, self.batch_size
        rows = order.view(shape)[start:, self.rank].flatten().tolist()
        own = seeds.reshape(shape)[start:, self.rank].flatten().tolist()
        return map(SeededRow, rows, own)


class ResumableLoader(DataLoader):
    """A loader whose place in the epoch is part of the checkpoint.

    Batches count as taken once they are handed out, not when workers fetch them ahead. Another
    sampler than ours is run forward: exact where it and the dataset are, only slower.
    """

    _taken = 0
    _skip = 0

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        # The first batch starts it, not `iter`, which Lightning calls before it sets the epoch.
        skip, self._skip = self._skip, 0
        self._taken = skip
        if isinstance(self.sampler, ResumableSampler):
            self.sampler.start, skip = skip, 0
        for batch in itertools.islice(super().__iter__(), skip, None):
            self._taken += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Called by Lightning for a checkpoint."""
        return {"batches": self._taken}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Called by Lightning with a checkpoint from the middle of an epoch."""
        self._taken = self._skip = state["batches"] % max(len(self), 1)


def resumable_loader(
    dataset: Dataset, sampler: ResumableSampler, num_workers: int = 0, **options: Any
) -> ResumableLoader:
    """The loader of a `ResumableSampler`, in batches of its size.

    Args:
        dataset: takes `SeededRow`s as indices.
        sampler: the order of the rows.
        num_workers: processes that fetch ahead, kept from epoch to epoch.
        options: of `torch.utils.data.DataLoader`.
    """
    return ResumableLoader(
        dataset,
        batch_size=sampler.batch_size,
        sampler=sampler,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        drop_last=True,
        # Without its own, a loader takes a seed from torch's global state at every start.
        generator=torch.Generator().manual_seed(sampler.seed + 7919 * sampler.rank),
        **options,
    )
