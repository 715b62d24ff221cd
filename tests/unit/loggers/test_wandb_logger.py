"""Runs begin wherever W&B is out of reach, follow one another, and go on from checkpoints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from xpress.callbacks.wandb_run import WandbRun
from xpress.errors import InputError
from xpress.loggers.wandb_logger import CHECKPOINT_KEY, WandbLogger, run_id

KEY = "0123456789" * 4


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_SILENT", "true")


def _script(folder: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code that finds a `WandbLogger`, as a user with no W&B settings but these.

    In a process of its own, because wandb reads its environment once.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    head = "from xpress.loggers.wandb_logger import WandbLogger\n"
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", head + code],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        env=kept | {"WANDB_SILENT": "true"} | environment,
    )


def _summary(folder: Path) -> dict:
    """What wandb's own reader makes of the only run below a folder."""
    (log,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    reader = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", "--summary", str(log)]
    read = subprocess.run(reader, capture_output=True, text=True, check=True)
    return json.loads(read.stdout)


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"WANDB_API_KEY": "short"}, "API key must have"),
        ({"WANDB_API_KEY": KEY, "WANDB_BASE_URL": "http://127.0.0.1:9"}, "http://127.0.0.1:9"),
    ],
    ids=["broken key", "no network"],
)
def test_out_of_reach_is_one_line_and_the_run_goes_on(
    environment: dict[str, str], reason: str, tmp_path: Path
):
    code = """
logger = WandbLogger(save_dir=".")
logger.log_metrics({"loss": 0.5}, 3)
logger.close()
"""
    done = _script(tmp_path, code, WANDB_HTTP_TIMEOUT="2", **environment)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert [line.startswith("W&B: ") for line in lines] == [True], done.stderr
    assert reason in lines[0]
    assert "`wandb login`" in lines[0]
    assert "logger.wandb.offline=true" in lines[0]
    summary = _summary(tmp_path)
    assert (summary["state"], summary["summary"]["loss"]) == ("finished", 0.5)


def test_the_options_that_wandb_refuses_are_named(tmp_path: Path):
    logger = WandbLogger(save_dir=str(tmp_path), project="no/slashes", offline=True)
    with pytest.raises(InputError, match=r"logger\.wandb: .*no/slashes"):
        _ = logger.experiment


def test_runs_of_one_process_are_runs_of_their_own(tmp_path: Path):
    """A sweep trains several networks in a process."""
    ids = []
    for name, exit_code in (("a", 0), ("b", 1)):
        logger = WandbLogger(save_dir=str(tmp_path / name), offline=True)
        logger.log_hyperparams({"trial": name})
        logger.log_metrics({"loss": 1.0}, 0)
        ids.append(logger.version)
        logger.close(exit_code)
    assert len(set(ids)) == 2
    for name, state in (("a", "finished"), ("b", "failed")):
        summary = _summary(tmp_path / name)
        assert summary["config"]["trial"] == name
        assert summary["exit_code"] == (state == "failed")
    assert os.environ.get("WANDB_MODE") == "offline"  # as the tests' setup has it


def test_the_id_travels_with_the_checkpoint(tmp_path: Path):
    path = tmp_path / "moved.ckpt"
    torch.save({CHECKPOINT_KEY: {"id": "abc123"}}, path)
    logger = WandbLogger(save_dir=str(tmp_path), offline=True)
    logger.continue_from(str(path))
    assert logger.version == "abc123"
    assert logger.experiment.id == "abc123"
    logger.close()
    assert _summary(tmp_path)["run_id"] == "abc123"


def test_an_id_that_was_given_wins(tmp_path: Path):
    path = tmp_path / "last.ckpt"
    torch.save({CHECKPOINT_KEY: {"id": "abc123"}}, path)
    logger = WandbLogger(save_dir=str(tmp_path), offline=True, id="mine")
    logger.continue_from(str(path))
    assert logger.version == "mine"


def test_checkpoints_of_other_runs_name_none(tmp_path: Path):
    plain, broken = tmp_path / "plain.ckpt", tmp_path / "broken.ckpt"
    torch.save({"state_dict": {}}, plain)
    broken.write_bytes(plain.read_bytes()[:100])
    assert run_id(str(plain)) is None
    assert run_id(str(broken)) is None


def test_checkpoints_hold_the_id_where_there_is_a_run(tmp_path: Path):
    logger = WandbLogger(save_dir=str(tmp_path), offline=True, id="abc123")
    trainer = pl.Trainer(logger=logger, accelerator="cpu", callbacks=[WandbRun()])
    checkpoint: dict = {}
    WandbRun().on_save_checkpoint(trainer, pl.LightningModule(), checkpoint)
    assert checkpoint == {CHECKPOINT_KEY: {"id": "abc123"}}
    trainer.loggers = []
    checkpoint.clear()
    WandbRun().on_save_checkpoint(trainer, pl.LightningModule(), checkpoint)
    assert checkpoint == {}
