from __future__ import annotations

import pytest
import torch

from xpress.models.painting import losses


def picture(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float).view(1, 1, 1, -1)


def test_weighted_l1_by_hand():
    truth = torch.zeros(1, 3, 1, 3)
    output = truth.clone()
    output[0, :, 0, 0] = torch.tensor([0.3, 0.6, 0.9])  # mean 0.6
    output[0, :, 0, 1] = torch.tensor([-0.1, 0.1, 0.1])  # mean of absolutes 0.1
    output[0, :, 0, 2] = 100.0
    loss = losses.weighted_l1(output, truth, picture(1, 3, 0))
    assert loss.item() == pytest.approx((0.6 + 0.3) / 4)
    assert losses.weighted_l1(output, truth, picture(0, 0, 0)).item() == 0


def test_a_wide_mouth_counts_more_than_a_slit():
    output, truth = torch.ones(2, 3, 4, 4), torch.ones(2, 3, 4, 4)
    output[0] = 0
    weight = torch.zeros(2, 1, 4, 4)
    weight[0, 0, 0, 0] = 1
    weight[1] = 1
    assert losses.weighted_l1(output, truth, weight).item() == pytest.approx(1 / 17)


@pytest.mark.parametrize(
    ("kind", "discriminator", "generator"),
    [
        # (0² + 0.5²)/2 and (1² + 0.5²)/2, halved together; (2² + 0.5²)/2
        ("lsgan", (0.125 + 0.625) / 2, 2.125),
        # (0 + 0.5)/2 and (0 + 1.5)/2, halved together; -(-1 + 0.5)/2
        ("hinge", (0.25 + 0.75) / 2, 0.25),
    ],
)
def test_adversarial_losses_by_hand(kind: str, discriminator: float, generator: float):
    real, fake = torch.tensor([1.0, 0.5]), torch.tensor([-1.0, 0.5])
    assert losses.discriminator_loss(real, fake, kind).item() == pytest.approx(discriminator)
    assert losses.generator_loss(fake, kind).item() == pytest.approx(generator)


@pytest.mark.parametrize("kind", losses.ADVERSARIAL)
def test_a_right_discriminator_has_no_loss(kind: str):
    good = losses.discriminator_loss(
        torch.ones(3), torch.full((3,), -1.0 * (kind == "hinge")), kind
    )
    assert good.item() == 0
    fake = torch.zeros(3, requires_grad=True)
    losses.generator_loss(fake, kind).backward()
    assert (fake.grad < 0).all()  # the generator wants higher verdicts


def test_feature_difference_is_the_mean_over_layers():
    real = [torch.zeros(2, 4), torch.zeros(2, 1, 3, 3)]
    fake = [torch.full((2, 4), 0.5), torch.full((2, 1, 3, 3), -2.0)]
    for tensor in (*real, *fake):
        tensor.requires_grad_()
    loss = losses.feature_difference(real, fake)
    assert loss.item() == pytest.approx((0.5 + 2.0) / 2)
    loss.backward()
    assert all(tensor.grad is None for tensor in real)
    torch.testing.assert_close(fake[0].grad, torch.full((2, 4), 1 / 16))
    with pytest.raises(ValueError, match="zip"):
        losses.feature_difference(real, fake[:1])


def test_shapes_are_checked():
    with pytest.raises(TypeError):
        losses.weighted_l1(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 4))
