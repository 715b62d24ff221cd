"""Action units as a user writes them: names, sides and intensities.

`AU12=0.8` pulls both corners of the lips to that absolute intensity, `AU45_L=1` shuts the face
owner's left eye, `random=7` chooses a few units that go together, the same for the same number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from xpress.errors import InputError
from xpress.morphable.action_units import ACTION_UNIT_NAMES, ACTION_UNITS, SIDES

MEANINGS = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    7: "lid tightener",
    9: "nose wrinkler",
    10: "upper lip raiser",
    12: "lip corner puller",
    14: "dimpler",
    15: "lip corner depressor",
    17: "chin raiser",
    20: "lip stretcher",
    23: "lip tightener",
    25: "lips part",
    26: "jaw drop",
    45: "blink",
}
"""Names of the Facial Action Coding System."""

ONE_SIDED = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 20, 45)
"""Units that a face can show on one side: all of their shapes have two."""

_UPPER, _LOWER = (1, 2, 4, 5, 6, 7, 9), (10, 12, 14, 15, 17, 20, 23, 25, 26)
_OPPOSED = ((12, 15), (23, 25), (23, 26), (23, 10), (5, 7), (5, 6), (20, 14), (17, 26))
"""Pairs that random expressions do not mix: muscles or lips that work against each other."""
_RANDOM_RANGE = (0.3, 0.9)


def parse_action_units(given: Mapping[str, Any]) -> dict[str, float]:
    """Check units and turn `random` into some.

    Args:
        given: intensities in [0, 1] by names such as AU12 and AU45_L; `random` is a whole number
            from 0, and what is named beside it takes precedence.

    Returns:
        Intensities by name, two-sided units before one-sided ones, which take precedence.

    Raises:
        InputError: a name that is no unit, a side that a unit does not have, or a value that is
            no number in [0, 1].
    """
    named = dict(given)
    seed = named.pop("random", None)
    found = {} if seed is None else random_action_units(_seed(seed))
    for name, value in named.items():
        _check_name(str(name))
        found[str(name)] = _intensity(str(name), value)
    return {name: found[name] for name in sorted(found, key=_order)}


def random_action_units(seed: int) -> dict[str, float]:
    """Two to four units of brows, eyes and mouth that go together, between 0.3 and 0.9."""
    generator = np.random.default_rng(seed)
    chosen: list[int] = []
    for group in (_UPPER, _LOWER):
        wanted = len(chosen) + int(generator.integers(1, 3))
        for number in generator.permutation(group).tolist():
            if len(chosen) < wanted and not any(_opposed(number, other) for other in chosen):
                chosen.append(number)
    values = generator.uniform(*_RANDOM_RANGE, len(chosen)).round(2).tolist()
    return {f"AU{number}": value for number, value in sorted(zip(chosen, values, strict=True))}


def unit_vector(
    wanted: Mapping[str, float], own: Float[np.ndarray, "17"]
) -> Float[np.ndarray, "17"]:
    """All units of a face of which some are wanted otherwise, in the order of `ACTION_UNITS`.

    Raises:
        InputError: one side of a unit is wanted; the seventeen have no sides.
    """
    units = np.array(own, np.float64)
    for name, value in wanted.items():
        if name.endswith(SIDES):
            raise InputError(f"aus.{name}: only editor=morphable moves one side; use {name[:-2]}")
        units[ACTION_UNIT_NAMES.index(name)] = value
    return units


def listing() -> str:
    """The units with their meanings, for messages."""
    return ", ".join(f"AU{number} {MEANINGS[number]}" for number in ACTION_UNITS)


def _check_name(name: str) -> None:
    unit, side = (name[:-2], True) if name.endswith(SIDES) else (name, False)
    if unit not in ACTION_UNIT_NAMES:
        raise InputError(f"aus.{name}: no such action unit; choose from {listing()}, or random")
    if side and int(unit[2:]) not in ONE_SIDED:
        sided = ", ".join(f"AU{number}" for number in ONE_SIDED)
        raise InputError(f"aus.{name}: {unit} has no sides; sides (_L, _R) have {sided}")


def _intensity(name: str, value: Any) -> float:
    try:
        number = float("nan" if isinstance(value, bool) else value)
    except (TypeError, ValueError):
        number = float("nan")
    if not 0 <= number <= 1:
        unit = re.sub("_[LR]$", "", name)
        raise InputError(
            f"aus.{name}={_told(value)}: choose an intensity from 0 to 1 ({unit} is the "
            f"{MEANINGS[int(unit[2:])]}; the units are {listing()})"
        )
    return number


def _told(value: Any) -> str:
    """A value that somebody gave, on one line."""
    return " ".join(str(value).split())


def _seed(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InputError(f"aus.random={_told(value)}: choose a whole number from 0")
    return value


def _order(name: str) -> tuple[bool, int, str]:
    return name.endswith(SIDES), int(re.sub("_[LR]$", "", name)[2:]), name


def _opposed(first: int, second: int) -> bool:
    return (first, second) in _OPPOSED or (second, first) in _OPPOSED
