"""Two processes against one with twice the batch: the same data, gradients and figures."""

from __future__ import annotations

import csv
import os
import socket
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

LAUNCHER = "torch.distributed.run"
# Batch statistics are each process's own on CPUs, so only the head is trained, which also runs the
# renderer; rows without colour and rows to leave out differ between the processes.
FACES = [
    "task=face_autoencoder",
    f"model.init_from={files('xpress') / 'assets' / 'encoder.safetensors'}",
    "model.color_only=true",
    "model.weights.photometric=100",
    "data.augment.ratio=[1.4,1.4]",
    *(f"data.augment.{name}=0" for name in ("shift", "roll", "flip", "grey", "photometric")),
    "data.negatives=0",
    "data.holdout=0",
    "data.validate_on=val",
    "data.num_workers=0",
    "data.epoch_size=24",
    "data.cache=encoded",
]
# The same for the GAN: the generator keeps its batch statistics, both optimisers train.
FROZEN = """
from xpress.models.mouth_gan.module import MouthGAN

class FrozenMouthGAN(MouthGAN):
    def on_train_epoch_start(self):
        super().on_train_epoch_start()
        self.generator.eval()
"""
MOUTHS = [
    "task=mouth_gan",
    "model._target_=frozen.FrozenMouthGAN",
    "model.channels=[8,8,8,8,8]",
    "model.repeats=[1,1,1,1]",
    "model.discriminator_channels=[8,8,8,8]",
    "model.local_channels=[8,8,8]",
    "model.decay_from=1",
    "data.augment.ratio=[1.5,1.5]",
    *(f"data.augment.{name}=0" for name in ("shift", "roll", "flip", "grey", "photometric")),
    "data.augment.grow=[0,0]",
    "data.augment.jolt=0",
    "data.augment.wobble=0",
    "data.holdout=0.2",
    "data.num_workers=0",
    "data.cache=encoded",
]
COMMON = [
    "trainer.max_epochs=1",
    "trainer.log_every_n_steps=1",
    "+trainer.enable_progress_bar=false",
    "callbacks=[model_checkpoint,pictures]",
    "hydra.run.dir=.",
]


@pytest.fixture(scope="session")
def face_pack(packs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """13 faces, coloured and grey: an odd number, which two processes cannot share evenly."""
    path = tmp_path_factory.mktemp("packs") / "faces.parquet"
    table = pq.read_table(packs / "faces-val.parquet")
    pq.write_table(table.take(list(range(0, 13 * 80, 80))), path)
    return path


@pytest.fixture(scope="session")
def mouth_pack(packs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 mouths of many people."""
    path = tmp_path_factory.mktemp("packs") / "mouths.parquet"
    pq.write_table(pq.read_table(packs / "mouths-val.parquet").take(list(range(0, 640, 16))), path)
    return path


def start(repository: Path, folder: Path, *arguments: str, before: tuple[str, ...] = ()):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "frozen.py").write_text(FROZEN)
    settings = {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "PYTHONPATH": str(folder)}
    return subprocess.Popen(
        [sys.executable, *before, str(repository / "train.py"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=os.environ | settings,
    )


def finish(*processes: subprocess.Popen) -> str:
    """Wait; a process that hangs or fails fails the test with what it printed."""
    try:
        printed = [process.communicate(timeout=240)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, text in zip(processes, printed, strict=True):
        assert process.returncode == 0, text[-3000:]
    return "\n".join(printed)


def figures(run: Path) -> list[dict[str, float]]:
    """The validation rows of a run's CSV log."""
    with (run / "csv" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    kept = [{k: float(v) for k, v in row.items() if v and k.startswith("val/")} for row in rows]
    return [row for row in kept if row]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def assert_same(first: Path, second: Path) -> None:
    expected, found = figures(first), figures(second)
    assert len(expected) == len(found) == 1
    assert found[0] == pytest.approx(expected[0], rel=1e-3, abs=1e-5)
    for name, value in weights(first).items():
        torch.testing.assert_close(weights(second)[name], value, rtol=1e-3, atol=2e-5)


def written(run: Path) -> set[str]:
    """Files of a run without its logs, of which every process has one."""
    files = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    logs = (".log", ".py", ".pyc")
    return {name for name in files if not name.endswith(logs) and ".hydra" not in name}


@pytest.fixture(scope="session")
def one_process(repository: Path, face_pack: Path, tmp_path_factory) -> Path:
    """The autoencoder trained by one process with batches of eight."""
    folder = tmp_path_factory.mktemp("one")
    paths = [f"data.train=[{face_pack}]", f"data.val.faces={face_pack}", "~data.val.video"]
    sizes = ["trainer=cpu", "data.batch_size=8"]
    finish(start(repository, folder, *FACES, *COMMON, *paths, *sizes))
    return folder


@pytest.mark.slow
def test_two_processes_train_and_validate_as_one(
    repository: Path, face_pack: Path, one_process: Path, tmp_path: Path
):
    paths = [f"data.train=[{face_pack}]", f"data.val.faces={face_pack}", "~data.val.video"]
    sizes = ["trainer=ddp_sim", "data.batch_size=4"]
    printed = finish(start(repository, tmp_path, *FACES, *COMMON, *paths, *sizes))
    assert "GLOBAL_RANK: 1, MEMBER: 2/2" in printed
    assert_same(one_process, tmp_path)
    assert written(tmp_path) == written(one_process)
    assert "pictures/epoch_000_faces.jpg" in written(tmp_path)


@pytest.mark.slow
def test_two_nodes_of_torchrun_train_as_one_process(
    repository: Path, face_pack: Path, one_process: Path, tmp_path: Path
):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    paths = [f"data.train=[{face_pack}]", f"data.val.faces={face_pack}", "~data.val.video"]
    sizes = ["trainer=ddp_sim", "trainer.devices=1", "trainer.num_nodes=2", "data.batch_size=4"]
    nodes = []
    for rank in range(2):
        node = f"--nnodes=2 --nproc-per-node=1 --node-rank={rank} --master-addr=127.0.0.1"
        before = ("-m", LAUNCHER, *node.split(), f"--master-port={port}")
        folder = tmp_path / str(rank)
        nodes.append(start(repository, folder, *FACES, *COMMON, *paths, *sizes, before=before))
    printed = finish(*nodes)
    assert "GLOBAL_RANK: 1, MEMBER: 2/2" in printed
    assert_same(one_process, tmp_path / "0")
    assert not {n for n in written(tmp_path / "1") if n.startswith(("checkpoints", "pictures"))}


@pytest.mark.slow
def test_both_optimisers_of_the_gan_train_in_two_processes_as_in_one(
    repository: Path, mouth_pack: Path, tmp_path: Path
):
    job = [*MOUTHS, *COMMON, f"data.train=[{mouth_pack}]"]
    one, two = tmp_path / "one", tmp_path / "two"
    finish(start(repository, one, *job, "trainer=cpu", "data.batch_size=8"))
    finish(start(repository, two, *job, "trainer=ddp_sim", "data.batch_size=4"))
    assert_same(one, two)
    assert any(name.startswith("discriminators") for name in weights(one))
    assert written(one) == written(two)
