from __future__ import annotations

import itertools
import logging
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from xpress.data_modules.faces.dataset import FaceDataset, FaceSource
from xpress.data_modules.faces.streams import FaceMaker
from xpress.data_modules.streaming.groups import OpenShards, groups_of
from xpress.data_modules.streaming.stream import RowStream, StreamLoader

from xpress.errors import InputError
from xpress.packs import read_records
from xpress.packs.pixels import load_pixels


class Keys:
    """Makes batches of keys, with one random number."""

    broken = 0

    def __call__(self, rows, rng):
        return [*rows.records.keys, int(rng.integers(1000))]


def stream(path, batch_size=4, shuffle_rows=20, drop_last=True, **options):
    return RowStream(groups_of([path]), Keys(), batch_size, shuffle_rows, drop_last, **options)


def keys(batches):
    return [key for batch in batches for key in batch[:-1]]


@pytest.mark.parametrize("workers", [0, 2])
def test_every_row_comes_once_an_epoch_in_another_order(write_shards, workers):
    folder = write_shards(60)
    loader = StreamLoader(stream(folder), workers)
    first, second = list(loader), list(loader)
    assert len(first) == len(second) == len(loader) == 15
    assert sorted(keys(first)) == sorted(keys(second)) == sorted(f"many/row/{i}" for i in range(60))
    assert keys(first) != keys(second)
    # and again the same
    again = StreamLoader(stream(folder), workers)
    assert list(again) == first
    again.set_epoch(1)
    assert list(again) == second
    assert list(StreamLoader(stream(folder, seed=1), workers)) != first


@pytest.mark.parametrize("workers", [0, 2])
def test_processes_share_the_rows(write_shards, workers):
    folder = write_shards(62)
    parts = [list(StreamLoader(stream(folder), workers, False, rank, 3)) for rank in range(3)]
    assert [len(part) for part in parts] == [5, 5, 5]
    seen = Counter(key for part in parts for key in keys(part))
    assert set(seen.values()) == {1}
    assert len(seen) == 60  # two rows make no batch for everybody
    ordered = [
        keys(StreamLoader(stream(folder, drop_last=False, shuffle_rows=0), workers, False, rank, 3))
        for rank in range(3)
    ]
    assert sorted(itertools.chain(*ordered)) == sorted(f"many/row/{i}" for i in range(62))


def test_rows_stay_in_order_without_shuffling(write_shards):
    batches = list(StreamLoader(stream(write_shards(30), shuffle_rows=0, drop_last=False)))
    assert keys(batches) == [f"many/row/{i}" for i in range(30)]
    assert [len(batch) - 1 for batch in batches] == [4] * 7 + [2]


def test_few_rows_are_held_at_a_time(write_shards):
    source = stream(write_shards(700, shards=2, group=10), batch_size=8, shuffle_rows=50)
    assert len(list(StreamLoader(source))) == 87
    assert 50 <= source.peak_rows < 50 + 10


def test_a_short_epoch_takes_other_rows_each_time(write_shards):
    loader = StreamLoader(stream(write_shards(60), epoch_size=21))
    epochs = [set(keys(loader)) for _ in range(3)]
    assert [len(epoch) for epoch in epochs] == [20] * 3
    assert epochs[0] != epochs[1] != epochs[2]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_interrupted_epoch_continues_exactly(write_shards, workers):
    folder = write_shards(60)
    whole = StreamLoader(stream(folder), workers)
    list(whole)
    expected = list(whole)  # epoch 1
    stopped = StreamLoader(stream(folder), workers)
    stopped.set_epoch(1)
    begun = iter(stopped)
    head = [next(begun) for _ in range(5)]
    state = stopped.state_dict()
    resumed = StreamLoader(stream(folder), workers)
    resumed.load_state_dict(state)
    resumed.set_epoch(1)  # as Lightning does after loading
    assert head + list(resumed) == expected
    assert list(resumed) == list(whole)  # epoch 2 in both


def test_what_was_consumed_is_not_read_again(write_shards, monkeypatch):
    folder = write_shards(60, shards=1, group=6)
    read = []

    plain = OpenShards.read
    monkeypatch.setattr(OpenShards, "read", lambda s, g, c: read.append(g.number) or plain(s, g, c))
    loader = StreamLoader(stream(folder, shuffle_rows=0))
    loader.load_state_dict({"epoch": 0, "batches": 12, "layout": loader._layout()})
    assert keys(loader) == [f"many/row/{i}" for i in range(48, 60)]
    assert read == [8, 9]


def test_another_layout_is_said(write_shards, caplog):
    folder = write_shards(60)
    loader = StreamLoader(stream(folder))
    next(iter(loader))
    other = StreamLoader(stream(folder, batch_size=5))
    with caplog.at_level(logging.WARNING):
        other.load_state_dict(loader.state_dict())
    assert "come twice or not at all" in caplog.text
    assert len(list(other)) == 11


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_shard_is_named_in_one_line(write_shards, workers):
    folder = write_shards(60)
    source = stream(folder)
    bad = folder / "part-001.parquet"
    content = bytearray(bad.read_bytes())
    content[100:1500] = bytes(1400)
    bad.write_bytes(content)
    with pytest.raises(InputError) as error:
        list(StreamLoader(source, workers))
    assert "part-001.parquet" in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_truncated_shard_is_named_at_once(write_shards):
    bad = write_shards(60) / "part-002.parquet"
    bad.write_bytes(bad.read_bytes()[:-50])
    with pytest.raises(InputError, match=r"part-002\.parquet: not a readable Parquet file"):
        stream(bad.parent)


def test_a_lost_shard_is_named(write_shards):
    folder = write_shards(60)
    source = stream(folder)
    (folder / "part-000.parquet").unlink()
    with pytest.raises(InputError, match=r"part-000\.parquet: no such file"):
        list(StreamLoader(source))


def test_too_few_rows_for_the_processes_are_refused(write_shards):
    source = stream(write_shards(60), batch_size=16)
    with pytest.raises(InputError, match="60 rows make no batch of 16 for each of 4"):
        StreamLoader(source, 0, False, 0, 4)


def test_broken_pictures_are_replaced_and_counted(write_shards, caplog):

    folder = write_shards(20, shards=1, group=20)
    path = folder / "part-000.parquet"
    table = pq.read_table(path)
    images = table["image"].to_pylist()
    images[3], images[4] = b"no picture", None
    landmarks = table["landmarks68"].to_pylist()
    landmarks[5] = [1.0] * 7
    table = table.set_column(0, "image", pa.array(images, pa.binary()))
    table = table.set_column(4, "landmarks68", pa.array(landmarks))
    pq.write_table(table, path)
    source = RowStream(groups_of([path]), FaceMaker(32), 10)
    with caplog.at_level(logging.WARNING):
        batches = [raw.finish() for raw in StreamLoader(source)]
    assert [len(batch.image) for batch in batches] == [10, 10]
    assert source.broken == 3
    assert "3 rows of epoch 0 could not be used" in caplog.text
    # red is the row's number: the three are replaced by others of their batch
    red = [round(float(image[0, 16, 16]) * 255) for batch in batches for image in batch.image]
    assert set(red) == set(range(20)) - {3, 4, 5}


def test_streamed_crops_are_those_of_the_whole_pack(write_shards):

    folder = write_shards(30)
    plain = FaceDataset([FaceSource(*load_pixels(read_records(folder)))], 32)
    expected = plain.__getitems__(list(range(30)))
    loader = StreamLoader(RowStream(groups_of([folder]), FaceMaker(32), 8), 2)
    batches = list(loader)
    # two workers hand over in turn, each its own half
    order = [0, 2, 1, 3]
    for name in ("image", "landmarks68", "contours", "color", "present"):
        streamed = torch.cat([getattr(batches[i], name) for i in order])
        assert torch.equal(streamed, getattr(expected, name)), name


def test_persons_keep_their_number_in_all_batches(write_shards):

    loader = StreamLoader(RowStream(groups_of([write_shards(60)]), FaceMaker(32), 8, 30, True))
    numbers = {}
    for batch in loader:
        rows = (batch.image[:, 16, 16, 0]).tolist()
        for row, number in zip(rows, batch.identity_index.tolist(), strict=True):
            assert numbers.setdefault(row % 11, number) == number
    assert len(set(numbers.values())) == 11
