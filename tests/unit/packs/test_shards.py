"""Packs of several files: what they are called, what is read of them, what is said of bad ones."""

from __future__ import annotations

import logging
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xpress.errors import InputError
from xpress.packs import shards

POINTS = np.zeros(136, np.float32).tolist()


def table(rows: int) -> pa.Table:
    return pa.table({"image": [b"x"] * rows, "landmarks68": [POINTS] * rows, "key": ["k"] * rows})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two shards, one in a folder of its own, beside something else."""
    (tmp_path / "more").mkdir()
    pq.write_table(table(5), tmp_path / "b.parquet", row_group_size=2)
    pq.write_table(table(3), tmp_path / "more" / "a.parquet")
    (tmp_path / "notes.txt").write_text("no shard")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("packs/faces.parquet", "faces"),
        ("packs/faces/", "faces"),
        ("packs/faces/part-*.parquet", "faces"),
        ("https://host/faces/part.parquet?token=a*b", "part"),
        ("s3://bucket/faces/*.parquet", "faces"),
        ("*.parquet", "*.parquet"),
    ],
)
def test_a_pack_is_called_by_its_file_or_folder(path: str, name: str):
    assert shards.source_name(path) == name


def test_files_folders_and_patterns(folder: Path):
    both = [str(folder / "b.parquet"), str(folder / "more" / "a.parquet")]
    assert shards.shard_names(folder) == both
    assert shards.shard_names(folder / "b.parquet") == both[:1]
    assert shards.shard_names(f"{folder}/*.parquet") == both[:1]
    assert shards.shard_names(f"{folder}/**/a*.parquet") == both[1:]


def test_an_address_keeps_its_protocol(folder: Path):
    with fsspec.open("memory://pack/part.parquet", "wb") as file:
        file.write((folder / "b.parquet").read_bytes())
    assert shards.shard_names("memory://pack") == ["memory:///pack/part.parquet"]
    (shard,) = shards.scan_shards("memory://pack")
    assert shard.rows == (2, 2, 1)


def test_footers_tell_row_groups_and_sizes(folder: Path):
    found = {Path(shard.name).stem: shard for shard in shards.scan_shards(folder)}
    assert found["b"].rows == (2, 2, 1)
    assert found["a"].rows == (3,)
    for shard in found.values():
        assert shard.location == shard.name
        assert 0 < shard.size < Path(shard.name).stat().st_size


def test_a_group_is_read_without_the_columns_that_lack(folder: Path):
    name = str(folder / "b.parquet")
    with shards.open_shard(name) as file:
        read = shards.read_group(file, 2, ("key", "landmarks68", "identity"), name)
    assert read.column_names == ["key", "landmarks68"]
    assert read.num_rows == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.parquet", None, "none.parquet: no such file or folder"),
        ("text.parquet", b"PAR1 no, this is not", "text.parquet: not a readable Parquet file"),
        ("other.parquet", pa.table({"key": ["a"]}), "has no column 'image' and 'landmarks68'"),
        ("empty", "folder", "empty: no .parquet file there"),
        ("nowhere://packs", None, r"nowhere://packs: .*xpress\[remote\]"),
    ],
)
def test_what_is_no_pack_is_one_line(name: str, content, message: str, tmp_path: Path):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, pa.Table):
        pq.write_table(content, path)
    elif content == "folder":
        path.mkdir()
    with pytest.raises(InputError, match=message):
        shards.scan_shards(name if "://" in name else path)


def test_the_network_is_tried_again_and_a_disk_is_not(monkeypatch, caplog):
    waits: list[float] = []
    monkeypatch.setattr(shards.time, "sleep", waits.append)

    def failing(times: int):
        left = [ConnectionError("connection lost")] * times

        def read() -> str:
            if left:
                raise left.pop()
            return "rows"

        return read

    with caplog.at_level(logging.WARNING):
        assert shards.attempt(failing(2), "https://host/a.parquet") == "rows"
    assert waits == list(shards.RETRY_AFTER)
    assert caplog.text.count("connection lost") == 2
    for tries, name in ((3, "https://host/a.parquet"), (1, "a.parquet")):
        with pytest.raises(InputError, match=r"a\.parquet: cannot be read \(connection lost\)"):
            shards.attempt(failing(tries), name)


def test_what_is_not_there_is_not_asked_for_again(monkeypatch):
    monkeypatch.setattr(shards.time, "sleep", lambda seconds: pytest.fail("asked again"))

    def read() -> None:
        raise FileNotFoundError("gone")

    with pytest.raises(InputError, match="no such file"):
        shards.attempt(read, "https://host/a.parquet")
