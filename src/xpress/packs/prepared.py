"""What packs of `python -m xpress.prepare` have beside the columns of all: a split, and crops."""

from __future__ import annotations

import os

import numpy as np
from jaxtyping import Float

from xpress.errors import InputError
from xpress.packs import is_packed
from xpress.packs.parquet import points_of
from xpress.packs.records import FaceRecords
from xpress.packs.shards import open_shard, read_group, scan_shards

SPLIT = "split"
"""Column that says `train` or `val`, the same for all rows of a person."""
TRAIN = "train"


def splits_of(path: str | os.PathLike) -> dict[str, str]:
    """The split of each person, empty where the source says none."""
    found: dict[str, str] = {}
    try:
        shards = scan_shards(path) if is_packed(path) else []
    except InputError:  # no pack of faces; who reads it tells what is wrong with it
        shards = []
    for shard in shards:
        with open_shard(shard.location, shard.name) as file:
            if SPLIT not in file.schema_arrow.names:
                continue
            for group in range(len(shard.rows)):
                table = read_group(file, group, ("identity", SPLIT), shard.name)
                pairs = zip(*(table[name].to_pylist() for name in ("identity", SPLIT)), strict=True)
                found |= {who: split for who, split in pairs if who and split}
    return found


def crop_placement(
    path: str | os.PathLike, crop: str, records: FaceRecords
) -> Float[np.ndarray, "N 2 3"] | None:
    """Where the crops of a pack lie in its pictures.

    Args:
        path: of the pack.
        crop: see `shards.read_group`.
        records: rows that were read with this crop.

    Returns:
        The similarity that takes pixels of a row's picture to those of its crop; None where the
        pack has no such crops.
    """
    whole: dict[str, np.ndarray] = {}
    for shard in scan_shards(path) if is_packed(path) else ():
        with open_shard(shard.location, shard.name) as file:
            if crop not in file.schema_arrow.names:
                continue
            for group in range(len(shard.rows)):
                table = read_group(file, group, ("key", "landmarks68"), shard.name)
                points = points_of(table, "landmarks68", 68, shard.name)[0]
                whole |= dict(zip(table["key"].to_pylist(), points, strict=True))
    if not whole:
        return None
    return np.stack(
        [
            _between(whole[key], own)
            for key, own in zip(records.keys, records.landmarks68, strict=True)
        ]
    )


def _between(
    picture: Float[np.ndarray, "68 2"], crop: Float[np.ndarray, "68 2"]
) -> Float[np.ndarray, "2 3"]:
    """The zoom and shift that take the same points from the picture to an upright crop."""
    apart, middle = picture - picture.mean(0), crop.mean(0)
    zoom = float((apart * (crop - middle)).sum() / max(float((apart**2).sum()), 1e-6))
    linear = zoom * np.eye(2)
    return np.column_stack([linear, middle - linear @ picture.mean(0)])
