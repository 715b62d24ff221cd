"""Columns of action units in packs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

UNITS = "action_units"
"""Column of the units, lists of 17 in the order of `ACTION_UNITS`."""


PICTURES = {"image": UNITS, "edited": "edited_units"}
"""Columns with pictures and the column for each's units; pairs of `edit_pairs` have both."""


def with_units(table: pa.Table, column: str, units: Float32[np.ndarray, "N 17"]) -> pa.Table:
    """A table with a column of units, replaced where it is there; not-a-number becomes null."""
    good = np.isfinite(units).all(1)
    values: Sequence = [row if ok else None for row, ok in zip(units, good, strict=True)]
    array = pa.array(values, pa.list_(pa.float32()))
    field = pa.field(column, array.type)
    if column in table.column_names:
        return table.set_column(table.column_names.index(column), field, array)
    return table.append_column(field, array)


def units_of(table: pa.Table, column: str = UNITS) -> Float32[np.ndarray, "N 17"]:
    """The column of units; rows without 17 finite numbers are not-a-number throughout."""
    units = np.full((table.num_rows, 17), np.nan, np.float32)
    if column in table.column_names:
        for row, values in enumerate(table[column].to_pylist()):
            if values is not None and len(values) == 17:
                units[row] = values
    units[~np.isfinite(units).all(1)] = np.nan
    return units
