"""Rows and means over several processes against one process that has all rows."""

from __future__ import annotations

import socket
from unittest.mock import Mock

import pytest
import torch
from pytorch_lightning import Trainer
from torch import distributed, multiprocessing
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler

from xpress.models.face_autoencoder.losses import mean_of
from xpress.models.gather import gather_rows, mean_count, without_repeats

VALUES = torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0])
CHOSEN = torch.tensor([True, False, False, True, True, True, True])
SHARES = ((0, 2), (2, 7), (7, 7))  # rows of each process; the last has none


def trainer_of(loader: DataLoader, testing: bool = False) -> Mock:
    """A trainer in the middle of an evaluation."""
    loaders = {"val_dataloaders": None if testing else [loader], "test_dataloaders": loader}
    return Mock(spec=Trainer, testing=testing, **loaders)


def in_process(rank: int, port: int, folder: str) -> None:
    address = f"tcp://127.0.0.1:{port}"
    distributed.init_process_group("gloo", address, rank=rank, world_size=len(SHARES))
    part = slice(*SHARES[rank])
    scale = torch.ones((), requires_grad=True)
    mean_of(VALUES[part] * scale, CHOSEN[part]).backward()
    table = VALUES[part, None].expand(-1, 3)
    result = {
        "rows": gather_rows(table),
        "flags": gather_rows(CHOSEN[part]),
        "gradient": scale.grad,
        "nobody": mean_count(torch.tensor(0)),
    }
    torch.save(result, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.slow
def test_three_processes_see_what_one_sees(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = (port, str(tmp_path))
    multiprocessing.start_processes(in_process, arguments, len(SHARES), start_method="fork")
    results = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(3)]
    for result in results:
        assert torch.equal(result["rows"], VALUES[:, None].expand(-1, 3))
        assert torch.equal(result["flags"], CHOSEN)
        assert result["nobody"] == 1
    gradients = torch.stack([result["gradient"] for result in results])
    torch.testing.assert_close(gradients.mean(), VALUES[CHOSEN].mean())


def test_one_process_keeps_its_rows_and_gradients():
    rows = torch.ones(3, 2, requires_grad=True)
    assert gather_rows(rows) is rows
    assert mean_count(torch.tensor(5)) == 5
    assert mean_count(torch.tensor(0)) == 1


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8])
@pytest.mark.parametrize("batch_size", [1, 2, 3])
@pytest.mark.parametrize("testing", [False, True])
def test_every_row_is_evaluated_once(count: int, batch_size: int, testing: bool):
    seen, batches = [], []
    for rank in range(3):
        sampler = DistributedSampler(range(count), 3, rank, shuffle=False)
        loader = DataLoader(range(count), batch_size=batch_size, sampler=sampler)
        trainer = trainer_of(loader, testing)
        batches.append(len(loader))
        for index, batch in enumerate(loader):
            seen += without_repeats(batch, trainer, index).tolist()
    assert sorted(seen) == list(range(count))
    assert len(set(batches)) == 1  # nobody waits for another's batch


def test_other_samplers_are_left_alone():
    loader = DataLoader(range(5), batch_size=2)
    assert without_repeats(torch.arange(2), trainer_of(loader), 0).tolist() == [0, 1]
