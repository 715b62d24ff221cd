"""Averaged weights for validation and checkpoints."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EMAWeightAveraging


class AveragedWeights(EMAWeightAveraging):
    """Lightning's exponential moving average, which leaves constants alone.

    Buffers that no checkpoint holds, such as the face model's, would be averaged too: they drift
    by rounding, and a resumed run, which starts from them as they are, validates differently.
    """

    @property
    def state_key(self) -> str:
        """That of the class before it, whose checkpoints are these."""
        return EMAWeightAveraging.__qualname__

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Average what is trained."""
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        self._keep_constants(pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Average what is trained."""
        super().on_train_epoch_end(trainer, pl_module)
        self._keep_constants(pl_module)

    @torch.no_grad()
    def _keep_constants(self, pl_module: pl.LightningModule) -> None:
        assert self._average_model is not None
        held = pl_module.state_dict().keys()
        averaged = dict(self._average_model.module.named_buffers())
        for name, value in pl_module.named_buffers():
            if name not in held:
                averaged[name].copy_(value)
