"""Action units as a column of Parquet packs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial as partial_of
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from xpress.errors import InputError
from xpress.extraction.action_unit_encoder import Face, UnitEncoder
from xpress.packs.action_units import PICTURES, UNITS, with_units
from xpress.packs.parquet import names_of, points_of
from xpress.packs.records import decode, usable_landmarks
from xpress.packs.shards import attempt, is_remote
from xpress.whole_files import written_beside

Labels = Callable[[str], np.ndarray | None]
"""Units of a row by its key."""


@dataclass
class LabelCounts:
    """What became of a pack's rows."""

    rows: int = 0
    labelled: int = 0

    def __str__(self) -> str:
        text = f"{self.labelled} of {self.rows} faces have action units"
        left = self.rows - self.labelled
        return text + (f"; {left} are broken, show no face or are not labelled" if left else "")


PathLike = str | os.PathLike


def annotate_pack(
    pack: str | os.PathLike,
    output: str | os.PathLike | None = None,
    encoder: UnitEncoder | None = None,
    labels: Labels | None = None,
) -> LabelCounts:
    """Write a pack with a column of action units; its other columns stay as they are.

    Args:
        pack: a `.parquet` file with `image` and, where known, `landmarks68`.
        output: `.parquet`; by default the pack is replaced once the new one is complete.
        encoder: reads the units, and those of `edited` pictures in packs of pairs.
        labels: units by key instead.

    Raises:
        InputError: not a pack of pictures, nothing in it could be labelled, or the output cannot
            be written.
    """
    name = str(pack)
    if is_remote(pack):
        raise InputError(f"{name}: only files of this machine are annotated; copy it first")
    if not Path(pack).is_file():
        raise InputError(f"{name}: no such file; name a .parquet pack")
    counts = LabelCounts()
    with attempt(lambda: pq.ParquetFile(pack), name) as file:
        schema = file.schema_arrow
        if "image" not in schema.names:
            raise InputError(f"{name}: has no column 'image'; a pack needs encoded pictures")
        with written_beside(output or pack) as partial:
            writer = None
            for number in range(file.num_row_groups):
                table = attempt(partial_of(file.read_row_group, number), name)
                table = _labelled(table, name, counts, encoder, labels)
                writer = writer or pq.ParquetWriter(partial, table.schema)
                writer.write_table(table)
            if writer is not None:
                writer.close()
            if not counts.labelled:
                raise InputError(f"{name}: none of its {counts.rows} faces could be labelled")
    return counts


def _labelled(
    table: pa.Table,
    name: str,
    counts: LabelCounts,
    encoder: UnitEncoder | None,
    labels: Labels | None,
) -> pa.Table:
    if labels is not None:
        keys, _ = names_of(table, range(counts.rows, counts.rows + table.num_rows))
        found = [labels(key) for key in keys]
        units = np.stack([np.full(17, np.nan, np.float32) if u is None else u for u in found])
        table = with_units(table, UNITS, units)
    elif encoder is not None:
        table = label_pictures(table, encoder, name)
    else:
        raise ValueError("give an encoder or labels")
    counts.rows += table.num_rows
    counts.labelled += table.num_rows - table[UNITS].null_count
    return table


def label_pictures(table: pa.Table, encoder: UnitEncoder, name: str) -> pa.Table:
    """A table with the units of each of its `PICTURES`.

    Args:
        table: rows of a pack.
        encoder: reads the units.
        name: of the pack, for messages.
    """
    for picture, column in PICTURES.items():
        if picture in table.column_names:
            table = with_units(table, column, encoder.read_faces(_faces(table, picture, name)))
    return table


def _faces(table: pa.Table, picture: str, name: str) -> Iterator[Face]:
    points, known = points_of(table, "landmarks68", 68, name)
    known = known & usable_landmarks(points)
    for row, encoded in enumerate(table[picture]):
        try:
            image = decode(encoded.as_py() or b"")
        except InputError:
            image = None
        yield image, points[row] if known[row] else None
