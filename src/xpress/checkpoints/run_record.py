"""What a run was, in its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning import Callback

KEY = "xpress"
"""The entry of a checkpoint that holds the record."""


class RunRecord(Callback):
    """Puts the run's settings and its last figures into every checkpoint.

    With them a checkpoint alone is enough to build the network again.

    Args:
        settings: plain values, such as the task and the configuration of model and data.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = dict(settings)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Called by Lightning."""
        figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
        checkpoint[KEY] = {**self.settings, "figures": figures}
