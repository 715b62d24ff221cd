"""Wanted action units become expressions."""

import numpy as np
import pytest

from xpress.editing.expressions import ExpressionSolver, _bounded_least_squares
from xpress.morphable.action_units import ACTION_UNIT_NAMES, ActionUnits
from xpress.morphable.model import MorphableModel

NAMES = MorphableModel.default().expression_names
COLUMN = {name: i for i, name in enumerate(NAMES)}
UNITS = ActionUnits(NAMES)


@pytest.fixture(scope="module")
def solver() -> ExpressionSolver:
    return ExpressionSolver(NAMES)


def expression(**values: float) -> np.ndarray:
    found = np.zeros(len(NAMES))
    for name, column in COLUMN.items():
        found[column] = values.get(name, values.get(name[:-2], 0.0))
    return found


def some(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).beta(0.6, 2.5, len(NAMES))


@pytest.mark.parametrize("name", ACTION_UNIT_NAMES)
@pytest.mark.parametrize("value", [0.0, 0.35, 1.0])
def test_the_wanted_intensity_is_read_back(solver, name, value):
    for seed in range(3):
        result = solver(some(seed), {name: value})
        assert np.all((result >= 0) & (result <= 1))
        assert UNITS(result)[ACTION_UNIT_NAMES.index(name)] == pytest.approx(value, abs=2e-3)


@pytest.mark.parametrize("seed", range(4))
def test_all_seventeen_of_another_face_are_reached(solver, seed):
    wanted = UNITS(some(seed + 10) * 0.8)
    result = solver.reach(some(seed), wanted)
    np.testing.assert_allclose(UNITS(result), wanted, atol=5e-3)


@pytest.mark.parametrize("seed", range(4))
def test_its_own_units_change_nothing(solver, seed):
    own = some(seed)
    np.testing.assert_array_equal(solver.reach(own, UNITS(own)), own)
    np.testing.assert_array_equal(solver(own, {}), own)


def test_a_unit_of_one_shape_moves_nothing_else(solver):
    own = some(1)
    result = solver(own, {"AU12": 1.0})
    smile = [COLUMN["mouthSmile_L"], COLUMN["mouthSmile_R"]]
    np.testing.assert_allclose(result[smile], 1.0, atol=1e-4)
    np.testing.assert_array_equal(np.delete(result, smile), np.delete(own, smile))


def test_parted_lips_leave_the_jaw_and_a_dropped_jaw_parts_them(solver):
    parted = solver(expression(), {"AU25": 1.0})
    assert parted[COLUMN["jawOpen"]] < 0.1
    assert parted[COLUMN["mouthLowerDown_L"]] > 0.3
    assert parted[COLUMN["mouthFunnel"]] < parted[COLUMN["mouthLowerDown_L"]]
    dropped = solver(expression(), {"AU26": 0.5})
    assert UNITS(dropped)[ACTION_UNIT_NAMES.index("AU25")] == pytest.approx(1.0, abs=1e-3)
    shut = solver(expression(), {"AU26": 0.5, "AU25": 0.0})
    assert shut[COLUMN["mouthClose"]] == pytest.approx(0.5, abs=0.02)


def test_one_side_leaves_the_other(solver):
    own = expression(eyeBlink=0.1, mouthSmile=0.2)
    result = solver(own, {"AU12": 0.5, "AU45_L": 1.0})
    assert result[COLUMN["eyeBlink_L"]] == 1.0
    assert result[COLUMN["eyeBlink_R"]] == pytest.approx(0.1)
    assert result[COLUMN["mouthSmile_R"]] == pytest.approx(0.5, abs=1e-3)


def test_both_lids_close_at_one_and_open_at_zero(solver):
    own = expression(eyeBlink_L=0.3, eyeBlink_R=0.1)
    lids = [COLUMN["eyeBlink_L"], COLUMN["eyeBlink_R"]]
    np.testing.assert_allclose(solver(own, {"AU45": 1.0})[lids], 1.0)
    np.testing.assert_allclose(solver(own, {"AU45": 0.0})[lids], 0.0)


def test_bounds_that_hold_nothing_back_need_no_solver():
    rng = np.random.default_rng(0)
    system, aim = rng.standard_normal((9, 4)), rng.standard_normal(9)
    wide, narrow = np.full(4, 9.0), np.full(4, 0.05)
    free = np.linalg.solve(system.T @ system, system.T @ aim)
    np.testing.assert_allclose(_bounded_least_squares(system, aim, -wide, wide), free)
    held = _bounded_least_squares(system, aim, -narrow, narrow)
    assert np.abs(held).max() <= 0.05
    slope = system.T @ (system @ held - aim)  # of half the square: into the bounds, or none
    assert np.all(np.where(held >= 0.05, slope <= 0, np.where(held <= -0.05, slope >= 0, True)))
    assert np.abs(slope[np.abs(held) < 0.05]).max(initial=0) < 1e-9
