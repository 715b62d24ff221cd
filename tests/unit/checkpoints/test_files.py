from __future__ import annotations

import resource
from pathlib import Path

import pytest
import torch

from xpress.checkpoints.files import CheckpointFiles, CheckpointNotWritten, read_checkpoint
from xpress.errors import InputError

STATE = {"state_dict": {"weight": torch.arange(60_000.0)}, "epoch": 3}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "new" / "last.ckpt"
    CheckpointFiles().save_checkpoint(STATE, path)
    return path


def test_what_was_written_is_read(checkpoint: Path):
    loaded = read_checkpoint(checkpoint)
    assert loaded["epoch"] == 3
    assert torch.equal(loaded["state_dict"]["weight"], STATE["state_dict"]["weight"])
    assert [p.name for p in checkpoint.parent.iterdir()] == ["last.ckpt"]


def test_a_full_disk_leaves_the_file_before_it(checkpoint: Path):
    before = checkpoint.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(CheckpointNotWritten, match=r"last.ckpt: cannot be written \(File too"):
            CheckpointFiles().save_checkpoint({"state_dict": {"w": torch.ones(90_000)}}, checkpoint)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert checkpoint.read_bytes() == before
    assert [p.name for p in checkpoint.parent.iterdir()] == ["last.ckpt"]


def test_no_space_left_is_told_as_the_system_says_it(tmp_path: Path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(CheckpointNotWritten, match=r"a.ckpt: cannot be written \(No space left"):
        CheckpointFiles().save_checkpoint(STATE, tmp_path / "a.ckpt")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_pickled_is_a_defect_and_not_a_full_disk(tmp_path: Path):
    with pytest.raises(Exception, match="pickle"):
        CheckpointFiles().save_checkpoint({"state_dict": lambda: None}, tmp_path / "a.ckpt")
    assert list(tmp_path.iterdir()) == []


def damaged(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: content[: len(content) // 2], "cut short"),
        (lambda content: content[:-1], "cut short"),
        (lambda content: b"", "cut short"),
        (lambda content: b'{"no": "weights"}', "not a checkpoint"),
        (damaged, "not a checkpoint that is whole"),
    ],
)
def test_what_is_not_whole_is_refused_in_one_line(checkpoint: Path, change, reason: str):
    checkpoint.write_bytes(change(checkpoint.read_bytes()))
    with pytest.raises(InputError, match=f"last.ckpt: .*{reason}") as raised:
        read_checkpoint(checkpoint)
    assert "\n" not in str(raised.value)


def test_other_contents_are_refused(tmp_path: Path):
    torch.save({"weights": 1}, tmp_path / "a.ckpt")
    with pytest.raises(InputError, match="not a checkpoint of a network"):
        read_checkpoint(tmp_path / "a.ckpt")
    torch.save({"state_dict": InputError}, tmp_path / "b.ckpt")
    with pytest.raises(InputError, match="loaded safely"):
        read_checkpoint(tmp_path / "b.ckpt")
    with pytest.raises(InputError, match="no such checkpoint"):
        read_checkpoint(tmp_path / "c.ckpt")
