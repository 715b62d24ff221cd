"""Each equation against numpy, written down as the paper has it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xpress.models.expression_editing import losses
from xpress.models.expression_editing.critic import ExpressionCritic, interpolates, score

RNG = np.random.default_rng(0)


def tensor(*shape: int) -> torch.Tensor:
    return torch.from_numpy(RNG.standard_normal(shape))


def test_equation_6_is_the_difference_of_the_means():
    real, fake = tensor(5), tensor(5)
    expected = np.mean([fake[i] - real[i] for i in range(5)])
    assert float(losses.critic_loss(real, fake)) == pytest.approx(expected)
    assert float(losses.generator_loss(fake)) == pytest.approx(-fake.numpy().mean())


def test_the_penalty_of_a_linear_critic_is_known():
    """D(x) = <w, x> has the gradient w anywhere."""
    weight = tensor(3, 4, 4)
    picture = tensor(2, 3, 4, 4).requires_grad_()
    value = (picture * weight).sum((1, 2, 3))
    expected = (np.sqrt((weight.numpy() ** 2).sum()) - 1) ** 2
    assert float(losses.gradient_penalty(value, picture).detach()) == pytest.approx(expected)


def test_the_penalty_is_that_of_finite_differences():
    torch.manual_seed(0)
    critic = ExpressionCritic(8, 2, 2).double()
    for parameter in critic.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    real, fake = tensor(2, 3, 8, 8), tensor(2, 3, 8, 8)
    between = interpolates(real, fake, torch.tensor([0.3, 0.8], dtype=torch.float64))
    found = losses.gradient_penalty(score(critic(between)[0]), between)

    def value(picture: np.ndarray) -> float:
        with torch.no_grad():
            return float(critic(torch.from_numpy(picture)[None])[0].mean())

    norms = []
    for picture in between.detach().numpy():
        slopes = []
        for index in np.ndindex(picture.shape):
            up, down = picture.copy(), picture.copy()
            up[index] += 1e-6
            down[index] -= 1e-6
            slopes.append((value(up) - value(down)) / 2e-6)
        norms.append(np.sqrt(np.sum(np.square(slopes))))
    expected = np.mean((np.array(norms) - 1) ** 2)
    assert float(found.detach()) == pytest.approx(expected, rel=1e-5)
    found.backward()
    gradient = critic.patches.weight.grad
    assert gradient is not None
    assert gradient.abs().sum() > 0


def test_equation_7_is_a_squared_norm():
    seen, units = tensor(4, 17), tensor(4, 17)
    expected = np.mean([np.linalg.norm(seen[i] - units[i]) ** 2 for i in range(4)])
    assert float(losses.conditional_loss(seen, units)) == pytest.approx(expected)


def test_the_published_condition_weight_is_that_of_the_authors_code():
    """4000 times the mean of squares over batch and units, divided by the batch of 25 again."""
    seen, units = tensor(25, 17), tensor(25, 17)
    expected = 4000 * np.mean((seen - units).numpy() ** 2) / 25
    weight = losses.ExpressionLossWeights().condition
    assert float(weight * losses.conditional_loss(seen, units)) == pytest.approx(expected, rel=2e-3)


def test_equation_8_is_a_mean_over_pixels():
    image, back = tensor(2, 3, 4, 4), tensor(2, 3, 4, 4)
    norms = [float((image[i] - back[i]).abs().sum()) for i in range(2)]
    assert float(losses.cycle_loss(image, back)) == pytest.approx(np.mean(norms) / (3 * 16))


def test_equation_9_sums_squared_neighbours():
    flow = tensor(2, 2, 4, 5)
    total = 0.0
    for b, c in np.ndindex(2, 2):
        f = flow[b, c].numpy()
        total += sum((f[i + 1, j] - f[i, j]) ** 2 for i in range(3) for j in range(5))
        total += sum((f[i, j + 1] - f[i, j]) ** 2 for i in range(4) for j in range(4))
    assert float(losses.total_variation(flow)) == pytest.approx(total / 2)


def test_equation_10_is_the_mean_of_the_mask():
    mask = torch.rand(2, 1, 4, 4, dtype=torch.float64)
    norms = [float(m.abs().sum()) for m in mask]
    assert float(losses.attention_mean(mask)) == pytest.approx(np.mean(norms) / 16)


def test_the_teacher_counts_more_where_it_changes_something():
    source = torch.zeros(2, 3, 2, 2)
    edited = source.clone()
    edited[:, :, 0, 0] = 0.5
    image = edited + 0.1
    rows = torch.tensor([True, False])
    image[1] = float("nan")  # without a teacher, whatever stands there
    found = losses.teacher_loss(image, edited, source, rows, focus=4.0)
    assert float(found) == pytest.approx(0.1 * (5 + 1 + 1 + 1) / 4, rel=1e-5)
    none = losses.teacher_loss(image, edited, source, torch.tensor([False, False]), focus=4.0)
    assert float(none) == 0


def test_a_teachers_flow_is_followed_where_it_moves_and_is_trusted():
    wanted = torch.zeros(1, 2, 2, 2)
    wanted[:, 0, 0, 0] = 3.0
    wanted[:, 0, 0, 1] = 2.0
    flow = torch.zeros(1, 2, 2, 2)
    flow[:, 1, 1, 1] = 0.4
    trust = torch.ones(1, 2, 2)
    trust[:, 0, 1] = 0.0

    def distance(d: float) -> float:
        return np.sqrt(d**2 + 0.1**2) - 0.1

    expected = (1.1 * distance(3.0) + 0.1 * distance(0.4)) / (1.1 + 0.1 + 0.1)
    rows = torch.tensor([True])
    found = losses.teacher_flow_loss(flow, wanted, trust, rows)
    assert float(found) == pytest.approx(expected, rel=1e-5)
    assert float(losses.teacher_flow_loss(wanted, wanted, trust, rows)) == pytest.approx(0)


def test_trust_falls_where_the_flow_does_not_explain_the_picture():
    aligned, edited = torch.zeros(1, 3, 1, 2), torch.zeros(1, 3, 1, 2)
    edited[..., 1] = 0.05
    trust = losses.flow_trust(aligned, edited)
    np.testing.assert_allclose(trust[0, 0], [1.0, np.exp(-1)], rtol=1e-6)
