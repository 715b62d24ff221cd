"""Outputs are whole or absent, whoever writes them and however the writer ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from xpress.errors import InputError
from xpress.whole_files import (
    PartialOutput,
    held_alone,
    local_path,
    scratch_folder,
    sweep,
    written_beside,
)

WAITING = """
import sys, time
from xpress.whole_files import PartialOutput
partial = PartialOutput(sys.argv[1], folder=sys.argv[2] == "folder")
(partial.path / "a" if sys.argv[2] == "folder" else partial.path).write_text("half")
print(partial.path.name, flush=True)
time.sleep(60)
"""


@pytest.fixture
def waiting_writer():
    """Another process that has begun an output and waits."""
    processes = []

    def start(output: Path, kind: str = "file") -> tuple[subprocess.Popen, str]:
        process = subprocess.Popen(
            [sys.executable, "-c", WAITING, str(output), kind], stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_last_of_two_writers_wins_whole(tmp_path):
    first, second = PartialOutput(tmp_path / "out.txt"), PartialOutput(tmp_path / "out.txt")
    assert first.path != second.path
    first.path.write_text("first" * 1000)
    second.path.write_text("second")
    second.commit()
    assert (tmp_path / "out.txt").read_text() == "second"
    first.commit()
    assert (tmp_path / "out.txt").read_text() == "first" * 1000
    assert names(tmp_path) == {"out.txt"}


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_killed_process_left_goes_with_the_next_output(tmp_path, waiting_writer, kind):
    process, left = waiting_writer(tmp_path / "out.txt", kind)
    assert names(tmp_path) == {left}
    with written_beside(tmp_path / "other.txt") as partial:
        partial.write_text("whole")
    assert names(tmp_path) == {left, "other.txt"}  # its writer lives
    process.send_signal(signal.SIGKILL)
    process.wait()
    with written_beside(tmp_path / "other.txt") as partial:
        partial.write_text("whole")
    assert names(tmp_path) == {"other.txt"}


def test_files_that_only_look_alike_stay(tmp_path):
    for name in (".notes.partial", ".a.0123.partial/x", "a.0123456789ab.partial"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    before = names(tmp_path)
    (tmp_path / ".link.0123456789ab.partial").symlink_to(tmp_path / ".notes.partial")
    with written_beside(tmp_path / "out.txt") as partial:
        partial.write_text("whole")
    assert names(tmp_path) >= before
    assert (tmp_path / ".notes.partial").read_text() == "mine"


def test_an_interrupt_leaves_the_old_output_alone(tmp_path):
    (tmp_path / "out.txt").write_text("old")

    def interrupted():
        with written_beside(tmp_path / "out.txt") as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert names(tmp_path) == {"out.txt"}
    assert (tmp_path / "out.txt").read_text() == "old"


def content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def filled(output: Path) -> PartialOutput:
    partial = PartialOutput(output, folder=True)
    (partial.path / "deep").mkdir()
    (partial.path / "a").write_text("new")
    (partial.path / "deep" / "b").write_text("new")
    return partial


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux exchanges two folders")
def test_a_folder_takes_the_place_of_another_in_one_step(tmp_path, monkeypatch):
    output = tmp_path / "out"
    (output / "deep").mkdir(parents=True)
    (output / "a").write_text("old")
    (output / "gone").write_text("old")
    output.chmod(0o750)
    monkeypatch.setattr(Path, "replace", lambda *_: pytest.fail("renamed one by one"))
    filled(output).commit(instead=True)
    assert content(output) == {"a": "new", "deep/b": "new"}
    assert output.stat().st_mode & 0o777 == 0o750
    assert names(tmp_path) == {"out"}


@pytest.mark.parametrize("how", ["asked", "current", "linked"])
def test_a_folder_with_other_files_keeps_them_and_its_place(tmp_path, monkeypatch, how):
    output = tmp_path / "out"
    output.mkdir()
    (output / "mine").write_text("mine")
    before, given = output.stat().st_ino, output
    if how == "current":
        monkeypatch.chdir(output)
        given = Path()
    elif how == "linked":
        given = tmp_path / "link"
        given.symlink_to(output)
    filled(given).commit(instead=how == "current")
    assert content(output) == {"mine": "mine", "a": "new", "deep/b": "new"}
    assert output.stat().st_ino == before
    assert names(tmp_path) - {"link"} == {"out"}


def test_a_pipe_that_looks_like_a_left_file_stops_nobody(tmp_path):
    os.mkfifo(tmp_path / ".a.0123456789ab.partial")
    sweep(tmp_path)


def test_a_scratch_folder_is_private_and_goes(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    scratch = scratch_folder()
    assert scratch.path.parent == tmp_path
    assert scratch.path.stat().st_mode & 0o777 == 0o700
    (scratch.path / "frame").write_text("x")
    sweep(tmp_path)
    assert (scratch.path / "frame").exists()
    scratch.discard()
    assert names(tmp_path) == set()


def test_no_place_for_temporary_files_is_told(monkeypatch):
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", none)
    with pytest.raises(InputError, match="TMPDIR"):
        scratch_folder()


def test_errors_name_the_output_and_not_the_partial_file(tmp_path):
    def refused(path: Path) -> None:
        raise InputError(f"{path}: cannot be written")

    with (
        pytest.raises(InputError, match=rf"^{tmp_path}/out.txt: cannot"),
        written_beside(tmp_path / "out.txt") as path,
    ):
        refused(path)


def test_longest_names_are_written(tmp_path):
    path = tmp_path / ("ü" * 125 + ".png")  # 254 of 255 bytes
    with written_beside(path) as partial:
        partial.write_text("whole")
    assert path.read_text() == "whole"


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert local_path("~/a.mp4") == tmp_path / "a.mp4"
    assert local_path("a~/b") == Path("a~/b")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("http://host/a.mp4", "http://host/a.mp4: an address"),
        ("n" * 300, "file name too long"),
        ("a\0b", "null"),
        ("~nobody-of-that-name/a", "home"),
    ],
)
def test_paths_that_are_none_are_told(path, words):
    with pytest.raises(InputError, match=words) as told:
        local_path(path)
    assert "\n" not in str(told.value)
    assert "\0" not in str(told.value)


def test_a_lock_is_held_by_one_and_let_go_by_a_killed_process(tmp_path: Path):
    path = tmp_path / "new" / ".lock"
    code = (
        "import sys, time; from pathlib import Path; from xpress.whole_files import held_alone\n"
        "with held_alone(Path(sys.argv[1])) as alone:\n"
        "    print(alone, flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    with holder.stdout as told:
        assert told.readline() == b"True\n"
        with held_alone(path) as alone:
            assert not alone
        holder.kill()
        holder.wait()
    with held_alone(path) as alone:
        assert alone
    with held_alone(path, wait=True) as alone:
        assert alone
