import numpy as np
import pytest
import torch

from xpress.morphable.expression_geometry import OPENING, SMILE, WIDTH
from xpress.morphable.signals import expression_signals
from xpress.rendering.camera import project


def measured(model, identity, expression) -> np.ndarray:
    """The signals of a drawn frontal face, times its own eye distance over the mean face's."""
    mesh = model.vertices(
        torch.from_numpy(identity).float()[None], torch.from_numpy(expression).float()[None]
    )
    view = (torch.zeros(1, 3), torch.zeros(1, 2), torch.full((1,), 10.0))
    drawn = model.landmarks68(project(mesh, *view))[..., :2]
    mean = model.landmarks68(project(model.mean[None], *view))[..., :2]
    eyes = [(p[0, 45] - p[0, 36]).norm() for p in (drawn, mean)]
    return (expression_signals(drawn)[0] * eyes[0] / eyes[1]).double().numpy()


@pytest.mark.parametrize("seed", [0, 1])
def test_linear_signals_are_those_of_the_drawn_face(model, geometry, seed):
    generator = np.random.default_rng(seed)
    identity = generator.normal(size=model.sizes[0]) * 0.3
    expression = generator.uniform(size=model.sizes[1]) * 0.2
    got = geometry.neutral(identity) + geometry.changes(expression)
    np.testing.assert_allclose(got, measured(model, identity, expression), atol=0.012)


def test_reached_signals_are_the_wanted_ones(model, geometry):
    rows = [OPENING, WIDTH, SMILE]
    start = np.full(model.sizes[1], 0.2)
    wanted = geometry.changes(start)
    wanted[rows] += [0.05, 0.03, 0.01]
    got = geometry.reach(start, wanted, rows)
    np.testing.assert_allclose(geometry.changes(got)[rows], wanted[rows], atol=0.003)
    assert got.min() >= 0
    assert got.max() <= 1


def test_what_may_not_move_stays(model, geometry):
    start = np.full(model.sizes[1], 0.2)
    movable = np.array([name == "jawOpen" for name in model.expression_names])
    wanted = geometry.changes(start) + 0.05
    got = geometry.reach(start, wanted, [OPENING], movable)
    assert np.flatnonzero(got != start).tolist() == [model.expression_names.index("jawOpen")]


def test_gaze_is_never_used(model, geometry):
    start = np.full(model.sizes[1], 0.2)
    got = geometry.reach(start, geometry.changes(start) - 0.05, [3, 4])
    gaze = [i for i, name in enumerate(model.expression_names) if name.startswith("eyeLook")]
    np.testing.assert_array_equal(got[gaze], start[gaze])
    assert (got != start).any()
