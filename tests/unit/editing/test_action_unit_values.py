"""Action units as users write them."""

import numpy as np
import pytest

from xpress.editing.action_unit_values import (
    MEANINGS,
    ONE_SIDED,
    parse_action_units,
    random_action_units,
    unit_vector,
)
from xpress.errors import InputError
from xpress.morphable.action_units import ACTION_UNITS, action_unit_matrix
from xpress.morphable.model import MorphableModel


def test_units_with_sides_are_those_whose_shapes_all_have_two():
    names = MorphableModel.default().expression_names
    matrix = action_unit_matrix(names)
    sided = np.array([name.endswith(("_L", "_R")) for name in names])
    found = [n for n, row in zip(ACTION_UNITS, matrix, strict=True) if sided[row != 0].all()]
    assert tuple(found) == ONE_SIDED
    assert tuple(MEANINGS) == ACTION_UNITS


def test_one_sided_units_come_last():
    parsed = parse_action_units({"AU45_L": 1, "AU45": "0.25", "AU1": 0})
    assert list(parsed.items()) == [("AU1", 0.0), ("AU45", 0.25), ("AU45_L", 1.0)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"AU3": 1}, r"aus\.AU3: no such action unit.*AU12 lip corner puller"),
        ({"smile": 1}, r"aus\.smile: no such action unit"),
        ({"AU12": 1.01}, r"aus\.AU12=1\.01: choose an intensity from 0 to 1.*AU45 blink"),
        ({"AU12": -0.1}, "from 0 to 1"),
        ({"AU12": "much"}, "AU12=much"),
        ({"AU12": True}, "AU12=True"),
        ({"AU12": float("nan")}, "AU12=nan"),
        ({"AU25_L": 1}, "AU25 has no sides"),
        ({"AU12_X": 1}, "no such action unit"),
        ({"random": 1.5}, r"aus\.random=1\.5: choose a whole number"),
        ({"random": -1}, "whole number"),
    ],
)
def test_wrong_units_are_told_in_one_line(given, message):
    with pytest.raises(InputError, match=message) as error:
        parse_action_units(given)
    assert "\n" not in str(error.value)


def test_random_units_are_few_bounded_and_repeatable():
    drawn = [random_action_units(seed) for seed in range(200)]
    assert drawn[7] == random_action_units(7)
    assert len({tuple(units) for units in drawn}) > 60
    assert {len(units) for units in drawn} == {2, 3, 4}
    assert all(0.3 <= value <= 0.9 for units in drawn for value in units.values())
    assert not any({"AU12", "AU15"} <= set(units) for units in drawn)


def test_what_is_named_beside_random_takes_precedence():
    name, value = next(iter(random_action_units(3).items()))
    assert value != 0.05
    assert parse_action_units({"random": 3, name: 0.05})[name] == 0.05


def test_a_vector_keeps_what_is_not_named():
    own = np.linspace(0, 0.8, 17)
    units = unit_vector({"AU12": 0.9}, own)
    assert units[8] == 0.9
    np.testing.assert_array_equal(np.delete(units, 8), np.delete(own, 8))
    with pytest.raises(InputError, match="editor=morphable moves one side; use AU12"):
        unit_vector({"AU12_R": 1.0}, own)
