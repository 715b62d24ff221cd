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
    "homeless": {DONE},
}
WARNED = {("trained", "full", DONE)}
"""A training goes on without the checkpoint, and says so."""
VARYING = {"live.mp4", "trained", "prepared.parquet"}
"""Not the same as before even where nothing was written: see `fault_trials`."""
COMMANDS = 19 if ROUNDS else 11


@pytest.fixture(scope="module")
def trials(short_clip, samples, repository) -> list[dict]:
    """Every command that writes, and its faults; prints each as it is known."""
    if not hasattr(os, "fork"):
        pytest.skip("needs processes that fork")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        clip, photo = folder / "clip.mp4", folder / "photo.jpg"
        shutil.copy(short_clip, clip)
        shutil.copy(samples / "portrait_woman.jpg", photo)
        script = repository / "tests" / "integration" / "fault_trials.py"
        call = [sys.executable, str(script), str(clip), str(photo), name]
        log = (repository / "build" if ROUNDS else folder) / "faults.jsonl"
        log.parent.mkdir(exist_ok=True)
        if ROUNDS:
            call += ["--rounds", str(ROUNDS), "--all", "--log", str(log)]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        said = []
        # into a pipe: where files may not grow, a log could not either
        together = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        with (
            subprocess.Popen(call, env=environment, **together) as running,
            log.open("a") as kept,
        ):
            for line in running.stdout:
                said.append(line)
                if line.startswith("{"):
                    print(line, end="", flush=True)
                    print(line, end="", file=kept, flush=True)
        assert running.returncode == 0, "".join(said[-40:])
        found = [json.loads(line) for line in log.read_text().splitlines()]
    if ROUNDS:
        log.rename(log.with_suffix(".done"))  # a run that was stopped goes on instead
        print(Counter(f"{trial['kind']}, {trial['status']}" for trial in found))
    assert {trial["kind"] for trial in found} == set(ENDINGS)
    assert len({trial["command"] for trial in found}) == COMMANDS
    return found


@pytest.mark.parametrize("kind", ENDINGS)
def test_after_a_fault_outputs_are_whole_and_nothing_lies_about(trials, kind):
    for trial in trials:
        if trial["kind"] == kind:
            ending = (trial["command"], kind, trial["status"])
            assert trial["status"] in ENDINGS[kind] or ending in WARNED, trial
            assert trial["whole"], trial  # the old output or the new one
            assert trial["left"] == [], trial
            assert trial.get("again", DONE) == DONE, trial
            if kind in ("full", "read-only") and trial["command"] not in VARYING:
                assert trial["new"] == ["False"], trial
            if kind == "homeless" and trial["command"] not in VARYING:
                assert trial["new"] == ["True"], trial
