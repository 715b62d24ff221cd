from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from xpress.errors import InputError
from xpress.training.resume import find_checkpoint, given_keys, settings_of, with_settings


def config(folder: Path, **changes) -> DictConfig:
    return OmegaConf.create(
        {
            "task_name": "faces",
            "ckpt": None,
            "seed": 0,
            "paths": {
                "log_dir": str(folder),
                "output_dir": str(folder / "faces" / "now"),
                "data_dir": "here",
            },
            "model": {"width": 0.5, "size": 128, "init_from": None, "weights": {"l1": 1.0}},
            "data": {"train": ["${paths.data_dir}/a.parquet"], "batch_size": 64},
            **changes,
        }
    )


def write(path: Path, age: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": {"w": torch.zeros(1000)}}, path)
    os.utime(path, (1e9 - age, 1e9 - age))
    return path


def test_last_is_the_newest_that_is_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    old = write(tmp_path / "faces" / "1" / "checkpoints" / "last.ckpt", 30)
    best = write(tmp_path / "faces" / "sweep" / "0" / "checkpoints" / "best.ckpt", 20)
    last = write(tmp_path / "faces" / "sweep" / "0" / "checkpoints" / "last.ckpt", 20)
    queued = write(tmp_path / "faces" / "3" / "hpc_ckpt_1.ckpt", 10)
    write(tmp_path / "mouths" / "1" / "checkpoints" / "last.ckpt", 0)
    write(tmp_path / "faces" / "3" / "checkpoints" / ".last.ckpt.partial", 0)
    for newest in (queued, last, best, old):
        caplog.clear()
        assert find_checkpoint(config(tmp_path, ckpt="last")) == str(newest)
        content = newest.read_bytes()
        newest.write_bytes(content[:700])
        age = newest.stat().st_mtime_ns - 1
        os.utime(newest, ns=(age, age))
    with pytest.raises(InputError, match="no run to resume"), caplog.at_level(logging.WARNING):
        find_checkpoint(config(tmp_path, ckpt="last"))
    assert len(caplog.messages) == 4 + 3
    assert all("cut short; taking the newest one that is whole" in m for m in caplog.messages[-4:])


def test_auto_is_the_runs_own_folder_or_nothing(tmp_path: Path):
    write(tmp_path / "faces" / "before" / "checkpoints" / "last.ckpt", 0)
    assert find_checkpoint(config(tmp_path, ckpt="auto")) is None
    own = write(tmp_path / "faces" / "now" / "checkpoints" / "last.ckpt", 9)
    assert find_checkpoint(config(tmp_path, ckpt="auto")) == str(own)


def test_paths_are_checked(tmp_path: Path):
    assert find_checkpoint(config(tmp_path)) is None
    path = write(tmp_path / "a.ckpt", 0)
    assert find_checkpoint(config(tmp_path, ckpt=str(path))) == str(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="cut short"):
        find_checkpoint(config(tmp_path, ckpt=str(path)))


def trained(folder: Path) -> dict:
    model = {"width": 0.25, "size": 64, "init_from": "gone.ckpt", "weights": {"l1": 3.0}}
    data = {"train": ["${paths.data_dir}/b.parquet"], "batch_size": 8}
    return settings_of(config(folder, model=model, data=data, seed=5))


def test_a_checkpoint_brings_model_data_and_seed(tmp_path: Path):
    merged = with_settings(config(tmp_path), trained(tmp_path), ["task=faces"], "a.ckpt")
    assert merged.model == {"width": 0.25, "size": 64, "init_from": None, "weights": {"l1": 3.0}}
    # the folder of packs is this machine's
    assert merged.data == {"train": ["here/b.parquet"], "batch_size": 8}
    assert merged.seed == 5
    assert merged.paths == config(tmp_path).paths


def test_the_command_line_wins_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    given = config(tmp_path, seed=9)
    given.model.weights.l1 = 2.0
    overrides = ["model.weights.l1=2.0", "seed=9", "+data.extra=null", "data.batch_size=64"]
    with caplog.at_level(logging.INFO):
        merged = with_settings(given, trained(tmp_path), overrides, "a.ckpt")
    assert (merged.model.weights.l1, merged.seed, merged.data.batch_size) == (2.0, 9, 64)
    assert merged.model.width == 0.25
    assert "model.weights.l1=2.0 as given; it was 3.0 in a.ckpt" in caplog.messages
    assert "model.width=0.25 (not 0.5)" in caplog.messages[-1]


def test_another_choice_of_model_is_taken_whole(tmp_path: Path):
    merged = with_settings(config(tmp_path), trained(tmp_path), ["model=other"], "a.ckpt")
    assert merged.model == config(tmp_path).model
    assert merged.data.batch_size == 8


TRAINING = {
    "mode": "fit",
    "trainer": {"max_epochs": 3, "devices": 4, "gradient_clip_val": 1.0},
    "callbacks": {
        "checkpoint": {"dirpath": "${paths.output_dir}/checkpoints"},
        "ema": {"decay": 0.9, "start": 200},
        "wandb": {"run": 1},
    },
    "monitor": {"metric": "val/rms", "mode": "min"},
}


def plain_call(folder: Path, **changes) -> DictConfig:
    """What a call without any of those options composes."""
    now = {
        "mode": "fit",
        "trainer": {"max_epochs": 20, "devices": 1, "accelerator": "cpu"},
        "callbacks": {"checkpoint": {"dirpath": "${paths.output_dir}/checkpoints"}, "bar": {}},
        "monitor": {"metric": "val/loss", "mode": "min"},
    }
    return config(folder, **now, **changes)


def test_a_resumed_run_keeps_epochs_callbacks_and_metric(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    record = settings_of(config(tmp_path / "before", **TRAINING))
    with caplog.at_level(logging.INFO):
        merged = with_settings(plain_call(tmp_path), record, ["task=faces"], "a.ckpt")
    # the machine is this call's, and so is the folder
    assert merged.trainer == {
        "max_epochs": 3,
        "gradient_clip_val": 1.0,
        "devices": 1,
        "accelerator": "cpu",
    }
    folder = f"{tmp_path}/faces/now/checkpoints"
    assert merged.callbacks.checkpoint.dirpath == folder
    # the callback of a logger that is not chosen now stays away
    assert set(merged.callbacks) == {"checkpoint", "ema"}
    assert merged.monitor.metric == "val/rms"
    for told in ("trainer.max_epochs=3 (not 20)", "callbacks.ema.decay=0.9 (not None)"):
        assert told in caplog.messages[-1]


def test_a_resumed_run_is_changed_by_name(tmp_path: Path):
    record = settings_of(config(tmp_path, **TRAINING))
    given = plain_call(tmp_path)
    given.trainer.max_epochs = 60
    given.callbacks.stop = {"patience": 3}
    overrides = ["trainer.max_epochs=60", "callbacks.stop.patience=3"]
    merged = with_settings(given, record, overrides, "a.ckpt")
    assert (merged.trainer.max_epochs, merged.trainer.gradient_clip_val) == (60, 1.0)
    assert merged.callbacks.stop == {"patience": 3}
    assert "ema" in merged.callbacks
    whole = with_settings(plain_call(tmp_path), record, ["callbacks=none"], "a.ckpt")
    assert whole.callbacks == plain_call(tmp_path).callbacks


def test_a_trainer_names_what_its_own_file_sets(tmp_path: Path):
    assert given_keys(["trainer=cpu"]) == ["trainer.accelerator"]
    assert "trainer.max_epochs" in given_keys(["trainer=debug"])
    assert given_keys(["trainer=of_a_folder_of_mine"]) == ["trainer"]
    record = settings_of(config(tmp_path, **TRAINING))
    merged = with_settings(plain_call(tmp_path), record, ["trainer=cpu"], "a.ckpt")
    assert merged.trainer.max_epochs == 3


def test_figures_alone_take_nothing_of_the_training(tmp_path: Path):
    record = settings_of(config(tmp_path, **TRAINING))
    call = plain_call(tmp_path, model={"width": 0.5})
    call.mode = "test"
    merged = with_settings(call, record, [], "a.ckpt")
    assert (merged.trainer, merged.callbacks) == (call.trainer, call.callbacks)


def test_checkpoints_of_another_task_and_without_a_record(tmp_path: Path):
    with pytest.raises(InputError, match=r"a\.ckpt: a checkpoint of task=faces, not mouths"):
        with_settings(config(tmp_path, task_name="mouths"), trained(tmp_path), [], "a.ckpt")
    plain = config(tmp_path)
    assert with_settings(plain, None, [], "a.ckpt") == plain


def test_what_an_ablation_sets_is_given():
    keys = given_keys(["task=mouth_gan", "ablation=no_local", "seed=3"])
    assert set(keys) == {
        "seed",
        "model.weights.adversarial_local",
        "model.weights.features_local",
    }
    both = given_keys(["ablation=[no_local,no_boundary]"])
    assert set(both) == {
        "model.weights.adversarial_local",
        "model.weights.features_local",
        "model.weights.boundary",
    }
    assert not given_keys(["ablation=none"])
    assert not given_keys(["ablation=null"])


def test_an_ablation_of_an_own_folder_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "ablation" / "mine.yaml"
    file.parent.mkdir()
    file.write_text("# @package _global_\nmodel:\n  weights:\n    l1: 7.0\n")
    sources = [{"schema": "pkg", "path": "xpress.conf"}, {"schema": "file", "path": str(tmp_path)}]
    call = OmegaConf.create({"hydra": {"runtime": {"config_sources": sources}}})
    assert not given_keys(["ablation=mine"])
    monkeypatch.setattr(HydraConfig.instance(), "cfg", call)
    assert given_keys(["ablation=mine"]) == ["model.weights.l1"]
    assert "model.weights.l1" not in given_keys(["ablation=no_local"])  # the package's own
