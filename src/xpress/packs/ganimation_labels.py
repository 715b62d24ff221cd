"""Action units from the pickled dictionary of GANimation's authors, without running its code."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xpress.errors import InputError
from xpress.face_models.readers.pickled_arrays import read_pickled_arrays
from xpress.morphable.action_units import ACTION_UNITS
from xpress.packs.named_units import NamedUnits


def read_ganimation(path: Path) -> NamedUnits:
    """Read `aus_openface.pkl`: a dictionary from picture names to 17 intensities in [0, 5].

    The pickle is not run, see `read_pickled_arrays`.

    Raises:
        InputError: missing, no such dictionary, or it asks for anything else.
    """
    content = read_pickled_arrays(path)
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path}: holds no dictionary of names and arrays")
    rows = []
    for name, values in content.items():
        row = np.asarray(values).reshape(-1) if isinstance(values, np.ndarray) else np.zeros(0)
        if (
            not isinstance(name, str)
            or row.shape != (len(ACTION_UNITS),)
            or row.dtype.kind not in "fiu"
        ):
            raise InputError(f"{path}: {name!r} is no name with {len(ACTION_UNITS)} intensities")
        rows.append(row.astype(np.float64))
    units = np.stack(rows)
    if not np.isfinite(units).all():
        raise InputError(f"{path}: holds intensities that are no numbers")
    return NamedUnits(list(content), units)
