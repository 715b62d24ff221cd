"""Pictures of any network: the first batch of every set, once a validation, by one process."""

from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only
from torch.utils.data import DataLoader

from xpress.callbacks.pictures import PictureGrid
from xpress.models.face_autoencoder.module import FaceAutoencoder


class Blind(pl.LightningModule):
    """Learns a number and draws nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.number = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch, batch_index):
        return (batch["shade"].float().mean() - self.number) ** 2

    def validation_step(self, batch, batch_index, dataloader_idx=0):
        self.log("shade", batch["shade"].float().mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


class Seeing(Blind):
    """Draws the batch's shades of red, one a row, and counts."""

    drawn = 0

    def picture_grid(self, batch, rows):
        self.drawn += 1
        grid = np.zeros((8 * len(batch["shade"][:rows]), 24, 3), np.uint8)
        grid[..., 0] = np.repeat(batch["shade"][:rows].cpu().numpy(), 8)[:, None]
        return grid


class Shades(pl.LightningDataModule):
    """Two validation sets of batches that are dictionaries."""

    val_names = ("dark", "bright")

    def train_dataloader(self):
        return _loader(0)

    def val_dataloader(self):
        return [_loader(20), _loader(200)]


def _loader(first: int) -> DataLoader:
    rows = [{"shade": torch.tensor(first + i)} for i in range(8)]
    return DataLoader(rows, batch_size=4)


def _fit(module: pl.LightningModule, folder: Path, **options) -> None:
    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        callbacks=[PictureGrid(str(folder / "pictures"), rows=3)],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
        **options,
    )
    trainer.fit(module, datamodule=Shades())


def test_every_set_is_drawn_once_a_validation(tmp_path: Path):
    module = Seeing()
    _fit(module, tmp_path, logger=False)
    names = ["epoch_000_bright", "epoch_000_dark", "epoch_001_bright", "epoch_001_dark"]
    assert sorted(path.stem for path in (tmp_path / "pictures").iterdir()) == names
    assert module.drawn == 4
    picture = np.asarray(Image.open(tmp_path / "pictures" / "epoch_001_bright.jpg")).astype(int)
    assert picture.shape == (24, 24, 3)
    np.testing.assert_allclose(picture[::8, 12, 0], [200, 201, 202], atol=4)


def test_pictures_reach_tensorboard(tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _fit(Seeing(), tmp_path, logger=TensorBoardLogger(tmp_path, name="", version=""))
    events = EventAccumulator(str(tmp_path), size_guidance={"images": 0}).Reload()
    figures = [event.step for event in events.Scalars("shade/dataloader_idx_0")]
    assert [event.step for event in events.Images("val/dark")] == figures
    assert (events.Images("val/dark")[0].width, events.Images("val/dark")[0].height) == (24, 24)


def test_networks_without_pictures_train_without(tmp_path: Path):
    _fit(Blind(), tmp_path, logger=False)
    assert not (tmp_path / "pictures").exists()


def test_only_the_first_process_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    module = Seeing()
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    _fit(module, tmp_path, logger=False)
    assert module.drawn == 0
    assert not (tmp_path / "pictures").exists()


def test_the_autoencoder_offers_pictures():
    from xpress.callbacks.pictures import DrawsPictures

    assert isinstance(FaceAutoencoder(width=0.25, size=64), DrawsPictures)
    assert not isinstance(Blind(), DrawsPictures)
