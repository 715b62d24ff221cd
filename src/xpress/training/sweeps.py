"""Searches with Optuna through Hydra: what lets a job know its trial, and a trial stay pruned."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import Trial, TrialState

PRUNED = "pruned_in_epoch"
TRIAL_OPTION = "callbacks.pruning.trial"


class Journal(JournalStorage):
    """A study in one file, which machines that share the folder may write to at once.

    Hydra's sweeper knows only complete and failed trials. A trial whose job marked it with the
    attribute `PRUNED` is stored as pruned instead of complete, so that samplers and pruners treat
    it as such.

    Args:
        path: of the file; the study in it goes on where it is there already.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        super().__init__(JournalFileBackend(str(path)))

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Called by Optuna when a trial ends."""
        if state == TrialState.COMPLETE and PRUNED in self.get_trial_user_attrs(trial_id):
            state = TrialState.PRUNED
        return super().set_trial_state_values(trial_id, state, values)


def number_trial(config: DictConfig, trial: Trial) -> None:
    """Give the job the number of its trial, as a parameter with one choice.

    Called by the sweeper (`hydra.sweeper.custom_search_space`). The job's own number is another
    once a study is continued or shared between machines.
    """
    del config
    trial.suggest_int(TRIAL_OPTION, trial.number, trial.number)
