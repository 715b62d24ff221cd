"""The row groups of packs, and which of their rows are used."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Int

from xpress.errors import InputError
from xpress.packs import is_packed
from xpress.packs.parquet import names_of
from xpress.packs.shards import (
    Shard,
    open_shard,
    read_group,
    scan_shards,
    source_name,
)

AUTO_BYTES = 1 << 30
"""Stored bytes above which `streaming="auto"` streams."""

NAMES = "key", "identity"
"""Columns that `group_names` needs."""


@dataclass(frozen=True)
class RowGroup:
    """One row group of a shard.

    Attributes:
        pack: short name of its pack.
        shard: the file it is in.
        number: of the row group in its shard.
        first: number of its first row in the pack.
        used: which of its rows are used, ascending; None: all.
        count: how many are used.
        crop: see `shards.read_group`.
    """

    pack: str
    shard: Shard
    number: int
    first: int
    used: np.ndarray | None
    count: int
    crop: str = ""


def groups_of(paths: Iterable[str | os.PathLike], crop: str = "") -> list[RowGroup]:
    """All row groups of some packs; only footers are read.

    Args:
        paths: of the packs.
        crop: see `shards.read_group`.

    Raises:
        InputError: a pack is missing, damaged or empty.
    """
    groups: list[RowGroup] = []
    for path in paths:
        pack, first = source_name(path), 0
        for shard in scan_shards(path):
            for number, rows in enumerate(shard.rows):
                groups.append(RowGroup(pack, shard, number, first, None, rows, crop))
                first += rows
        if first == 0:
            raise InputError(f"{path}: holds no rows")
    return groups


def groups_to_stream(
    streaming: bool | str, paths: Iterable[str | os.PathLike], crop: str = ""
) -> list[RowGroup] | None:
    """The row groups where packs are to be streamed, None where they are to be read whole.

    Args:
        streaming: "auto" streams what is larger than `AUTO_BYTES` together and Parquet.
        paths: of the packs.
        crop: see `shards.read_group`.

    Raises:
        InputError: `streaming` is something else, or true for other files than Parquet.
    """
    paths = list(paths)
    if streaming not in (True, False, "auto"):
        raise InputError(f"data.streaming={streaming}: choose auto, true or false")
    whole = [path for path in paths if not is_packed(path)]
    if streaming is True and whole:
        raise InputError(f"{whole[0]}: only Parquet can be streamed; set data.streaming=false")
    if not streaming or whole or not paths:
        return None
    groups = groups_of(paths, crop)
    stored = sum({group.shard.name: group.shard.size for group in groups}.values())
    return groups if streaming is True or stored > AUTO_BYTES else None


def split_groups(
    groups: Sequence[RowGroup],
    columns: tuple[str, ...],
    chosen: Callable[[pa.Table, RowGroup], Bool[np.ndarray, " N"]],
) -> tuple[list[RowGroup], list[RowGroup]]:
    """Divide the rows by some of their columns; nothing else is read.

    Args:
        groups: to divide.
        columns: to read.
        chosen: takes the columns of a group's used rows, gives (N,) which of them are chosen.

    Returns:
        The groups with the rows that are not chosen, and those with the chosen ones.
    """
    rest, picked = [], []
    for group, table in tables_of(groups, columns):
        out = chosen(table, group)
        rest.append(_only(group, np.flatnonzero(~out)))
        picked.append(_only(group, np.flatnonzero(out)))
    return [g for g in rest if g.count], [g for g in picked if g.count]


def tables_of(
    groups: Sequence[RowGroup], columns: tuple[str, ...]
) -> Iterator[tuple[RowGroup, pa.Table]]:
    """Some columns of all used rows, a group at a time."""
    shards = OpenShards(1)
    for group in groups:
        table = shards.read(group, columns)
        yield group, table if group.used is None else table.take(pa.array(group.used))
    shards.close()


def group_names(group: RowGroup, table: pa.Table) -> tuple[list[str], list[str]]:
    """Keys and identities of a group's used rows."""
    rows = np.arange(group.count) if group.used is None else group.used
    return names_of(table, (group.first + rows).tolist())


def group_people(group: RowGroup, table: pa.Table) -> list[str]:
    """Who is shown in a group's used rows, as `FaceRecords.people`."""
    keys, identities = group_names(group, table)
    return [identity or key for identity, key in zip(identities, keys, strict=True)]


def _only(group: RowGroup, rows: Int[np.ndarray, " M"]) -> RowGroup:
    if len(rows) == group.count:
        return group
    used = rows if group.used is None else group.used[rows]
    return replace(group, used=used.astype(np.int32), count=len(rows))


class OpenShards:
    """The shards read last, kept open because opening one costs requests.

    Args:
        limit: open files at a time.
    """

    def __init__(self, limit: int = 16) -> None:
        self.limit = limit
        self._files: OrderedDict[str, pq.ParquetFile] = OrderedDict()

    def read(self, group: RowGroup, columns: tuple[str, ...]) -> pa.Table:
        """Some columns of one row group, all rows.

        Raises:
            InputError: names the shard, where it is damaged or cannot be reached.
        """
        shard = group.shard
        file = self._files.pop(shard.location, None) or open_shard(shard.location, shard.name)
        self._files[shard.location] = file
        while len(self._files) > self.limit:
            self._files.popitem(last=False)[1].close(force=True)
        if file.metadata.num_row_groups != len(shard.rows):
            raise InputError(f"{shard.name}: has changed since training began; start again")
        return read_group(file, group.number, columns, shard.name, group.crop)

    def close(self) -> None:
        """Close all."""
        while self._files:
            self._files.popitem()[1].close(force=True)
