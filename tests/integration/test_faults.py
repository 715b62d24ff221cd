"""Killed, terminated, starved, refused or run twice: outputs are whole, and nothing lies about."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

ROUNDS = int(os.environ.get("XPRESS_FAULTS", "0"))
"""`make faults` sets it: how often each command is stopped; the slow ones take part then."""
DONE, TOLD, TERMINATED = 0, 2, 143
ENDINGS = {
    "kill": {-signal.SIGKILL, DONE},  # a fast command may have been done before
    "terminate": {TERMINATED, -signal.SIGTERM, DONE},  # or not have begun
    "full": {TOLD},
    "pair": {DONE},
    "read-only": {TOLD},
}
SEVERAL = {"demo", "exported", "reanimated.parquet"}
"""They write two or three files, each of which is the old or the new one."""
COMMANDS = 13 if ROUNDS else 9


@pytest.fixture(scope="module")
def trials(short_clip, samples, repository) -> list[dict]:
    """Every command that writes, five faults each."""
    if not hasattr(os, "fork"):
        pytest.skip("needs processes that fork")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        clip, photo = folder / "clip.mp4", folder / "photo.jpg"
        shutil.copy(short_clip, clip)
        shutil.copy(samples / "portrait_woman.jpg", photo)
        script = repository / "tests" / "integration" / "fault_trials.py"
        more = ["--rounds", str(ROUNDS), "--all"] if ROUNDS else []
        done = subprocess.run(
            [sys.executable, str(script), str(clip), str(photo), name, *more],
            capture_output=True,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
        )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    found = [json.loads(line) for line in lines]
    if ROUNDS:
        print(Counter(f"{trial['kind']}, {trial['status']}" for trial in found))
    assert {trial["kind"] for trial in found} == set(ENDINGS)
    assert len({trial["command"] for trial in found}) == COMMANDS
    return found


@pytest.mark.parametrize("kind", ENDINGS)
def test_after_a_fault_outputs_are_whole_and_nothing_lies_about(trials, kind):
    for trial in trials:
        if trial["kind"] == kind:
            assert trial["status"] in ENDINGS[kind], trial
            whole = trial["each"] if trial["command"] in SEVERAL else trial["new"]
            assert whole, trial  # the old output or the new one
            assert trial["left"] == [], trial
            if kind in ("full", "read-only"):
                assert trial["new"] == ["False"], trial
