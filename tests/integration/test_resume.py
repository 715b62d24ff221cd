"""Training that is killed, preempted or out of disk goes on as if nothing had happened."""

from __future__ import annotations

import csv
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

ACCIDENTS = '''
import os, resource, signal
from pytorch_lightning import Callback

class Accident(Callback):
    """Something happens to the process at the end of a batch, after checkpoints were written."""

    def __init__(self, batch, kind):
        self.batch, self.kind = batch, kind

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if trainer.fit_loop.total_batch_idx != self.batch:
            return
        if self.kind == "full":  # no file may grow beyond 200 kB
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
        else:
            os.kill(os.getpid(), getattr(signal, self.kind))
'''
SMALL = [
    "trainer=cpu",
    "trainer.log_every_n_steps=1",
    "trainer.max_epochs=3",
    "callbacks.rich_progress=null",
    "callbacks=ema",
    "callbacks.pictures=null",
    "callbacks.model_checkpoint.every_n_batches=5",
    "+logger.csv.flush_logs_every_n_steps=1",
    "seed=7",
]
FACES = [
    "task=face_autoencoder",
    "model.width=0.25",
    "model.size=64",
    "model.dropout=0.2",
    "data.train=[faces.parquet]",
    "data.val={faces: faces.parquet}",
    "data.image_size=64",
    "data.batch_size=4",
    "data.holdout=0.2",
    "data.epoch_size=48",
    "callbacks.ema.update_starting_at_step=3",
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


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pack and a module of accidents; runs stay in it from test to test."""
    folder = tmp_path_factory.mktemp("training")
    write_pack(folder / "faces.parquet")
    (folder / "accidents.py").write_text(ACCIDENTS, encoding="utf-8")
    return folder


def train(folder: Path, run: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; sys.argv[0] = 'train'; from xpress.cli import train; train()"
    return subprocess.run(
        [sys.executable, "-c", code, *SMALL, *arguments, f"hydra.run.dir={run}"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=400,
        env=os.environ
        | {"PYTHONWARNINGS": "ignore", "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
    )


def accident(batch: int, kind: str) -> str:
    return f"+callbacks.accident={{_target_: accidents.Accident, batch: {batch}, kind: {kind}}}"


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


def assert_resumed_exactly(folder: Path, whole: str, broken: str, resumed: str) -> None:
    expected, before, after = (figures(folder, run) for run in (whole, broken, resumed))
    losses = [key for key in expected if key[1] == "train/l1" or key[1] == "train/loss"]
    assert len(losses) == 36
    assert before.items() <= expected.items()
    assert after.items() <= expected.items()
    # what was lost with the killed process is done again, and nothing is left out
    assert (before | after).keys() == expected.keys()
    end, other = last(folder, whole), last(folder, resumed)
    assert (end["epoch"], end["global_step"]) == (other["epoch"], other["global_step"])
    kept = ["state_dict", "optimizer_states", "lr_schedulers"]
    kept += [key for key in ("current_model_state", "averaging_state") if key in end]
    for key in kept:
        assert same(end[key], other[key]), key


@pytest.fixture(scope="module")
def whole(workplace: Path) -> str:
    done = train(workplace, "logs/whole/1", *FACES, "data.num_workers=0")
    assert done.returncode == 0, done.stderr[-3000:]
    return "logs/whole/1"


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_killed_in_mid_epoch(workers: int, workplace: Path, whole: str):
    logs = f"paths.log_dir=killed{workers}"
    broken, resumed = (f"killed{workers}/face_autoencoder/{n}" for n in (1, 2))
    number = f"data.num_workers={workers}"
    killed = train(workplace, broken, *FACES, logs, number, accident(18, "SIGKILL"))
    assert killed.returncode == -9, killed.stderr[-3000:]
    progress = last(workplace, broken)["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    assert progress["current"]["processed"] == 3  # of 12, in the second epoch
    done = train(workplace, resumed, *FACES, logs, number, "ckpt=last")
    assert done.returncode == 0, done.stderr[-3000:]
    assert_resumed_exactly(workplace, whole, broken, resumed)
