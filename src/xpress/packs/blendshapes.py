"""Blendshape scores of labelled pictures, in Parquet files of their own or beside the labels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float32

from xpress.errors import InputError
from xpress.morphable.blendshapes import TAUGHT_SHAPES, score_columns

COLUMNS = ("scores", "blendshapes")
NAMES = (b"names", b"blendshape_names")


def load_scores(
    paths: Sequence[str | os.PathLike], keys: Sequence[str]
) -> Float32[np.ndarray, "N S"]:
    """Scores of `TAUGHT_SHAPES` for rows; NaN where no file knows one.

    Each file has a column `key` and one `scores` or `blendshapes` of lists in [0, 1], whose
    comma-separated ARKit names are `names` or `blendshape_names` of the schema's metadata.

    Args:
        paths: of the files.
        keys: of the wanted rows, as in their packs.

    Raises:
        InputError: missing, not such a file, or none of the rows is known.
    """
    known: dict[str, np.ndarray] = {}
    for path in paths:
        known |= _read(Path(path))
    missing = np.full(len(TAUGHT_SHAPES), np.nan, np.float32)
    found = [known.get(key, missing) for key in keys]
    if found and all(row is missing for row in found):
        files = ", ".join(map(str, paths))
        raise InputError(f"{files}: know none of the {len(keys)} rows; score these packs")
    return np.stack(found) if found else np.zeros((0, len(missing)), np.float32)


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        schema = pq.read_schema(path)
        column = next(name for name in COLUMNS if name in schema.names)
        table = pq.read_table(path, columns=["key", column])
        names = next((schema.metadata or {})[name] for name in NAMES if name in schema.metadata)
        columns = score_columns(names.decode().split(","))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file of blendshape scores") from error
    except (StopIteration, TypeError, ValueError, KeyError, pa.ArrowException) as error:
        raise InputError(
            f"{path}: holds no blendshape scores; give key, scores, and their names in the metadata"
        ) from error
    rows = zip(table["key"].to_pylist(), table[column].to_pylist(), strict=True)
    return {
        key: np.asarray(scores, np.float32)[columns]
        for key, scores in rows
        if scores is not None and len(scores) > max(columns)
    }
