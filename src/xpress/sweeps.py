"""Searches with Optuna through Hydra: what lets a job know its trial, and a trial stay pruned.

`python -m xpress.sweeps <study.journal>` prints the trials of a search, the best first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import optuna
from omegaconf import DictConfig
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from xpress.errors import InputError

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


def trial_table(path: str | os.PathLike) -> str:
    """The trials of every study in a journal as a Markdown table, the best first.

    Pruned trials show the value at which they ended; failed ones have none.

    Raises:
        InputError: there is no such file, or no study in it.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; give the study.journal of a search")
    storage = Journal(path)
    names = optuna.get_all_study_names(storage)
    if not names:
        raise InputError(f"{path}: holds no study; give the study.journal of a search")
    return "\n\n".join(_table(optuna.load_study(study_name=n, storage=storage)) for n in names)


def _table(study: optuna.Study) -> str:
    sign = -1 if study.direction == StudyDirection.MAXIMIZE else 1
    last = float("inf")

    def rank(trial: FrozenTrial) -> tuple[bool, float]:
        value = last if trial.value is None else sign * trial.value
        return trial.state != TrialState.COMPLETE, value

    trials = sorted(study.trials, key=rank)
    options = sorted({name for trial in trials for name in trial.params} - {TRIAL_OPTION})
    lines = [["trial", "value", "ended", *options], ["---"] * (3 + len(options))]
    for trial in trials:
        ended = trial.state.name.lower()
        if PRUNED in trial.user_attrs:
            ended += f" in epoch {trial.user_attrs[PRUNED]}"
        values = [_short(trial.params.get(name)) for name in options]
        lines.append([str(trial.number), _short(trial.value), ended, *values])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)


if __name__ == "__main__":
    try:
        print(trial_table(sys.argv[1] if len(sys.argv) > 1 else "study.journal"))
    except InputError as error:
        sys.exit(f"error: {error}")
