import math

import numpy as np
import pytest
import torch
from scipy.optimize import lsq_linear

from xpress.morphable import fitting
from xpress.morphable.fitting import FitSettings, axis_angle, fit_landmarks
from xpress.morphable.landmarks.landmark_weights import fit_weights
from xpress.rendering.camera import rotation_matrix

EXACT = FitSettings(iterations=12, noise=5e-4)
EVERY = torch.ones(206)


def test_known_parameters_of_one_person_come_back(reduced, plant):
    known, points = plant(12)
    fit = fit_landmarks(reduced, points, EVERY, torch.zeros(12, dtype=torch.long), EXACT)
    eyes = (points[:, 36] - points[:, 45]).norm(dim=-1)
    assert (fit.residual.norm(dim=-1).amax(1) / eyes).max() < 3e-3
    turned = rotation_matrix(fit.rotation) @ rotation_matrix(known["rotation"]).mT
    assert axis_angle(turned).norm(dim=1).max() < math.radians(1.5)
    torch.testing.assert_close(fit.scale, known["scale"], rtol=0.02, atol=0)
    # coefficients that move no landmark are free; the face that they make is not
    shape = reduced.points(fit.identity, fit.expression)
    target = reduced.points(known["identity"], known["expression"])
    error = (shape - shape.mean(1, keepdim=True)) - (target - target.mean(1, keepdim=True))
    assert error.norm(dim=-1).mean() < 0.02 * reduced.eye_distance
    assert (fit.expression - known["expression"]).abs().mean() < 0.05


def test_bounds_hold_where_the_truth_touches_them(reduced, plant):
    known, _ = plant(6, seed=1)
    expression = known["expression"].clone()
    expression[:, ::2] = 0
    expression[:, 10:12] = 1  # both eyes shut
    points = fitting.project_state(
        fitting.FitState(
            known["identity"],
            expression,
            rotation_matrix(known["rotation"]),
            known["translation"],
            known["scale"],
        ),
        reduced.points(known["identity"], expression),
    )
    fit = fit_landmarks(reduced, points, EVERY, torch.zeros(6, dtype=torch.long), EXACT)
    assert fit.expression.min() >= 0
    assert fit.expression.max() <= 1
    assert (fit.expression == 0).any()
    assert fit.expression[:, 10:12].mean() > 0.9
    eyes = (points[:, 36] - points[:, 45]).norm(dim=-1)
    assert (fit.residual.norm(dim=-1).mean(1) / eyes).max() < 2e-3


def test_people_share_an_identity_and_only_theirs(reduced, plant):
    (_, first), (_, second) = plant(3, seed=2), plant(3, seed=3)
    groups = torch.tensor([0, 1, 0, 1, 0, 1])
    points = torch.stack([first, second], 1).flatten(0, 1)
    fit = fit_landmarks(reduced, points, torch.from_numpy(fit_weights()), groups)
    for row in (2, 4):
        assert torch.equal(fit.identity[row], fit.identity[0])
        assert torch.equal(fit.identity[row + 1], fit.identity[1])
    assert (fit.identity[0] - fit.identity[1]).norm() > 1
    alone = fit_landmarks(
        reduced, first, torch.from_numpy(fit_weights()), torch.zeros(3, dtype=torch.long)
    )
    torch.testing.assert_close(alone.identity[0], fit.identity[0], atol=2e-2, rtol=0)


def test_a_given_identity_is_held(reduced, plant):
    known, points = plant(2, seed=4)
    fit = fit_landmarks(reduced, points, EVERY, torch.arange(2), EXACT, known["identity"])
    assert torch.equal(fit.identity, known["identity"])
    assert fit.residual.norm(dim=-1).max() < 0.3


def test_labels_without_weight_do_not_matter(reduced, plant):
    _, points = plant(2, seed=5)
    weights = torch.from_numpy(fit_weights())
    spoiled = points.clone()
    spoiled[:, weights == 0] += 1000
    groups = torch.zeros(2, dtype=torch.long)
    clean = fit_landmarks(reduced, points, weights, groups)
    fit = fit_landmarks(reduced, spoiled, weights, groups)
    assert torch.equal(fit.expression, clean.expression)
    assert torch.equal(fit.translation, clean.translation)


def test_one_wild_label_is_weighed_down(reduced, plant):
    _, points = plant(1, seed=6)
    spoiled = points.clone()
    spoiled[0, 30] += 40
    groups = torch.zeros(1, dtype=torch.long)
    clean = fit_landmarks(reduced, points, EVERY, groups)
    robust = fit_landmarks(reduced, spoiled, EVERY, groups)
    plain = fit_landmarks(reduced, spoiled, EVERY, groups, FitSettings(robust=1e6))

    def moved(fit):
        return (fit.residual - clean.residual)[:, torch.arange(206) != 30].norm(dim=-1).mean()

    assert moved(robust) < 0.35 * moved(plain)


def test_jacobian_against_finite_differences(reduced, plant):
    known, _ = plant(2, seed=7)
    small = reduced.select(torch.tensor([0, 8, 30, 36, 62, 100])).double()
    known = {name: value.double() for name, value in known.items()}
    rotation = rotation_matrix(known["rotation"])

    def place(pose, expression, identity):
        state = fitting.FitState(
            known["identity"] + identity,
            known["expression"] + expression,
            rotation_matrix(pose[:, :3]) @ rotation,
            known["translation"] + pose[:, 4:],
            known["scale"] * (1 + pose[:, 3]),
        )
        points = small.points(state.identity, state.expression)
        return fitting.project_state(state, points), state, points

    zero = [torch.zeros(2, n, dtype=torch.double) for n in (6, 53, 60)]
    _, state, points = place(*zero)
    jacobian = fitting.projection_jacobian(small, state, points)
    step = 1e-6
    offset = 0
    for block in range(3):
        for column in range(zero[block].shape[1]):
            ends = []
            for sign in (1, -1):
                moved = [z.clone() for z in zero]
                moved[block][:, column] = sign * step
                ends.append(place(*moved)[0].flatten(1))
            slope = (ends[0] - ends[1]) / (2 * step)
            torch.testing.assert_close(jacobian[:, :, offset], slope, atol=1e-6, rtol=1e-6)
            offset += 1
    assert offset == jacobian.shape[2]


@pytest.mark.parametrize("seed", range(4))
def test_bounded_steps_reach_scipys_optimum(seed):
    generator = np.random.default_rng(seed)
    design = generator.normal(size=(30, 8))
    wanted = design @ generator.uniform(-0.5, 1.5, 8)
    expected = lsq_linear(design, wanted, (0, 1)).x
    matrix, hessian = torch.from_numpy(design), torch.from_numpy(design.T @ design)[None]
    x = torch.full((1, 8), 0.05, dtype=torch.double)
    for _ in range(14):
        pull = (torch.from_numpy(wanted) - x @ matrix.T) @ matrix
        step = fitting.bounded_solve(hessian, pull, -x, 1 - x)
        assert (step >= -x).all()
        assert (step <= 1 - x).all()
        x = x + step
    np.testing.assert_allclose(x[0].numpy(), expected, atol=1e-6)


def test_free_solve_is_the_linear_solution():
    generator = torch.Generator().manual_seed(0)
    design = torch.randn(3, 20, 5, generator=generator, dtype=torch.double)
    hessian, pull = design.mT @ design, torch.randn(3, 5, generator=generator, dtype=torch.double)
    free = torch.full((3, 5), torch.inf, dtype=torch.double)
    found = fitting.bounded_solve(hessian, pull, -free, free)
    torch.testing.assert_close(found, torch.linalg.solve(hessian, pull))


def test_axis_angle_inverts_rodrigues():
    vectors = torch.tensor(
        [[0, 0, 0], [1e-6, 0, -1e-6], [0.3, -0.2, 0.1], [0, 2.5, 0], [1.2, -1.2, 1.2]],
        dtype=torch.double,
    )
    torch.testing.assert_close(axis_angle(rotation_matrix(vectors)), vectors, atol=1e-9, rtol=0)
