"""The best and the last checkpoint of a run, through kills, preemption and full disks."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities.exceptions import SIGTERMException

from xpress.checkpoints.files import CheckpointNotWritten

_log = logging.getLogger(__name__)

_BOOKS = (
    "best_k_models",
    "best_model_path",
    "best_model_score",
    "current_score",
    "kth_best_model_path",
    "kth_value",
    "last_model_path",
    "_last_checkpoint_saved",
    "_last_global_step_saved",
)
_CLOCK_EVERY = 10
"""Batches between two looks at the clock where several processes have to agree on it."""


class RunCheckpoints(ModelCheckpoint):
    """`ModelCheckpoint`, whose `last.ckpt` is where the run is.

    Lightning renews `last.ckpt` only with a new best; here it is renewed at the end of every
    epoch, every few minutes of training, and on SIGTERM, with automatic and manual optimisation
    alike. A checkpoint that cannot be written is told in one line; the good ones before it stay,
    and training goes on.

    Args:
        every_minutes: between two `last.ckpt` in mid-epoch; None for none.
        every_n_batches: the same, counted in batches since training began.
        options: of `ModelCheckpoint`: dirpath, filename, monitor, mode, save_top_k and others.
    """

    def __init__(
        self,
        every_minutes: int | float | None = 5,
        every_n_batches: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**{"save_last": True, "enable_version_counter": False, **options})
        self.every_minutes, self.every_n_batches = every_minutes, every_n_batches
        self._clock = time.monotonic()
        self._kept = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The first minutes begin."""
        super().on_train_start(trainer, pl_module)
        self._clock = time.monotonic()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Renew `last.ckpt` when it is time."""
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        # the end of the epoch writes it anyway
        if not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch and self._due(trainer):
            self._keep_last(trainer)

    def _due(self, trainer: pl.Trainer) -> bool:
        number = trainer.fit_loop.total_batch_idx + 1
        if self.every_n_batches and number % self.every_n_batches == 0:
            return True
        if self.every_minutes is None or (trainer.world_size > 1 and number % _CLOCK_EVERY):
            return False
        passed = time.monotonic() - self._clock >= 60 * self.every_minutes
        return trainer.strategy.broadcast(passed)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The best, if this was it, and in any case the last."""
        kept = self._kept
        super().on_train_epoch_end(trainer, pl_module)
        if self._kept == kept:
            self._keep_last(trainer)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """SIGTERM is raised between two batches, where the state of the run is whole."""
        super().on_exception(trainer, pl_module, exception)
        if isinstance(exception, SIGTERMException) and self._keep_last(trainer):
            _log.info("SIGTERM: saved %s; ckpt=last continues from there", self.last_model_path)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """A run resumed in another folder still knows the best checkpoint of the one before."""
        best = state_dict.get("best_model_path")
        if best and Path(best).is_file():
            super().load_state_dict({**state_dict, "dirpath": self.dirpath})

    def _keep_last(self, trainer: pl.Trainer) -> bool:
        if trainer.fast_dev_run or trainer.state.fn != TrainerFn.FITTING or not self.save_last:  # type: ignore[attr-defined]
            return False
        kept, step = self._kept, self._last_global_step_saved
        self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))
        # what is remembered of this step would keep the best one from being saved
        self._last_global_step_saved = step
        return self._kept > kept

    def _save_topk_checkpoint(self, trainer: pl.Trainer, monitor_candidates: dict) -> None:
        # Where nothing is validated, no checkpoint is the best; Lightning complains of each.
        if self.monitor in (None, *monitor_candidates) or any(trainer.num_val_batches):
            self._guard(super()._save_topk_checkpoint, trainer, monitor_candidates)

    def _save_last_checkpoint(self, trainer: pl.Trainer, monitor_candidates: dict) -> None:
        self._clock = time.monotonic()
        if self._guard(super()._save_last_checkpoint, trainer, monitor_candidates):
            self._kept += 1

    def _guard(self, save: Callable, trainer: pl.Trainer, monitor_candidates: dict) -> bool:
        """Save, or be as if nothing had been tried."""
        books = {name: copy.copy(getattr(self, name)) for name in _BOOKS}
        try:
            save(trainer, monitor_candidates)
        except CheckpointNotWritten as error:
            for name, value in books.items():
                setattr(self, name, value)
            if trainer.is_global_zero:
                _log.warning("%s; training goes on, the checkpoints before it stay", error)
            return False
        return True

    def _save_checkpoint(self, trainer: pl.Trainer, filepath: str) -> None:
        """Only the first process writes, but all have to know how it went."""
        failure = None
        try:
            super()._save_checkpoint(trainer, filepath)
        except CheckpointNotWritten as error:
            failure = str(error)
            trainer.strategy.barrier("Trainer.save_checkpoint")  # where the others wait
        failure = trainer.strategy.broadcast(failure)
        if failure is not None:
            raise CheckpointNotWritten(failure)
