from __future__ import annotations

import pytest
import torch

from xpress.models.expression_editing.critic import ExpressionCritic, interpolates, score


@pytest.mark.parametrize(("size", "depth"), [(64, 6), (128, 6), (96, 5), (64, 4)])
def test_patches_are_halved_depth_times(size: int, depth: int):
    critic = ExpressionCritic(size, 4, depth)
    patches, units = critic(torch.randn(2, 3, size, size))
    assert patches.shape == (2, 1, size // 2**depth, size // 2**depth)
    assert units.shape == (2, 17)


def test_the_published_critic_has_2048_channels_at_last():
    with torch.device("meta"):
        critic = ExpressionCritic()
    widths = [m.out_channels for m in critic.body if isinstance(m, torch.nn.Conv2d)]
    assert widths == [64, 128, 256, 512, 1024, 2048]


def test_a_size_that_cannot_be_halved_so_often_is_refused():
    with pytest.raises(ValueError, match="no multiple of 64"):
        ExpressionCritic(96, 4, 6)


def test_pictures_do_not_mix():
    critic = ExpressionCritic(32, 4, 3)
    pictures = torch.randn(3, 3, 32, 32, requires_grad=True)
    score(critic(pictures)[0])[1].backward()
    assert pictures.grad is not None
    assert pictures.grad[1].abs().sum() > 0
    assert not pictures.grad[[0, 2]].any()


def test_interpolates_lie_between():
    real, fake = torch.zeros(3, 3, 4, 4), torch.ones(3, 3, 4, 4, requires_grad=True)
    share = torch.tensor([0.0, 0.25, 1.0])
    between = interpolates(real, fake, share)
    assert torch.equal(between.amax((1, 2, 3)), share)
    assert torch.equal(between.amin((1, 2, 3)), share)
    assert between.requires_grad
    assert between.is_leaf  # nothing of it trains the generator
