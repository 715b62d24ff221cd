"""Studies in a file: numbers of trials, pruned trials, and the table of a search."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import optuna
import pytest
import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf
from optuna.trial import TrialState

from xpress.callbacks.pruning import OptunaPruning
from xpress.errors import InputError
from xpress.sweeps import PRUNED, TRIAL_OPTION, Journal, number_trial, trial_table


@pytest.fixture
def study(tmp_path: Path) -> optuna.Study:
    journal = Journal(tmp_path / "search" / "study.journal")
    return optuna.create_study(study_name="a", storage=journal, load_if_exists=True)


def trainer_at(epoch: int, loss: float, **changes: object) -> Mock:
    trainer = Mock(
        spec=pl.Trainer,
        current_epoch=epoch,
        sanity_checking=False,
        state=Mock(fn="fit"),
        strategy=Mock(broadcast=lambda value: value),
        is_global_zero=True,
        should_stop=False,
        callback_metrics={"val/loss": torch.tensor(loss)},
    )
    trainer.configure_mock(**changes)
    return trainer


def pruning(tmp_path: Path, trial: int | None) -> OptunaPruning:
    pruner = optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=0)
    return OptunaPruning(str(tmp_path / "search/study.journal"), "a", trial, "val/loss", pruner)


def test_trials_know_their_number_whatever_was_asked_before(study: optuna.Study):
    for number in range(3):
        trial = study.ask()
        number_trial(OmegaConf.create(), trial)
        assert trial.params == {TRIAL_OPTION: number}


def test_a_bad_trial_is_stopped_and_stays_pruned(study: optuna.Study, tmp_path: Path):
    losses = [1.0, 6.0]
    trials = [study.ask() for _ in losses]
    stopped = []
    for trial, loss in zip(trials, losses, strict=True):
        trainer = trainer_at(0, loss)
        pruning(tmp_path, trial.number).on_validation_end(trainer, Mock(pl.LightningModule))
        stopped.append(trainer.should_stop)
        study.tell(trial, loss)  # as the sweeper does, which knows of no pruning
    assert stopped == [False, True]
    assert [t.state for t in study.trials] == [TrialState.COMPLETE, TrialState.PRUNED]
    assert [t.user_attrs for t in study.trials] == [{}, {PRUNED: 0}]
    assert [t.intermediate_values for t in study.trials] == [{0: 1.0}, {0: 6.0}]
    assert study.best_value == 1.0


@pytest.mark.parametrize(
    ("trial", "changes"),
    [(None, {}), (0, {"sanity_checking": True}), (0, {"callback_metrics": {}})],
)
def test_nothing_is_reported_outside_a_search(
    study: optuna.Study, tmp_path: Path, trial: int | None, changes: dict
):
    study.ask()
    pruning(tmp_path, trial).on_validation_end(
        trainer_at(0, 1.0, **changes), Mock(pl.LightningModule)
    )
    assert study.trials[0].intermediate_values == {}


def test_the_table_shows_the_best_first(study: optuna.Study, tmp_path: Path):
    for value in (3.0, 1.5, 2.0):
        trial = study.ask()
        trial.suggest_float("rate", 0.25, 0.25)
        study.tell(trial, value)
    study.tell(study.ask(), state=TrialState.FAIL)
    lines = trial_table(tmp_path / "search" / "study.journal").splitlines()
    assert lines[0] == "| trial | value | ended | rate |"
    assert lines[2] == "| 1 | 1.5 | complete | 0.25 |"
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["1", "2", "0", "3"]
    assert "fail" in lines[-1]


def test_a_missing_journal_is_told(tmp_path: Path):
    with pytest.raises(InputError, match=r"none\.journal: no such file"):
        trial_table(tmp_path / "none.journal")
    assert not (tmp_path / "none.journal").exists()
