"""Settings name parts of this package and of trainings, and never any other call."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from xpress import cli, configuration
from xpress.allowed_targets import VARIABLE
from xpress.errors import InputError

INFER = [
    "job._target_=os.system",
    "job._target_=subprocess.run",
    "job._target_=builtins.eval",
    "job._target_=xpress.cli.os.system",
    "job._target_=xpress.cli.train",
    "job._target_=${oc.env:HOME}",
    "job.mouth={_target_: os.system, command: touch owned}",
    "+extra.deep=[{_target_: os.system, command: touch owned}]",
    "++aus={_target_: os.system, command: touch owned}",
    "+hydra.callbacks.own={_target_: os.system, command: touch owned}",
    "+hydra.callbacks.own={_target_: xpress.cli.os.system, command: touch owned}",
    "+hydra.callbacks.own={_target_: builtins.open, file: owned, mode: w}",
    "hydra.launcher._target_=os.system",
    "hydra.sweeper._target_=subprocess.Popen",
]
TRAIN = [
    "model._target_=os.system",
    "model._target_=xpress.cli.os.system",
    "trainer._target_=subprocess.Popen",
    "+trainer.plugins=[{_target_: builtins.open, file: owned, mode: w}]",
    "+callbacks.own={_target_: shutil.rmtree, path: .}",
    "+callbacks.own={_target_: pytorch_lightning.callbacks.timer.time.sleep}",
    "+callbacks.own={_target_: torch.optim.adam.torch.load, f: owned}",
    "+logger.own={_target_: torch.hub.load, repo_or_dir: a/b}",
    "+data.own={_target_: runpy.run_path, path_name: owned.py}",
    "+model.optimizer={_target_: torch.load, f: owned}",
]


def told(capsys, monkeypatch, command: str, *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", [f"{command}.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        getattr(cli, command)()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("setting", INFER)
def test_infer_calls_its_tasks_alone(capsys, monkeypatch, setting):
    assert "not allowed" in told(capsys, monkeypatch, "infer", "task=demo", setting)


@pytest.mark.parametrize("setting", TRAIN)
def test_train_builds_parts_of_trainings_alone(capsys, monkeypatch, setting):
    line = told(capsys, monkeypatch, "train", "task=mouth_gan", setting)
    assert "not allowed" in line


@pytest.mark.parametrize("command", ["infer", "train"])
def test_settings_from_a_folder_are_no_exception(capsys, monkeypatch, tmp_path, command):
    folder = tmp_path / "own settings"
    (folder / "task").mkdir(parents=True)
    node = "job" if command == "infer" else "model"
    (folder / "task" / "own.yaml").write_text(
        "# @package _global_\ntask_name: own\n"
        f"{node}: {{_target_: os.system, command: touch owned}}\n"
    )
    line = told(capsys, monkeypatch, command, f"--config-dir={folder}", "task=own")
    assert "not allowed" in line


@pytest.mark.parametrize("option", ["--config-path", "--config-name", "--experimental-rerun"])
def test_whole_configurations_and_pickles_are_not_taken(capsys, monkeypatch, option):
    assert "not taken" in told(capsys, monkeypatch, "infer", f"{option}=owned", "task=demo")


@pytest.mark.parametrize(
    "setting", ["hydra.launcher._target_=a,b", "job._target_=os.system,os.popen"]
)
def test_a_sweep_varies_no_target(capsys, monkeypatch, setting):
    assert "takes one value" in told(capsys, monkeypatch, "infer", "-m", "task=demo", setting)


def test_a_function_of_the_sweeper_is_a_target_too(capsys, monkeypatch):
    arguments = ["-m", "task=mouth_gan", "hparams_search=optuna"]
    line = told(
        capsys, monkeypatch, "train", *arguments, "hydra.sweeper.custom_search_space=os.system"
    )
    assert "not allowed" in line


def test_the_environment_allows_packages_of_ones_own(monkeypatch, tmp_path):
    (tmp_path / "own_networks.py").write_text("class Own:\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    setting = "+callbacks.own={_target_: own_networks.Own}"
    config = configuration.compose_config("train", ["task=mouth_gan", setting])
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(InputError, match="not allowed"):
        configuration.check("train", config, [])
    monkeypatch.setenv(VARIABLE, "other:own_networks")
    configuration.check("train", config, [])


def test_what_the_package_ships_is_allowed():
    for choice in Path(configuration.__file__).parents[3].glob("conf/callbacks/*.yaml"):
        overrides = ["task=mouth_gan", f"callbacks={choice.stem}"]
        configuration.check("train", configuration.compose_config("train", overrides), [])
