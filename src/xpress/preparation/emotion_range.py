"""The range of action units over packs of faces, of which emotions are made.

    python -m xpress.preparation.emotion_range faces.parquet …

prints the median and the 99th percentile of each unit of the packs' column of action units, as
`models.expression_editing.emotions.READ_RANGE` holds them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from xpress.command_line import one_line_errors
from xpress.errors import InputError
from xpress.models.expression_editing.emotions import measured_range
from xpress.morphable.action_units import ACTION_UNIT_NAMES
from xpress.packs.action_units import UNITS, units_of
from xpress.packs.parquet import read_with


@one_line_errors()
def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packs", nargs="+")
    options = parser.parse_args(arguments)
    units = np.concatenate([_units(pack) for pack in options.packs])
    low, high = measured_range(units)
    for name, rest, strong in zip(ACTION_UNIT_NAMES, low, high, strict=True):
        print(f"{name:6}{rest:6.2f}{strong:6.2f}")


def _units(pack: str) -> np.ndarray:
    units = units_of(read_with(pack, (UNITS,))[1])
    units = units[np.isfinite(units).all(1)]
    if not len(units):
        raise InputError(f"{pack}: no action units; add them with xpress.preparation.annotate")
    return units


if __name__ == "__main__":
    main()
