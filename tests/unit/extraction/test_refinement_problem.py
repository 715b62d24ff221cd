"""The least-squares problem: its minimum, its derivatives and its steps."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from xpress.extraction.refinement_problem import (
    LIGHTS,
    RefineParts,
    RefineProblem,
    RefineSettings,
    Variables,
    moved,
)
from xpress.morphable.fitting import POSE, FitState
from xpress.morphable.model import MorphableModel
from xpress.rendering.camera import rotation_matrix

SIZE = 64
MODEL = MorphableModel.default()
IDENTITY, EXPRESSION, COLOR = MODEL.sizes
SHAPES = POSE + EXPRESSION + IDENTITY


def variables(level: float = 2.0) -> Variables:
    pose = FitState(
        torch.zeros(1, IDENTITY),
        torch.full((1, EXPRESSION), 0.1),
        rotation_matrix(torch.tensor([[0.05, -0.1, 0.02]])),
        torch.tensor([[31.5, 31.5]]),
        torch.tensor([2.6]),
    )
    light = torch.zeros(9, 3)
    light[0] = level
    return Variables(pose, torch.zeros(COLOR), light)


@pytest.fixture(scope="module")
def parts() -> RefineParts:
    return RefineParts(MODEL)


def problem(parts: RefineParts, **changes: float) -> RefineProblem:
    """Of a picture whose colours are a plane: its derivatives are known everywhere."""
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    plane = torch.stack([0.4 + 0.004 * x, 0.5 + 0.002 * y, 0.3 + 0.001 * (x + y)])
    slopes = torch.tensor([0.004, 0.0, 0.001, 0.0, 0.002, 0.001])
    picture = torch.cat([plane, slopes[:, None, None].expand(-1, SIZE, SIZE)]).float()
    settings = RefineSettings(size=SIZE, robust=1e6, **changes)
    return RefineProblem(parts, settings, picture, np.ones((SIZE, SIZE), bool), variables())


def test_steps_compose_rotations_scale_and_stay_in_bounds():
    now = variables()
    change = torch.zeros(SHAPES + COLOR + LIGHTS)
    change[:3] = torch.tensor([0.0, 0.0, 0.2])
    change[3] = 0.1
    change[4:6] = torch.tensor([3.0, -2.0])
    change[POSE] = 5.0  # an activation beyond one
    change[POSE + 1] = -5.0
    change[SHAPES] = 0.7
    change[-1] = 0.3
    there = moved(now, change)
    angle = (there.pose.rotation @ now.pose.rotation.mT)[0]
    assert math.acos((float(angle.trace()) - 1) / 2) == pytest.approx(0.2, abs=1e-3)
    assert float(there.pose.scale) == pytest.approx(2.6 * 1.1)
    assert there.pose.translation.tolist() == [[34.5, 29.5]]
    assert there.pose.expression[0, :3].tolist() == pytest.approx([1.0, 0.0, 0.1])
    assert (float(there.color[0]), float(there.light[8, 2])) == pytest.approx((0.7, 0.3))


def test_samples_are_of_the_front_that_the_photograph_shows(parts):
    whole = problem(parts)
    points = whole.sample(whole.start)
    assert 100 < len(points) < SIZE * SIZE / 2
    half = problem(parts)
    half.inside = np.broadcast_to(np.arange(SIZE) < SIZE // 2, (SIZE, SIZE)).copy()
    assert 0 < len(half.sample(half.start)) < 0.7 * len(points)
    half.inside[:] = False
    assert half.shade(half.start, half.sample(half.start)).rms == 0.0


def test_what_is_seen_is_the_picture_there(parts):
    given = problem(parts)
    shaded = given.shade(given.start, given.sample(given.start))
    colors = shaded.difference + shaded.albedo * shaded.shading
    # red rises along x only, and by so much a pixel
    torch.testing.assert_close(shaded.slopes[:, 0, 0], torch.full((len(colors),), 0.004))
    torch.testing.assert_close(shaded.slopes[:, 0, 1], torch.zeros(len(colors)))
    assert float(colors[:, 0].min()) >= 0.4
    assert float(colors[:, 0].max()) <= 0.4 + 0.004 * SIZE


@pytest.mark.parametrize("place", [4, 5, SHAPES, SHAPES + 7, -LIGHTS, -1])
def test_the_gradient_is_that_of_the_objective(parts, place: int):
    """Translation, colour and light, which turn no normals: by central differences."""
    given = problem(parts)
    points = given.sample(given.start)
    hessian, gradient = given.equations(given.start, points)
    step = torch.zeros(len(gradient))
    step[place] = 1e-2
    there, back = (given.objective(moved(given.start, s), points) for s in (step, -step))
    assert (there - back) / 2e-2 == pytest.approx(-2 * float(gradient[place]), rel=2e-2, abs=0.5)
    rounding = 1e-6 * float(hessian.diagonal().max())  # sums of single precision
    torch.testing.assert_close(hessian, hessian.mT, rtol=0, atol=rounding)
    assert float(torch.linalg.eigvalsh(hessian).min()) > -1e-6 * float(hessian.diagonal().max())


def test_priors_hold_what_the_picture_does_not_say(parts):
    given = problem(parts, identity=0.1, albedo=0.5)
    given.inside = np.zeros((SIZE, SIZE), bool)  # nothing is seen
    points = given.sample(given.start)
    at_rest = given.objective(given.start, points)
    change = torch.zeros(SHAPES + COLOR + LIGHTS)
    change[SHAPES] = 1.0
    assert given.objective(moved(given.start, change), points) - at_rest == pytest.approx(4.0)
    change[SHAPES], change[-LIGHTS] = 0.0, 9.0  # the constant band is free
    assert given.objective(moved(given.start, change), points) == pytest.approx(at_rest)
