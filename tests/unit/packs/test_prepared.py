"""Crops within a pack, and whom it keeps for validation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from xpress.data_modules.streaming.groups import OpenShards, groups_of

from xpress.packs import read_records
from xpress.packs.prepared import crop_placement, splits_of


@pytest.fixture
def pack(write_pack, tmp_path: Path) -> Path:
    """Six faces; the crops show their middle half at double size, the third has none."""
    table = pq.read_table(write_pack(count=6, people=3))
    crops = []
    for row, points in enumerate(table["landmarks68"].to_pylist()):
        moved = (np.array(points, np.float32) - 36) * 2
        image = f"crop {row}".encode()
        crops.append(None if row == 2 else {"image": image, "landmarks68": moved.tolist()})
    kind = pa.struct([("image", pa.binary()), ("landmarks68", pa.list_(pa.float32()))])
    table = table.append_column("mouth", pa.array(crops, kind))
    table = table.append_column("split", pa.array(["train", "val", "train"] * 2))
    path = tmp_path / "prepared.parquet"
    pq.write_table(table, path, row_group_size=4)
    return path


def test_crops_take_the_pictures_place(pack: Path):
    faces, crops = read_records(pack), read_records(pack, "mouth")
    assert (len(faces), len(crops)) == (6, 5)
    assert crops.images == [f"crop {row}".encode() for row in (0, 1, 3, 4, 5)]
    assert crops.keys == [key for row, key in enumerate(faces.keys) if row != 2]
    expected = (np.delete(faces.landmarks68, 2, 0) - 36) * 2
    np.testing.assert_allclose(crops.landmarks68, expected, rtol=1e-6)


def test_packs_without_crops_are_read_as_they_are(write_pack):
    path = write_pack(count=4)
    assert read_records(path, "mouth").images == read_records(path).images
    assert crop_placement(path, "mouth", read_records(path, "mouth")) is None


def test_the_placement_of_crops_is_found(pack: Path):
    placed = crop_placement(pack, "mouth", read_records(pack, "mouth"))
    expected = np.tile([[2.0, 0, -72], [0, 2, -72]], (5, 1, 1))
    np.testing.assert_allclose(placed, expected, atol=1e-3)


def test_streams_read_crops_too(pack: Path):
    shards = OpenShards()
    tables = [shards.read(group, ("image", "key")) for group in groups_of([pack], "mouth")]
    images = [image for table in tables for image in table["image"].to_pylist()]
    assert images == [None if row == 2 else f"crop {row}".encode() for row in range(6)]
    assert [set(table.column_names) for table in tables] == [{"image", "key"}] * 2
    shards.close()


def test_the_split_of_people(pack: Path, write_pack):
    assert splits_of(pack) == {"person/0": "train", "person/1": "val", "person/2": "train"}
    assert splits_of(write_pack(count=2)) == {}
    assert splits_of(pack.parent / "none") == {}
