"""How many images a run trains on per second, and how long it waits for them."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning import Callback
from pytorch_lightning.utilities.data import extract_batch_size
from torch import Tensor


class Throughput(Callback):
    """Logs `throughput/images_per_second` and `throughput/waiting`, of training alone.

    Both are of the batches since they were logged last, at every `log_every_n_steps`; what passes
    between epochs and in validation does not count. `images_per_second` is that of all processes;
    `waiting` is the share of the time that went into waiting for the loader. Lightning's
    `ThroughputMonitor` would wait for the GPU after every batch.
    """

    def __init__(self) -> None:
        self._restart()

    def _restart(self) -> None:
        self._start: float | None = None
        self._ended = 0.0
        self._waited = 0.0
        self._images = 0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """What passed since the last batch is no training."""
        self._restart()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """As at the start of an epoch."""
        self._restart()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """The wait for this batch is over."""
        if self._start is not None:
            self._waited += time.perf_counter() - self._ended

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Count, and log now and then. The first batch only starts the clock: it warms up."""
        self._ended = time.perf_counter()
        if self._start is None:
            self._start = self._ended
            return
        self._images += batch_rows(batch)
        if (trainer.fit_loop.total_batch_idx + 1) % trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            self._log(trainer)

    def _log(self, trainer: pl.Trainer) -> None:
        assert self._start is not None
        passed = max(self._ended - self._start, 1e-9)
        figures = {
            "throughput/images_per_second": self._images * trainer.world_size / passed,
            "throughput/waiting": self._waited / passed,
        }
        step = trainer.fit_loop.epoch_loop._batches_that_stepped
        for logger in trainer.loggers:
            logger.log_metrics(figures, step=step)
        self._start, self._waited, self._images = self._ended, 0.0, 0


def batch_rows(batch: Any) -> int:
    """Rows of a tensor, of a batch structure of ours, or of a collection of tensors."""
    if isinstance(batch, (Tensor, list, tuple, dict)):
        return extract_batch_size(batch)
    return len(batch)
