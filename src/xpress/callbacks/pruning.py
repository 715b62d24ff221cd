"""Ending the trials of a search that go badly."""

from __future__ import annotations

import optuna
import pytorch_lightning as pl
from optuna.pruners import BasePruner
from optuna.trial import Trial

from xpress.sweeps import PRUNED, Journal


class OptunaPruning(pl.Callback):
    """Report the monitored metric after each validation, and stop where the pruner says so.

    Optuna's own callback for Lightning is made for another package name of Lightning, and in
    several processes for data bases only.

    Args:
        journal: file of the study.
        study: name of the study in it.
        trial: number of this run's trial; None, outside a search, reports nothing.
        monitor: name of the metric.
        pruner: decides by the values of the other trials.
    """

    def __init__(
        self, journal: str, study: str, trial: int | None, monitor: str, pruner: BasePruner
    ) -> None:
        self.journal, self.study, self.trial = journal, study, trial
        self.monitor, self.pruner = monitor, pruner

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Called by Lightning."""
        del pl_module
        value = trainer.callback_metrics.get(self.monitor)
        fitting = trainer.state.fn == "fit" and not trainer.sanity_checking
        if self.trial is None or value is None or not fitting:
            return
        epoch = trainer.current_epoch
        stop = trainer.is_global_zero and self._report(self.trial, float(value), epoch)
        if trainer.strategy.broadcast(stop):
            trainer.should_stop = True

    def _report(self, number: int, value: float, epoch: int) -> bool:
        # The sampler is not asked here; the default one would read the whole study.
        study = optuna.load_study(
            study_name=self.study,
            storage=Journal(self.journal),
            sampler=optuna.samplers.RandomSampler(),
            pruner=self.pruner,
        )
        frozen = study.get_trials(deepcopy=False)[number]
        trial = Trial(study, frozen._trial_id)
        trial.report(value, epoch)
        if not trial.should_prune():
            return False
        trial.set_user_attr(PRUNED, epoch)
        return True
