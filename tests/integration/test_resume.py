"""Training that is killed or preempted goes on as if nothing had happened."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

# Imports once and forks for every run: a process of its own each, without the seconds of imports.
RUNNER = """
import json, os, signal, sys, traceback
import xpress.callbacks.checkpoints, xpress.export.weights, xpress.training.run
from xpress import cli
import xpress.data_modules.faces.data_module
import xpress.data_modules.mouths.data_module
from pytorch_lightning import Callback

class Accident(Callback):
    def __init__(self, batch, kind):
        self.batch, self.kind = batch, kind

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if trainer.fit_loop.total_batch_idx == self.batch:
            os.kill(os.getpid(), getattr(signal, self.kind))

def child(name, arguments):
    output = os.open(name + ".txt", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(output, 1), os.dup2(output, 2)
    sys.argv = ["train", *arguments]
    try:
        cli.train()
        return 0
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1

sys.modules["accidents"] = sys.modules["__main__"]
codes = {}
for name, arguments in json.loads(sys.argv[1]).items():
    process = os.fork()
    if process == 0:
        code = child(name, arguments)
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)
    codes[name] = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
print(json.dumps(codes))
"""
SMALL = [
    "trainer=cpu",
    "trainer.log_every_n_steps=1",
    "trainer.max_epochs=2",
    "callbacks.rich_progress=null",
    "callbacks.pictures=null",
    "callbacks.model_checkpoint.every_n_batches=4",
    "+logger.csv.flush_logs_every_n_steps=1",
    "seed=7",
    "data.train=[faces.parquet]",
    "data.batch_size=4",
]
FACES = [
    *SMALL,
    "task=face_autoencoder",
    "callbacks=ema",
    "callbacks.ema.update_starting_at_step=2",
    "model.width=0.25",
    "model.size=64",
    "model.dropout=0.2",
    "data.val.faces=faces.parquet",
    "~data.val.video",
    "data.image_size=64",
    "data.holdout=0.2",
    "data.epoch_size=24",
]


MOUTHS = [
    *SMALL,
    "task=mouth_gan",
    "model.channels=[8,8,16,16,24]",
    "model.repeats=[1,1,1,1]",
    "model.discriminator_channels=[8,16,16,16]",
    "model.local_channels=[8,16,16]",
    "model.local_size=[16,32]",
    "data.val.mouths=faces.parquet",
    "data.least_opening=0.0",
    "data.num_workers=0",
]


def write_pack(path: Path, count: int = 60) -> None:
    """Noise with points in it, of twenty people."""
    rng = np.random.default_rng(3)
    table = {
        "image": [
            cv2.imencode(".png", rng.integers(0, 256, (96, 96, 3), np.uint8))[1].tobytes()
            for _ in range(count)
        ],
        "key": [f"row/{i}" for i in range(count)],
        "identity": [f"person/{i % 20}" for i in range(count)],
        "color": [True] * count,
        "landmarks68": [rng.uniform(30, 66, 136).astype(np.float32).tolist() for _ in range(count)],
        "contours": [rng.uniform(25, 70, 276).tolist() for _ in range(count)],
    }
    pq.write_table(pa.table(table), path)


def call(folder: Path, runs: dict[str, list[str]]) -> dict[str, int]:
    """Run `train.py` with each list of arguments, one after the other; the exit codes."""
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, json.dumps(runs)],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        timeout=900,
        env=os.environ | {"PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"},
    )
    return json.loads(done.stdout.splitlines()[-1])


def accident(batch: int, kind: str) -> str:
    return f"+callbacks.accident={{_target_: accidents.Accident, batch: {batch}, kind: {kind}}}"


def trilogy(name: str, kind: str, options: list[str]) -> dict[str, list[str]]:
    """A run that ends in the second epoch, at its fourth batch of six, and one that goes on.

    The second names nothing of epochs, callbacks, network and data: the checkpoint brings them.
    """
    task = next(option for option in options if option.startswith("task="))
    again = [task, "trainer=cpu", "+callbacks.accident=null", "ckpt=last"]
    again += [option for option in options if option.startswith("+logger")]
    first, second = (f"hydra.run.dir={name}/${{task_name}}/{number}" for number in (1, 2))
    folder = f"paths.log_dir={name}"
    return {
        f"{name}_broken": [*options, accident(9, kind), folder, first],
        f"{name}_resumed": [*again, folder, second],
    }


def figures(folder: Path, run: str) -> dict[tuple[int, str], float]:
    """Every logged figure by step and name, but for those of the clock."""
    with (folder / run / "csv" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {
        (int(row["step"]), name): float(value)
        for row in rows
        for name, value in row.items()
        if value and name != "step" and not name.startswith("throughput/")
    }


def last(folder: Path, run: str) -> dict:
    return torch.load(folder / run / "checkpoints" / "last.ckpt", weights_only=True)


def same(first: object, second: object) -> bool:
    """Equal bit by bit, through containers."""
    if isinstance(first, torch.Tensor):
        return isinstance(second, torch.Tensor) and torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[k], second[k]) for k in first)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second


def assert_resumed_exactly(folder: Path, name: str, task: str) -> None:
    expected = figures(folder, "whole")
    before, after = (figures(folder, f"{name}/{task}/{number}") for number in (1, 2))
    assert len({step for step, figure in expected if figure.startswith("train/")}) >= 12
    assert before.items() <= expected.items()
    assert after.items() <= expected.items()
    # what was lost with the killed process is done again, and nothing is left out
    assert (before | after).keys() == expected.keys()
    end, other = last(folder, "whole"), last(folder, f"{name}/{task}/2")
    assert (end["epoch"], end["global_step"]) == (other["epoch"], other["global_step"])
    kept = ["state_dict", "optimizer_states", "lr_schedulers"]
    kept += [key for key in ("current_model_state", "averaging_state") if key in end]
    for key in kept:
        assert same(end[key], other[key]), key


def output(folder: Path, name: str) -> str:
    return (folder / f"{name}.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    """The face autoencoder, with averaged weights and dropout."""
    folder = tmp_path_factory.mktemp("faces")
    write_pack(folder / "faces.parquet")
    whole = [*FACES, "data.num_workers=0", "hydra.run.dir=whole"]
    runs = {"whole": whole}
    runs |= trilogy("killed", "SIGKILL", [*FACES, "data.num_workers=2"])
    runs |= trilogy("preempted", "SIGTERM", [*FACES, "data.num_workers=0"])
    return folder, call(folder, runs)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["killed", "preempted"])
def test_the_face_autoencoder_continues_exactly(name: str, faces: tuple[Path, dict[str, int]]):
    folder, codes = faces
    assert codes["whole"] == 0, output(folder, "whole")[-3000:]
    progress = last(folder, f"{name}/face_autoencoder/1")["loops"]["fit_loop"][
        "epoch_loop.batch_progress"
    ]
    if name == "killed":
        assert codes["killed_broken"] == -9
        assert progress["current"]["processed"] == 2
    else:
        assert codes["preempted_broken"] == 0, output(folder, "preempted_broken")[-3000:]
        assert progress["current"]["processed"] == 4  # the batch was finished and saved
        assert "SIGTERM: saved" in output(folder, "preempted_broken")
    assert codes[f"{name}_resumed"] == 0, output(folder, f"{name}_resumed")[-3000:]
    assert_resumed_exactly(folder, name, "face_autoencoder")


@pytest.mark.slow
def test_the_mouth_gan_continues_exactly(tmp_path: Path):
    """Two optimisers stepped by hand, schedules stepped by hand, a moving average of its own."""
    write_pack(tmp_path / "faces.parquet", 30)
    runs = {"whole": [*MOUTHS, "hydra.run.dir=whole"]}
    codes = call(tmp_path, runs | trilogy("killed", "SIGKILL", MOUTHS))
    assert codes["whole"] == 0, output(tmp_path, "whole")[-3000:]
    assert codes["killed_broken"] == -9, output(tmp_path, "killed_broken")[-3000:]
    loops = last(tmp_path, "killed/mouth_gan/1")["loops"]["fit_loop"]
    progress = loops["epoch_loop.batch_progress"]
    assert progress["total"]["processed"] == 8
    assert not progress["is_last_batch"]
    assert codes["killed_resumed"] == 0, output(tmp_path, "killed_resumed")[-3000:]
    assert_resumed_exactly(tmp_path, "killed", "mouth_gan")
    assert len(last(tmp_path, "whole")["optimizer_states"]) == 2


ALONE = ["task=face_autoencoder", "trainer=cpu", "callbacks=none"]
BEST = "ckpt=whole/checkpoints/best.ckpt"


@pytest.fixture(scope="module")
def alone(faces: tuple[Path, dict[str, int]]) -> tuple[Path, dict[str, int]]:
    """What a checkpoint can do without the options that it was trained with."""
    folder, _ = faces
    runs = {
        "validated": [*ALONE, BEST, "mode=validate", "hydra.run.dir=validated"],
        "tested": [*ALONE, BEST, "mode=test", "hydra.run.dir=tested"],
        "contradicted": [*ALONE, BEST, "mode=test", "model.width=0.5", "hydra.run.dir=no"],
        "exported": [*ALONE, BEST, "export=out", "hydra.run.dir=exported"],
        "named": [*ALONE, BEST, "export=out/mine.safetensors", "hydra.run.dir=named"],
    }
    return folder, call(folder, runs)


@pytest.mark.slow
def test_a_checkpoint_alone_is_validated_and_tested(alone: tuple[Path, dict[str, int]]):
    folder, codes = alone
    assert codes["validated"] == codes["tested"] == 0, output(folder, "tested")[-3000:]
    # data.test is empty: both look at the val pack
    found = {
        run: {key[1].partition("/")[2]: value for key, value in figures(folder, run).items()}
        for run in ("validated", "tested")
    }
    assert found["validated"]["faces/nme51"] == found["tested"]["faces/nme51"] > 0
    assert "model.width=0.25 (not 0.5)" in output(folder, "tested")


@pytest.mark.slow
def test_options_that_contradict_a_checkpoint_are_one_line(alone: tuple[Path, dict[str, int]]):
    folder, codes = alone
    assert codes["contradicted"] == 2
    lines = output(folder, "contradicted").splitlines()
    assert "model.width=0.5 as given; it was 0.25 in whole/checkpoints/best.ckpt" in lines[0]
    assert lines[-1].startswith("error: whole/checkpoints/best.ckpt: of another network")
    assert "Traceback" not in output(folder, "contradicted")


@pytest.mark.slow
def test_exported_weights_are_what_from_pretrained_reads(alone: tuple[Path, dict[str, int]]):
    from safetensors.torch import load_file

    from xpress.reenactment.reenactor import Reenactor

    folder, codes = alone
    assert codes["exported"] == codes["named"] == 0, output(folder, "exported")[-3000:]
    names = [
        f"{stem}.{kind}" for stem in ("encoder", "mine") for kind in ("json", "onnx", "safetensors")
    ]
    assert sorted(path.name for path in (folder / "out").iterdir()) == names
    state = torch.load(folder / "whole" / "checkpoints" / "best.ckpt", weights_only=True)
    weights = load_file(folder / "out" / "encoder.safetensors")
    for name, value in weights.items():
        assert torch.equal(value, state["state_dict"][f"encoder.{name}"]), name
    card = json.loads((folder / "out" / "encoder.json").read_text())
    assert (card["task"], card["global_step"]) == ("face_autoencoder", state["global_step"])
    assert card["figures"]["val/loss"] == pytest.approx(state["xpress"]["figures"]["val/loss"])
    assert Reenactor.from_pretrained(folder / "out", mouth="model").size == 64
