from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, SequentialSampler
from xpress.data_modules.resumable import (
    ResumableLoader,
    ResumableSampler,
    SeededRow,
    resumable_loader,
    row_generator,
)


class Noise(Dataset):
    """Each row is its number and three random values."""

    def __init__(self, rows: int = 23) -> None:
        self.rows = rows
        self.rng = np.random.default_rng(0)

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, index: int) -> torch.Tensor:
        values = row_generator(index, self.rng).random(3)
        return torch.tensor([float(index), *values])


def loader(workers: int = 0, rows: int = 23, batch: int = 4, seed: int = 3) -> ResumableLoader:
    return resumable_loader(Noise(rows), ResumableSampler(rows, batch, seed), workers)


def epochs(source: ResumableLoader, count: int) -> list[list[torch.Tensor]]:
    taken = []
    for epoch in range(count):
        source.sampler.set_epoch(epoch)
        taken.append(list(source))
    return taken


def same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return len(first) == len(second) and all(map(torch.equal, first, second))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("stop", [1, 3])
def test_a_new_process_continues_in_mid_epoch(workers: int, stop: int):
    whole = epochs(loader(), 3)
    first = loader(workers)
    first.sampler.set_epoch(1)
    begun = iter(first)
    taken = [next(begun) for _ in range(stop)]
    state = pickle.loads(pickle.dumps(first.state_dict()))

    second = loader(workers)
    second.load_state_dict(state)
    # as Lightning does: `iter` comes before the epoch is set
    rest = iter(second)
    second.sampler.set_epoch(1)
    assert len(second) == 5
    assert second.state_dict() == state
    assert same(taken + list(rest), whole[1])
    second.sampler.set_epoch(2)
    assert same(list(second), whole[2])


def test_rows_come_once_and_epochs_differ():
    first, second = epochs(loader(rows=24), 2)
    rows = torch.cat(first)[:, 0]
    assert sorted(rows.tolist()) == list(range(24))
    assert not torch.equal(rows, torch.cat(second)[:, 0])
    # the same row is another picture in another epoch
    values = [torch.cat(e)[torch.cat(e)[:, 0].argsort(), 1] for e in (first, second)]
    assert not (values[0] == values[1]).any()


def test_an_epoch_that_was_all_taken_is_over():
    first = loader()
    list(first)
    second = loader()
    second.load_state_dict(first.state_dict())
    second.sampler.set_epoch(1)
    assert same(list(second), epochs(loader(), 2)[1])


def test_processes_together_see_the_larger_batch():
    single = list(resumable_loader(Noise(), ResumableSampler(23, 6, seed=1)))
    parts = [
        list(resumable_loader(Noise(), ResumableSampler(23, 2, 1, rank, 3))) for rank in range(3)
    ]
    assert len(single) == 3
    assert same([torch.cat(step) for step in zip(*parts, strict=True)], single)


def test_fewer_rows_than_a_batch_are_repeated():
    (batch,) = loader(rows=3, batch=8)
    assert sorted(torch.bincount(batch[:, 0].long()).tolist()) == [2, 3, 3]
    assert len({tuple(row.tolist()) for row in batch}) == 8


def test_another_sampler_is_run_forward():
    dataset = Noise(12)
    plain = ResumableLoader(dataset, 3, sampler=SequentialSampler(dataset))
    plain.load_state_dict({"batches": 2})
    assert torch.cat(list(plain))[:, 0].tolist() == list(range(6, 12))
    assert torch.cat(list(plain))[:, 0].tolist() == list(range(12))


def test_no_global_random_state_is_touched():
    before = torch.get_rng_state()
    list(loader())
    assert torch.equal(torch.get_rng_state(), before)


def test_draws_are_row_numbers():
    draw = pickle.loads(pickle.dumps(SeededRow(4, 2**62)))
    assert (draw, draw.seed) == (4, 2**62)
    assert ["a", "b", "c", "d", "e"][draw] == "e"
    otherwise = np.random.default_rng(0)
    assert row_generator(4, otherwise) is otherwise
    assert isinstance(next(iter(DataLoader(Noise()))), torch.Tensor)
