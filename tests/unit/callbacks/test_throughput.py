from __future__ import annotations

import time

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers.logger import DummyLogger
from torch.utils.data import DataLoader, Dataset

from xpress.callbacks.throughput import Throughput, batch_rows
from xpress.structures import FaceParameters

pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers")


class Slow(Dataset):
    def __len__(self):
        return 40

    def __getitem__(self, index):
        time.sleep(0.005)
        return torch.zeros(2)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch, batch_idx):
        time.sleep(0.02)
        return self.layer(batch).mean()

    def validation_step(self, batch, batch_idx):
        time.sleep(0.3)  # does not count

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


class Memory(DummyLogger):
    def __init__(self):
        super().__init__()
        self.rows = []

    def log_metrics(self, metrics, step=None):
        self.rows.append((step, dict(metrics)))


def test_images_per_second_and_the_wait_for_them():
    memory = Memory()
    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=memory,
        log_every_n_steps=5,
        callbacks=[Throughput()],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(Model(), DataLoader(Slow(), 4), DataLoader(torch.zeros(1, 2)))
    rows = [(step, row) for step, row in memory.rows if "throughput/waiting" in row]
    assert [step for step, _ in rows] == [4, 9, 14, 19]
    for _, row in rows:
        # a batch of 4 takes at least 20 ms to load and 20 ms to train on
        assert 20 < row["throughput/images_per_second"] <= 100
        assert 0.1 < row["throughput/waiting"] < 0.9


def test_rows_of_any_batch():
    assert batch_rows(torch.zeros(3, 8)) == 3
    assert batch_rows([torch.zeros(5, 2), torch.zeros(5)]) == 5
    zeros = torch.zeros
    pose = zeros(7, 3), zeros(7, 2), zeros(7)
    assert batch_rows(FaceParameters(*[zeros(7, 2)] * 3, zeros(7, 9, 3), *pose)) == 7
