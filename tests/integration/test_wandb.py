"""W&B without an account: one run, then its continuation, read back with wandb's own reader."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import pty
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from xpress.morphable.model import MorphableModel


@dataclass
class Run:
    """A run's folder and the records in its `.wandb` file."""

    folder: Path
    output: str
    records: list[dict] = field(default_factory=list)

    def of(self, kind: str) -> list[dict]:
        return [record[kind] for record in self.records if record["type"] == kind]

    @property
    def id(self) -> str:
        return self.of("run")[0]["run_id"]

    @property
    def config(self) -> dict:
        updates = [record.get("config", {}) for record in self.of("run")] + self.of("config")
        return {k: v for update in updates for k, v in update.get("update", {}).items()}

    def curve(self, name: str) -> list[tuple[int, Any]]:
        rows = [record["item"] for record in self.of("history")]
        return [(row["trainer/global_step"], row[name]) for row in rows if name in row]

    def media(self, name: str, kind: str) -> list[Path]:
        rows = [record["item"] for record in self.of("history")]
        found = [row[f"{name}.{kind}"] for row in rows if f"{name}.{kind}" in row]
        paths = [path for entry in found for path in ([entry] if isinstance(entry, str) else entry)]
        return [next(self.folder.glob("wandb/*run-*/files")) / path for path in paths]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def first(repository: Path, packs: Path, home: Path) -> Run:
    """Two epochs with every logger, at a terminal where wandb could ask for a key."""
    return _train(repository, packs, home, "first", "logger=many", "trainer.max_epochs=2")


@pytest.fixture(scope="module")
def second(repository: Path, packs: Path, home: Path, first: Run) -> Run:
    """A third epoch, resumed, in a new folder."""
    more = ["logger=wandb", "logger.wandb.offline=true", "trainer.max_epochs=3"]
    ckpt = f"ckpt={first.folder / 'checkpoints' / 'last.ckpt'}"
    return _train(repository, packs, home, "second", *more, ckpt)


def test_one_line_says_that_the_run_stays_here_and_what_to_do(first: Run):
    lines = [line for line in first.output.splitlines() if "W&B: " in line]
    assert len(lines) == 1
    assert "no account is logged in" in lines[0]
    assert "`wandb login`" in lines[0]
    assert "logger.wandb.offline=true" in lines[0]
    assert "Traceback" not in first.output
    assert [record["exit_code"] for record in first.of("exit")] == [0]


def test_the_whole_configuration_is_kept_once(first: Run):
    written = yaml.safe_load((first.folder / ".hydra" / "config.yaml").read_text())
    config = first.config
    assert set(config) - {"_wandb"} == set(written)
    assert config["model"]["width"] == 0.25
    assert config["data"]["batch_size"] == 8
    assert config["trainer"]["max_epochs"] == 2
    assert config["callbacks"]["pictures"]["folder"] == str(first.folder / "pictures")
    assert "${" not in json.dumps(config)


def test_all_loggers_hold_the_same_configuration(first: Run):
    for path in (first.folder / "csv" / "hparams.yaml", first.folder / "tensorboard/hparams.yaml"):
        held = yaml.safe_load(path.read_text())
        assert held["model"]["width"] == 0.25
        assert set(held) == set(first.config) - {"_wandb"}


def test_curves_are_those_of_the_table(first: Run):
    table = (first.folder / "csv" / "metrics.csv").read_text()
    rows = list(csv.DictReader(table.splitlines()))
    for name in ("val/loss", "val/faces/nme51", "train/loss"):
        expected = [(int(row["step"]), float(row[name])) for row in rows if row[name]]
        assert len(expected) >= 2
        np.testing.assert_allclose(first.curve(name), expected, rtol=1e-5)


def test_pictures_are_those_of_the_folder(first: Run):
    steps = [step for step, _ in first.curve("val/loss")]
    for name in ("faces", "video"):
        assert [step for step, _ in first.curve(f"val/{name}._type")] == steps
        uploaded = first.media(f"val/{name}", "filenames")
        assert len(uploaded) == 2
        for epoch, path in enumerate(uploaded):
            shown = np.asarray(Image.open(path)).astype(float)
            beside = first.folder / "pictures" / f"epoch_{epoch:03d}_{name}.jpg"
            assert np.abs(shown - np.asarray(Image.open(beside))).mean() < 3


def test_a_face_is_shown_as_mesh(first: Run):
    meshes = first.media("val/mesh", "path")
    steps = [step for step, _ in first.curve("val/loss")]
    assert [step for step, _ in first.curve("val/mesh._type")] == steps
    lines = [line.split() for line in meshes[-1].read_text().splitlines()]
    vertices = np.array([line[1:] for line in lines if line[0] == "v"], float)
    model = MorphableModel.default()
    assert vertices.shape == (len(model.mean), 6)
    extent = np.ptp(vertices[:, :3], axis=0)
    np.testing.assert_allclose(extent, np.ptp(model.mean.numpy(), axis=0), rtol=0.2)
    assert np.ptp(vertices[:, 3:]) > 0.1


def test_the_best_checkpoint_is_an_artifact_with_its_card(first: Run):
    (artifact,) = first.of("artifact")
    assert (artifact["type"], artifact["name"]) == ("model", f"face_autoencoder-{first.id}")
    assert "best" in artifact["aliases"]
    contents = {entry["path"]: Path(entry["local_path"]) for entry in _contents(artifact)}
    assert set(contents) == {"model.ckpt", "card.json", "README.md"}
    best = first.folder / "checkpoints" / "best.ckpt"
    assert contents["model.ckpt"] == best
    card = json.loads(contents["card.json"].read_text())
    assert card == json.loads(artifact["metadata"])
    assert card["sha256"] == hashlib.sha256(best.read_bytes()).hexdigest()
    assert card["model"]["width"] == 0.25
    losses = [value for _, value in first.curve("val/loss")]
    assert card["figures"]["val/loss"] == pytest.approx(min(losses), rel=1e-5)
    assert f"| val/loss | {min(losses):.4g} |" in contents["README.md"].read_text()


def test_the_commit_is_that_of_the_code(first: Run, repository: Path):
    log = ["git", "-C", str(repository), "log", "-20", "--format=%H"]
    found = subprocess.run(log, capture_output=True, text=True)
    if found.returncode:
        pytest.skip("not a git checkout")
    (git,) = [record["git"] for record in first.of("environment") if "git" in record]
    assert git["commit"] in found.stdout.split()


def test_resuming_goes_on_with_the_run(first: Run, second: Run):
    assert second.folder != first.folder
    assert second.id == first.id
    assert second.of("run")[0]["resume"] is True
    last = max(step for step, _ in first.curve("val/loss"))
    steps = [step for step, _ in second.curve("val/loss")]
    assert steps[0] >= last
    assert steps[-1] > last
    assert "W&B: " not in second.output


def _train(repository: Path, packs: Path, home: Path, name: str, *options: str) -> Run:
    folder = home / name
    pack = packs / "video-faces-val.parquet"
    command = [
        *(sys.executable, str(repository / "train.py"), "task=face_autoencoder"),
        *("experiment=smoke", "trainer=cpu", "trainer.log_every_n_steps=1", "model.width=0.25"),
        *("data.num_workers=0", "data.batch_size=8", "data.validate_on=val"),
        *(f"data.train=[{pack}]", f"data.val.faces={pack}", f"data.val.video={pack}"),
        *(f"hydra.run.dir={folder}", *options),
    ]
    dropped = ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL", "NETRC")
    environment = {key: value for key, value in os.environ.items() if key not in dropped}
    environment |= {"HOME": str(home), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    output, status = _at_a_terminal(command, environment, home)
    assert status == 0, output
    (log,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    reader = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(log)]
    read = subprocess.run(reader, capture_output=True, text=True, env=environment, check=True)
    return Run(folder, output, [json.loads(line) for line in read.stdout.splitlines()])


def _at_a_terminal(command: list[str], environment: dict, cwd: Path) -> tuple[str, int]:
    """What a command writes where it could ask its user; nobody answers."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=cwd
    )
    os.close(theirs)
    parts = []
    try:
        while part := os.read(ours, 65536):
            parts.append(part)
    except OSError:  # so Linux tells that the other end is closed
        pass
    os.close(ours)
    return b"".join(parts).decode(errors="replace"), process.wait(timeout=60)


def _contents(artifact: dict) -> list[dict]:
    return artifact["manifest"]["contents"]
