from __future__ import annotations

import logging
import resource
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from xpress.callbacks.checkpoints import RunCheckpoints
from xpress.checkpoints.files import CheckpointFiles, read_checkpoint

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*ended before the epoch ended"),
]


class Model(pl.LightningModule):
    """One large weight, trained by hand or not; validation gets worse after the second epoch."""

    def __init__(self, manual: bool = False, rows: int = 100) -> None:
        super().__init__()
        self.automatic_optimization = not manual
        self.layer = torch.nn.Linear(rows, 300)
        self.happens = lambda batch: None

    def training_step(self, batch, batch_idx):
        self.happens(self.trainer.fit_loop.total_batch_idx)
        loss = self.layer(batch).square().mean()
        if self.automatic_optimization:
            return loss
        for optimizer in self.optimizers():
            optimizer.zero_grad()
            self.manual_backward(self.layer(batch).square().mean())
            optimizer.step()
        return None

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", float(abs(self.current_epoch - 1)))

    def configure_optimizers(self):
        count = 1 if self.automatic_optimization else 2
        return [torch.optim.SGD(self.parameters(), 0.1) for _ in range(count)]

    def train_dataloader(self):
        return DataLoader(torch.randn(16, self.layer.in_features), 2)

    val_dataloader = train_dataloader


def fit(folder: Path, model: Model, epochs: int = 4, ckpt: Path | None = None, **options):
    saving = {"dirpath": str(folder), "filename": "best", "monitor": "val/loss", **options}
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        callbacks=[RunCheckpoints(**saving)],
        plugins=[CheckpointFiles()],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(model, ckpt_path=ckpt, weights_only=True)
    return trainer


def batches(path: Path) -> int:
    """Batches that a checkpoint's run had trained on."""
    loops = torch.load(path, weights_only=True)["loops"]["fit_loop"]
    return loops["epoch_loop.batch_progress"]["total"]["processed"]


def test_last_is_the_last_and_best_the_best(tmp_path: Path):
    trainer = fit(tmp_path, Model())
    assert batches(tmp_path / "best.ckpt") == 16
    assert batches(tmp_path / "last.ckpt") == 32
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best.ckpt", "last.ckpt"]
    assert trainer.checkpoint_callback.best_model_score == 0


@pytest.mark.parametrize("manual", [False, True])
@pytest.mark.parametrize("option", [{"every_n_batches": 3}, {"every_minutes": 0.0}])
def test_last_is_renewed_in_mid_epoch(tmp_path: Path, manual: bool, option: dict):
    last, seen = tmp_path / "last.ckpt", {}
    model = Model(manual)
    model.happens = lambda batch: last.is_file() and seen.update({batch: batches(last)})
    fit(tmp_path, model, 2, **{"every_minutes": None, **option})
    if "every_n_batches" in option:
        # batch 8 ends the first epoch
        expected = [3, 3, 3, 6, 6, 8, 9, 9, 9, 12, 12, 12, 15]
    else:
        expected = list(range(1, 16))
    assert seen == dict(zip(range(16 - len(expected), 16), expected, strict=True))


def test_without_clock_and_count_there_is_none_in_mid_epoch(tmp_path: Path):
    model, seen = Model(), []
    model.happens = lambda batch: seen.append(len(list(tmp_path.iterdir())))
    fit(tmp_path, model, 1, every_minutes=None)
    assert seen == [0] * 8


def test_a_full_disk_keeps_the_good_ones_and_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    model = Model()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def happen(batch: int) -> None:
        small = 50_000 if 10 <= batch < 20 else limits[0]
        resource.setrlimit(resource.RLIMIT_FSIZE, (small, limits[1]))

    model.happens = happen
    try:
        with caplog.at_level(logging.WARNING):
            trainer = fit(tmp_path, model, 3, every_n_batches=6)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    told = [message for message in caplog.messages if "cannot be written" in message]
    # batches 12 and 18, and both files at the end of the epoch between them
    assert len(told) == 4
    assert all("training goes on" in message and "\n" not in message for message in told)
    assert trainer.current_epoch == 3
    assert batches(tmp_path / "best.ckpt") == 8  # epoch 1 was better, but did not reach the disk
    assert trainer.checkpoint_callback.best_model_path == str(tmp_path / "best.ckpt")
    assert trainer.checkpoint_callback.best_model_score == 1
    assert batches(tmp_path / "last.ckpt") == 24
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best.ckpt", "last.ckpt"]
    read_checkpoint(tmp_path / "best.ckpt")


def test_a_run_resumed_elsewhere_still_knows_the_best(tmp_path: Path):
    first, second = tmp_path / "first", tmp_path / "second"
    fit(first, Model(), 3)
    trainer = fit(second, Model(), 4, first / "last.ckpt")
    assert trainer.checkpoint_callback.best_model_path == str(first / "best.ckpt")
    assert [p.name for p in second.iterdir()] == ["last.ckpt"]
    assert sorted(p.name for p in first.iterdir()) == ["best.ckpt", "last.ckpt"]
    # without the file its score is worth nothing
    (first / "best.ckpt").unlink()
    trainer = fit(tmp_path / "third", Model(), 4, first / "last.ckpt")
    assert trainer.checkpoint_callback.best_model_path == str(tmp_path / "third" / "best.ckpt")
