"""The two commands as a user meets them: choices, one-line errors, checkpoints, no litter."""

import json
import os
import re
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import xpress.commands
from xpress import cli, configuration
from xpress.errors import InputError
from xpress.provenance.provenance import Provenance
from xpress.training.run import run_train

BORING = [
    "++task_name=boring",
    "++data={_target_:pytorch_lightning.demos.boring_classes.BoringDataModule}",
    "++model={_target_:pytorch_lightning.demos.boring_classes.BoringModel}",
    "monitor.metric=null",
    "trainer=debug",
    "trainer.detect_anomaly=false",
    "callbacks=model_checkpoint",
]
PATHS = ["source=a.mp4", "target=b.jpg", "output=c.mp4"]


def call(command: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.argv[0] = '{command}'; from xpress.cli import {command}; {command}()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> dict:
    """Stands in for the functions behind `infer` and records what they were given."""
    given: dict = {}
    for name in ("reenact", "extract", "idle", "demo"):
        stand_in(monkeypatch, name, lambda _name=name, **options: given.update({_name: options}))
    return given


def stand_in(monkeypatch: pytest.MonkeyPatch, task: str, function: Callable[..., None]) -> None:
    """Put a function in the place of the one behind a task of `infer`."""
    module = types.ModuleType(f"xpress.commands.{task}")
    setattr(module, task, function)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    # Where the real module was imported before, its package still names it.
    monkeypatch.setattr(xpress.commands, task, module, raising=False)


def run_infer_here(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["infer.py", *arguments])
    cli.infer()


ERRORS = {
    (): r"no task given; choose task=convert\|demo\|edit\|extract\|idle\|interpolate\|live\|reen",
    ("task=renact",): "task=renact: no such task; did you mean reenact",
    ("task=face_autoencoder",): "no such task; choose from convert, demo, edit, extract",
    ("tsk=demo",): "tsk: no such option; did you mean task",
    ("task=reenact", "target=b"): "task=reenact needs source=… and output=…",
    ("task=reenact", *PATHS, "strenght=1"): r"strenght: no such option; did you mean strength\?",
    ("task=demo", "+strength=1"): "strength: is an option already; leave out the plus",
    ("task=demo", "+power=1"): "power: task=demo has no such option; it takes output",
    ("task=reenact", *PATHS, "strength=abc"): "strength=abc: .*'abc'.*Float",
    ("task=reenact", *PATHS, "motion=foo"): r"motion=foo: .*\[relative, absolute\]",
    ("task=reenact", *PATHS, "regions=[nose]"): r"\[nose\]: .*\[mouth, eyes, brows\]",
    ("task=reenact", *PATHS, "regions=mouth"): r"regions=mouth: needs a list, as in name=\[a,b\]",
    ("task=extract", "target=a", "output=b", "strength=1"): "task=extract has no such option",
    ("task=demo", "foo"): "foo: not of the form name=value",
    ("task=demo", "strength=[1"): r"strength=\[1: not of the form name=value",
    ("task=demo,extract",): "several values; -m runs them",
    ("task=demo", "task=extract"): "task=demo,extract: chosen twice; choose one",
    ("-m", "task=demo", "task=edit,demo"): "chosen twice; choose one",
    ("task=demo", "hydra/job_logging=foo"): "hydra/job_logging=foo: no such choice",
    ("-m", "task=demo", "strenght=1,2"): "strenght: no such option",
    ("--cfg", "job", "task=foo"): "task=foo: no such choice; choose from convert, demo, edit",
    ("--cfg", "job", "--info"): "Only one of",
}


@pytest.mark.parametrize("arguments", ERRORS, ids=" ".join)
def test_a_mistake_is_one_line_and_status_two(
    arguments: tuple[str, ...],
    jobs: dict,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        run_infer_here(monkeypatch, *arguments)
    lines = capfd.readouterr().err.splitlines()
    assert stopped.value.code == 2
    assert len(lines) == 1
    assert re.match(f"error: .*{ERRORS[arguments]}", lines[0]), lines[0]
    assert jobs == {}
    assert list(tmp_path.iterdir()) == []


def test_options_reach_the_function_and_nothing_else_is_written(
    jobs: dict, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    run_infer_here(
        monkeypatch,
        "task=reenact",
        *PATHS,
        "motion=absolute",
        "regions=[mouth,eyes]",
        "threads=1",
        "certificate=chain.pem",
    )
    assert jobs["reenact"] == {
        "source": "a.mp4",
        "target": "b.jpg",
        "output": "c.mp4",
        "motion": "absolute",
        "strength": 1.0,
        "gaze": "target",
        "head": "auto",
        "idle": 0.0,
        "seed": 0,
        "regions": ["mouth", "eyes"],
        "face": "largest",
        "mouth": "generator",
        "source_neutral": None,
        "smoothing": True,
        "overwrite": True,
        "progress": True,
        "threads": 1,
        "weights": None,
        "provenance": Provenance(certificate="chain.pem"),
    }
    assert Path.cwd() == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_runs_the_task_for_every_value(
    jobs: dict, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    run_infer_here(monkeypatch, "-m", "task=extract,demo", "target=a.jpg", "output=b")
    assert set(jobs) == {"extract", "demo"}
    assert [p.name for p in tmp_path.iterdir()] == ["temporary"]


@pytest.mark.parametrize(
    "name",
    ["a b (1).mp4", "it's, a=b.mp4", "0012", "[x]{y}.jpg", "1.50", "a\\b\\", "true", "ü$d!#.png"],
)
def test_any_file_name_passes(
    name: str, jobs: dict, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    run_infer_here(monkeypatch, "task=extract", f"target={name}", "output=out")
    assert jobs["extract"]["target"] == name


def test_quoted_values_stay_as_they_are():
    quoted = ["target='a b'", 'target="a"', "source_neutral=null", "target=${output}", "-m"]
    assert configuration.quote_paths(quoted) == quoted


def test_bad_input_of_a_task_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    def refuse(**_: object) -> None:
        raise InputError("a.jpg: no face; give a picture with one")

    stand_in(monkeypatch, "extract", refuse)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        run_infer_here(monkeypatch, "task=extract", "target=a.jpg", "output=b")
    assert stopped.value.code == 2
    assert capfd.readouterr().err == "error: a.jpg: no face; give a picture with one\n"


def test_a_defect_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def fail(**_: object) -> None:
        raise ZeroDivisionError("ours")

    stand_in(monkeypatch, "demo", fail)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ZeroDivisionError, match="ours") as raised:
        run_infer_here(monkeypatch, "task=demo")
    assert any(entry.name == "fail" for entry in raised.traceback)


@pytest.mark.parametrize("command", ["train", "infer"])
def test_help_and_configuration_are_shown(command: str, tmp_path: Path):
    shown = call(command, "--help", cwd=tmp_path)
    assert shown.returncode == 0
    assert f"{command}.py task=" in shown.stdout
    task = configuration.tasks(command)[0]
    config = call(command, "--cfg", "job", f"task={task}", cwd=tmp_path)
    assert config.returncode == 0, config.stderr
    assert f"task_name: {task}" in config.stdout
    assert list(tmp_path.iterdir()) == []


def test_training_without_a_task_lists_the_choices_and_leaves_no_run(tmp_path: Path):
    result = call("train", cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith(
        "error: no task given; choose task=dft_net|eye_gan|eye_landmarks|face_autoencoder"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_misspelt_nested_option_gets_the_nearest_names(tmp_path: Path):
    with pytest.raises(InputError, match=r"trainer\.max_epoch: .*did you mean trainer\.max_epochs"):
        configuration.compose_config("train", [*BORING, "trainer.max_epoch=3"])


@pytest.mark.parametrize("sweep", [[], ["-m"]])
def test_no_experiment_is_dropped_in_silence(
    sweep: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    two = ["experiment=face_autoencoder_geometry", "experiment=smoke"]
    monkeypatch.setattr(sys, "argv", ["train.py", *sweep, *two])
    with pytest.raises(SystemExit):
        cli.train()
    both = "face_autoencoder_geometry,smoke"
    expected = f"error: experiment={both}: chosen twice; experiment=[{both}] takes both\n"
    assert capfd.readouterr().err == expected


def test_experiments_of_a_list_add_up():
    chosen = "experiment=[face_autoencoder_geometry,smoke]"
    config = configuration.compose_config("train", [chosen])
    assert (config.task_name, config.trainer.gradient_clip_val) == ("face_autoencoder", 1.0)
    assert (config.trainer.max_epochs, config.trainer.limit_train_batches) == (1, 4)


@pytest.mark.parametrize("stage", ["geometry", "color", "reanimated"])
def test_a_stage_without_its_task_is_answered_with_the_whole_name(stage: str):
    whole = f"did you mean face_autoencoder_{stage}\\?"
    with pytest.raises(InputError, match=f"experiment={stage}: no such choice; {whole}"):
        configuration.compose_config("train", [f"experiment={stage}"])


def test_training_writes_a_run_and_resumes_it(tmp_path: Path):
    first = call("train", *BORING, "test=true", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    (run,) = (tmp_path / "logs" / "boring").iterdir()
    assert (run / ".hydra" / "config.yaml").is_file()
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert (last["epoch"], last["global_step"]) == (0, 2)

    second = call("train", *BORING, "ckpt=last", "trainer.max_epochs=3", cwd=tmp_path)
    assert second.returncode == 0, second.stderr
    (resumed,) = set((tmp_path / "logs" / "boring").iterdir()) - {run}
    last = torch.load(resumed / "checkpoints" / "last.ckpt", weights_only=True)
    assert (last["epoch"], last["global_step"]) == (2, 6)

    third = call("train", *BORING, "mode=test", "ckpt=last", cwd=tmp_path)
    assert third.returncode == 0, third.stderr
    assert str(resumed.relative_to(tmp_path)) in third.stdout + third.stderr


def test_an_export_asks_for_its_extra_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("xpress.training.run.find_spec", lambda name: None)
    config = configuration.compose_config("train", [*BORING, "export=out"])
    with pytest.raises(InputError, match=r"^export=out: needs onnx .*'xpress\[export\]'"):
        run_train(config)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("mode=fitt", "mode=fitt: no such mode; choose fit, validate, test or export"),
        ("ckpt=missing.ckpt", "missing.ckpt: no such checkpoint"),
        ("ckpt=notes.ckpt", "notes.ckpt: not a checkpoint"),
        ("ckpt=last", "no run to resume"),
    ],
)
def test_bad_checkpoints_and_modes(
    override: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("notes.ckpt").write_text(json.dumps("no weights"), encoding="utf-8")
    config = configuration.compose_config("train", [*BORING, override])
    with pytest.raises(InputError, match=message):
        run_train(config)
