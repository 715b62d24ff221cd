"""`python -m xpress.prepare`: killed and begun again it neither does anything twice nor differs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

KILLED_AT = (1, 3)
"""Parts that are there when the process is killed."""


@pytest.fixture
def media(samples: Path, short_clip: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    for number in range(3):
        shutil.copy(short_clip, folder / f"clip {number}.mp4")
    for name in ("portrait_man.jpg", "portrait_woman.jpg", "two_people.jpg"):
        shutil.copy(samples / name, folder)
    (folder / "torn.png").write_bytes(b"\x89PNG\r\n")
    return folder


def command(media: Path, output: Path, *more: str) -> list[str]:
    given = (f"input={media}", f"output={output}", "every=4", *more)
    return [sys.executable, "-m", "xpress.prepare", *given]


def run(*arguments) -> str:
    done = subprocess.run(command(*arguments), capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    return done.stdout


ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def test_killed_and_begun_again_it_ends_with_the_same_pack(media: Path, tmp_path: Path):
    whole, output = tmp_path / "whole" / "faces.parquet", tmp_path / "killed" / "faces.parquet"
    assert "7 files" in run(media, whole, "processes=2")
    parts = output.with_name("faces.parts")
    kept: dict[str, int] = {}
    for wanted in KILLED_AT:
        child = subprocess.Popen(command(media, output, "processes=1"), env=ENVIRONMENT)
        while child.poll() is None and len(list(parts.glob("[0-9a-f]*.parquet"))) < wanted:
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        assert not output.exists()
        times = {part.name: part.stat().st_mtime_ns for part in parts.glob("[0-9a-f]*.parquet")}
        assert kept.items() <= times.items()  # what was done is not done again
        kept = times
    assert len(kept) >= KILLED_AT[-1]
    assert "7 files" in run(media, output, "processes=1")
    assert output.read_bytes() == whole.read_bytes()
    assert output.with_suffix(".html").read_bytes() == whole.with_suffix(".html").read_bytes()
    assert sorted(path.name for path in output.parent.iterdir()) == [
        "faces.html",
        "faces.parquet",
    ]


def test_shards_are_jobs_of_a_launcher(media: Path, tmp_path: Path):
    output = tmp_path / "faces.parquet"
    lines = subprocess.run(
        command(media, output, "processes=1", "shards=2", "-m"),
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        cwd=tmp_path,
    ).stdout.splitlines()
    assert lines[0].endswith("4 files done; 3 are left to other shards")
    assert "from" in lines[1]
    assert output.is_file()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["evry=2"], "did you mean every?"),
        (["every=often"], "every"),
        (["every=0"], "every=1 or more"),
        (["identities=name"], "choose folder, track, cluster"),
        (["limits.min_size=huge"], "min_size"),
    ],
)
def test_mistakes_are_told_in_one_line(given: list[str], told: str, tmp_path: Path):
    full = command(tmp_path, tmp_path / "faces.parquet", *given)
    full = [part for part in full if part != "every=4" or not given[0].startswith("every")]
    done = subprocess.run(full, capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert told in done.stderr
    assert list(tmp_path.iterdir()) == []
