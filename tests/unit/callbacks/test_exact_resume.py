from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import Dataset
from xpress.data_modules.resumable import ResumableSampler, resumable_loader, row_generator

from xpress.callbacks.checkpoints import RunCheckpoints
from xpress.callbacks.exact_resume import ExactResume, collect, restore

pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers")


def draw() -> list[float]:
    legacy = float(np.random.random())  # noqa: NPY002
    return [random.random(), random.gauss(0, 1), legacy, float(torch.rand(()))]


def test_states_survive_a_checkpoint_file(tmp_path: Path):
    before = collect()
    try:
        draw()
        torch.save(collect(), tmp_path / "states")
        expected = [draw(), draw()]
        restore(torch.load(tmp_path / "states", weights_only=True))
        assert [draw(), draw()] == expected
    finally:
        restore(before)


class Rows(Dataset):
    def __len__(self):
        return 12

    def __getitem__(self, index):
        rng = row_generator(index, np.random.default_rng(0))
        return torch.from_numpy(rng.random(3)).float() + index


class Model(pl.LightningModule):
    """Asks for the loader's length while it is set up, and draws from every global state."""

    def __init__(self, manual: bool) -> None:
        super().__init__()
        self.automatic_optimization = not manual
        self.layer = torch.nn.Linear(3, 1)
        self.seen: list = []

    def training_step(self, batch, batch_idx):
        loss = (self.layer(batch) * draw()[batch_idx % 4]).square().mean()
        self.seen.append((self.current_epoch, batch_idx, loss.item()))
        if self.automatic_optimization:
            return loss
        for optimizer in self.optimizers():
            optimizer.zero_grad()
            self.manual_backward(self.layer(batch).square().mean() * random.random())
            optimizer.step()
        return None

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", self.layer(batch).square().mean() * draw()[0])

    def configure_optimizers(self):
        assert self.trainer.estimated_stepping_batches > 0
        count = 1 if self.automatic_optimization else 2
        return [torch.optim.Adam(self.parameters(), 0.1) for _ in range(count)]

    def train_dataloader(self):
        return resumable_loader(Rows(), ResumableSampler(12, 2))

    def val_dataloader(self):
        return torch.utils.data.DataLoader(Rows(), 4)


def run(folder: Path, manual: bool, ckpt: Path | None = None, **options) -> Model:
    pl.seed_everything(1, verbose=False)
    model = Model(manual)
    trainer = pl.Trainer(
        **{"max_epochs": 3, **options},
        accelerator="cpu",
        logger=False,
        callbacks=[ExactResume(), RunCheckpoints(dirpath=str(folder), every_n_batches=1)],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(model, ckpt_path=ckpt, weights_only=True)
    return model


@pytest.mark.parametrize("manual", [False, True])
@pytest.mark.parametrize("setting", [{}, {"val_check_interval": 0.5}])
@pytest.mark.parametrize("stop", [4, 9, 12])
def test_from_any_batch_on_the_same_numbers(
    tmp_path: Path, manual: bool, setting: dict, stop: int, monkeypatch: pytest.MonkeyPatch
):
    """Six batches an epoch: stops lie in the middle and at the end of one."""
    whole = run(tmp_path / "whole", manual, **setting)
    assert len(whole.seen) == 18

    class Stopped(Exception):
        pass

    step = Model.training_step

    def until(self, batch, batch_idx):
        if len(self.seen) == stop:
            raise Stopped
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(Model, "training_step", until)
        with pytest.raises(Stopped):
            run(tmp_path / "broken", manual, **setting)
    resumed = run(tmp_path / "resumed", manual, tmp_path / "broken" / "last.ckpt", **setting)
    assert resumed.seen == whole.seen[stop:]
    assert torch.equal(resumed.layer.weight, whole.layer.weight)
