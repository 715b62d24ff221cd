"""Packs in folders, behind patterns, on a server and in memory are the same pack."""

from __future__ import annotations

import fsspec
import pytest
from xpress.data_modules.faces.data_module import LandmarkFacesDataModule
from xpress.data_modules.streaming.groups import groups_of
from xpress.data_modules.streaming.stream import RowStream, StreamLoader

from xpress.errors import InputError
from xpress.packs import read_records, shards


class Keys:
    broken = 0

    def __call__(self, rows, rng):
        return rows.records.keys


def keys(path, workers=0):
    loader = StreamLoader(RowStream(groups_of([path]), Keys(), 8), workers)
    return sorted(key.split("/", 1)[1] for batch in loader for key in batch)


EXPECTED = sorted(f"row/{i}" for i in range(60))


def test_a_folder_and_a_pattern(write_shards):
    folder = write_shards(60)
    for path in (folder, str(folder), f"{folder}/part-*.parquet", folder / "part-*.parquet"):
        assert keys(path) == EXPECTED
        records = read_records(path)
        assert sorted(records.keys) == EXPECTED
        assert records.name == "many"
    assert len(keys(folder / "part-001.parquet")) == 20
    assert len(keys(f"{folder}/part-00[01].parquet")) == 40


@pytest.mark.parametrize("workers", [0, 2])
def test_a_server_of_parts_of_files(write_shards, serve, workers):
    folder = write_shards(60)
    url, _ = serve(folder)
    assert keys(f"{url}/*.parquet", workers) == EXPECTED


def test_of_a_file_only_the_footer_and_a_row_group_are_fetched(write_shards, serve):
    folder = write_shards(600, shards=1, group=50)
    url, server = serve(folder)
    groups = groups_of([f"{url}/part-000.parquet"])
    assert server.sent < 100_000
    server.sent = 0
    assert len(next(iter(StreamLoader(RowStream(groups, Keys(), 7))))) == 7
    assert server.sent < 0.25 * (folder / "part-000.parquet").stat().st_size


def test_a_server_of_whole_files(write_shards, serve, caplog):
    folder = write_shards(60)
    url, server = serve(folder, ranges=False)
    groups = groups_of([f"{url}/*.parquet"])
    assert "the server cannot send parts of files" in caplog.text
    asked = len(server.requests)
    loader = StreamLoader(RowStream(groups, Keys(), 8), 2)
    assert sum(len(batch) for batch in loader) == 60
    assert len(server.requests) == asked  # from the copies
    assert groups[0].shard.name.startswith(url)


def test_a_file_system_in_memory(write_shards):
    folder = write_shards(60)
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), "/packs/many", recursive=True)
    try:
        for path in ("memory://packs/many", "memory://packs/many/*.parquet"):
            assert keys(path) == EXPECTED
        assert keys("memory://packs/many", workers=2) == EXPECTED
        assert sorted(read_records("memory://packs/many").keys) == EXPECTED
        data = LandmarkFacesDataModule(
            train="memory://packs/many", image_size=32, batch_size=8, num_workers=0
        )
        data.setup("fit")
        assert len(data.train_set) > 40
    finally:
        memory.rm("/packs", recursive=True)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("memory://nothing/here", "no .parquet file there"),
        ("memory://nothing/here.parquet", "no such file"),
        ("s3://bucket/pack.parquet", r"Install s3fs .*xpress\[remote\]"),
        ("nonsense://pack.parquet", "Protocol not known"),
        ("http://127.0.0.1:9/pack.parquet", "cannot be read .*127.0.0.1:9"),
        ("missing-*.parquet", "no .parquet file there"),
    ],
)
def test_addresses_of_nothing_are_named(path, message, monkeypatch):
    monkeypatch.setattr(shards, "RETRY_AFTER", ())
    for read in (read_records, lambda path: groups_of([path])):
        with pytest.raises(InputError, match=message) as error:
            read(path)
        assert str(error.value).startswith(path)
        assert len(str(error.value).splitlines()) == 1


def test_a_missing_file_of_a_server_is_not_asked_for_again(write_shards, serve):
    url, server = serve(write_shards(6))
    with pytest.raises(InputError, match=r"absent\.parquet: no such file"):
        groups_of([f"{url}/absent.parquet"])
    assert len(server.requests) == 1


def test_reads_that_fail_for_once_are_tried_again(monkeypatch, caplog):
    monkeypatch.setattr(shards, "RETRY_AFTER", (0.0, 0.0))
    answers = iter([ConnectionResetError("gone"), TimeoutError("late"), 5])

    def read():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert shards.attempt(read, "https://far/pack.parquet") == 5
    assert caplog.text.count("read again") == 2
    answers = iter([OSError("disk"), 5])
    with pytest.raises(InputError, match="cannot be read"):
        shards.attempt(read, "near/pack.parquet")
