"""Training of the eye landmark network (Lightning)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from pydantic import PositiveFloat
from pytorch_lightning import LightningModule
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from xpress.batches import LandmarkBatch
from xpress.media.eye_crop import CENTER, EYE_WIDTH, HEIGHT, POINTS, WIDTH
from xpress.models.eye_landmarks.losses import EyeLandmarkLossWeights, landmark_terms
from xpress.models.eye_landmarks.metrics import eye_metrics
from xpress.models.eye_landmarks.networks import LandmarkNetwork
from xpress.models.face_autoencoder.metrics import figure_table
from xpress.models.gather import gather_rows, without_repeats
from xpress.models.generator_weights import load_generator

ENLARGED = 3
"""Of the crops in the sample grid."""


class EyeLandmarks(LightningModule):
    """Reads lids and irises of single eyes.

    Args:
        channels: of the network, as its repeats and the hidden numbers.
        repeats: see `LandmarkNetwork`.
        hidden: likewise.
        dropout: likewise.
        weights: of the losses, or what makes them; None gives the usual ones.
        learning_rate: the highest of one cycle.
        weight_decay: of convolutions and matrices.
        ema_decay: of the moving average, which is validated and exported.
        init_from: checkpoint or safetensors to start from.
    """

    crop_size, point_count = (HEIGHT, WIDTH), POINTS
    default_weights: Callable[[], Any] = EyeLandmarkLossWeights

    def __init__(
        self,
        channels: Sequence[int] = (16, 32, 48, 64),
        repeats: Sequence[int] = (1, 2, 2, 1),
        hidden: int = 96,
        dropout: float = 0.1,
        weights: Any = None,
        learning_rate: PositiveFloat = 3e-3,
        weight_decay: float = 0.02,
        ema_decay: float = 0.995,
        init_from: str | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["weights"])
        weights = self.default_weights if weights is None else weights
        self.weights = weights() if callable(weights) else weights
        self.network = LandmarkNetwork(
            channels, repeats, hidden, dropout, self.crop_size, self.point_count
        )
        if init_from:
            load_generator(self.network, init_from)
        self.average = AveragedModel(
            self.network, multi_avg_fn=get_ema_multi_avg_fn(ema_decay), use_buffers=True
        )
        self._rows: dict[int, list[tuple[Tensor, Tensor, Tensor]]] = {}

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B P 2"]:
        """Points by the averaged network."""
        self.average.eval()
        return self.average(image)

    def training_step(self, batch: LandmarkBatch, batch_index: int) -> Tensor:
        """One batch of the data module."""
        del batch_index
        terms = self.terms(self.network(batch.image), batch.points)
        loss = self.total(terms)
        values = {f"train/{name}": value.detach() for name, value in terms.items()}
        self.log_dict(values | {"train/loss": loss.detach()}, batch_size=len(batch))
        return loss

    def terms(
        self, points: Float[Tensor, "B P 2"], target: Float[Tensor, "B P 2"]
    ) -> dict[str, Tensor]:
        """Losses by name."""
        return landmark_terms(points, target)

    def figures(
        self,
        points: Float[Tensor, "B P 2"],
        target: Float[Tensor, "B P 2"],
        group: Int[Tensor, " B"],
    ) -> dict[str, float]:
        """Accuracy over a whole set."""
        return eye_metrics(points, target, group)

    def places(self, points: Float[np.ndarray, "P 2"]) -> Float[np.ndarray, "P 2"]:
        """Points in pixels of the crop."""
        return points * EYE_WIDTH + CENTER

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Weighted sum."""
        return torch.stack([getattr(self.weights, n) * v for n, v in terms.items()]).sum()

    def on_train_batch_end(self, *_: object) -> None:
        """The moving average follows."""
        self.average.update_parameters(self.network)

    def on_validation_epoch_start(self) -> None:
        """Points are collected over each set: correlations need it whole."""
        self._rows = {}

    def validation_step(
        self, batch: LandmarkBatch, batch_index: int, dataloader_idx: int = 0
    ) -> None:
        """Crops of one set, placed as badly as in use."""
        if self._trainer is not None:
            batch = without_repeats(batch, self.trainer, batch_index, dataloader_idx)
        points = self(batch.image)
        self._rows.setdefault(dataloader_idx, []).append((points, batch.points, batch.group))

    def on_validation_epoch_end(self) -> None:
        """Log every figure; `val/loss` is what checkpoints are chosen by."""
        self._log_figures("val")

    def on_test_epoch_start(self) -> None:
        """As in validation."""
        self._rows = {}

    def test_step(self, batch: LandmarkBatch, batch_index: int, dataloader_idx: int = 0) -> None:
        """As in validation."""
        self.validation_step(batch, batch_index, dataloader_idx)

    def on_test_epoch_end(self) -> None:
        """Log every figure, and print the table of the model card."""
        self._log_figures("test")
        if self.trainer.is_global_zero:
            print(figure_table(self.trainer.callback_metrics, "test"))

    def _log_figures(self, stage: str) -> None:
        data = getattr(self.trainer, "datamodule", None) if self._trainer else None
        names = list(getattr(data, f"{stage}_names", []))
        chosen = []
        for number, rows in self._rows.items():
            name = names[number] if number < len(names) else str(number)
            columns = (torch.cat(column) for column in zip(*rows, strict=True))
            figures = self.figures(*map(gather_rows, columns))
            self.log_dict({f"{stage}/{name}/{n}": v for n, v in figures.items()}, sync_dist=True)
            chosen.append(sum(v for n, v in figures.items() if n.endswith("/error")))
        if chosen:
            self.log(f"{stage}/loss", sum(chosen) / len(chosen), prog_bar=True, sync_dist=True)

    def configure_optimizers(self):
        """AdamW, one cycle over all steps."""
        settings = self.hparams
        rate = settings["learning_rate"]
        optimizer = torch.optim.AdamW(
            self.network.parameters(),
            settings["learning_rate"],
            weight_decay=settings["weight_decay"],
        )
        steps = max(int(self.trainer.estimated_stepping_batches), 2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, rate, total_steps=steps, pct_start=0.15
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def picture_grid(self, batch: LandmarkBatch, rows: int = 8) -> UInt8[np.ndarray, "H W 3"]:
        """Labels (red) and what is read (green) on some crops."""
        some = batch.map(lambda tensor: tensor[:rows])
        with torch.no_grad():
            points = self(some.image)
        pictures = []
        for image, label, read in zip(some.image, some.points, points, strict=True):
            picture = (255 * image).byte().permute(1, 2, 0).cpu().numpy()
            picture = cv2.resize(picture, None, fx=ENLARGED, fy=ENLARGED)
            for found, color in ((label, (255, 40, 40)), (read, (60, 255, 60))):
                places = (self.places(found.cpu().numpy()) * ENLARGED).round().astype(int)
                for x, y in places.tolist():
                    cv2.circle(picture, (x, y), 1, color, -1)
            pictures.append(picture)
        return np.concatenate(pictures, axis=0)
