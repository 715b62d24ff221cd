from __future__ import annotations

import pytest
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from xpress.models.ganimation.networks import GANimationGenerator, InstanceNorm


def multiply_adds(network: torch.nn.Module, size: int) -> float:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.rand(1, 3, size, size), torch.rand(1, 17))
    return counter.get_total_flops() / 2


def test_the_published_network_has_the_authors_size():
    network = GANimationGenerator().eval()
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(8.47e6, rel=0.02)
    assert multiply_adds(network, 128) == pytest.approx(10.6e9, rel=0.02)


def test_the_modulated_one_is_two_percent_larger_at_most():
    network = GANimationGenerator(modulated=True)
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(8.47e6, rel=0.02)


@pytest.mark.parametrize("modulated", [False, True])
def test_masks_and_result(modulated: bool):
    network = GANimationGenerator(8, 2, modulated=modulated)
    image, units = torch.rand(2, 3, 24, 32), torch.rand(2, 17)
    color, attention = network(image, units)
    assert (color.shape, attention.shape) == ((2, 3, 24, 32), (2, 1, 24, 32))
    for mask in (color, attention):
        assert mask.min() >= 0
        assert mask.max() <= 1
    output = network.edit(image, units)
    expected = (1 - attention) * color + attention * image
    torch.testing.assert_close(output.image, expected)
    torch.testing.assert_close(output.edit.changed, 1 - attention)
    assert output.flow is None


def test_attention_of_one_keeps_the_input():
    network = GANimationGenerator(8, 1)
    image = torch.rand(1, 3, 16, 16)
    network.forward = lambda *_: (torch.rand(1, 3, 16, 16), torch.ones(1, 1, 16, 16))  # type: ignore[method-assign]
    edit = network.edit(image, torch.rand(1, 17)).edit
    assert torch.equal(edit.image, image)
    assert not edit.changed.any()


def test_the_norm_is_torchs_instance_norm():
    norm = InstanceNorm(5)
    torch.nn.init.uniform_(norm.norm.weight)
    torch.nn.init.uniform_(norm.norm.bias)
    x = torch.randn(3, 5, 9, 7) * 3 + 1
    expected = functional.instance_norm(x, weight=norm.norm.weight, bias=norm.norm.bias)
    torch.testing.assert_close(norm(x, torch.zeros(3, 0)), expected, atol=1e-5, rtol=1e-5)


def test_units_scale_and_shift_the_modulated_norm():
    norm = InstanceNorm(4, 17)
    x, units = torch.randn(2, 4, 8, 8), torch.rand(2, 17)
    plain = functional.instance_norm(x)
    torch.testing.assert_close(norm(x, units), plain, atol=1e-5, rtol=1e-5)
    torch.nn.init.normal_(norm.shift.weight)
    scale, shift = functional.linear(units, norm.shift.weight)[..., None, None].chunk(2, dim=1)
    torch.testing.assert_close(norm(x, units), plain * (1 + scale) + shift, atol=1e-4, rtol=1e-4)


def test_only_the_border_knows_of_constant_planes_in_the_published_network():
    """Why there is a modulated one: elsewhere a norm leaves a scale and a shift of the planes."""
    torch.manual_seed(0)
    first = GANimationGenerator(8, 1).body[0]
    image, none = torch.rand(1, 3, 32, 32), torch.zeros(1, 0)
    maps = []
    for value in (0.0, 1.0):
        planes = torch.full((1, 17, 32, 32), value)
        with torch.no_grad():
            x = first.convolution(torch.cat([image, planes], dim=1))
            maps.append(first.norm(x, none)[0])
    for channel in range(8):
        middle = [m[channel, 3:-3, 3:-3].flatten() for m in maps]
        border = [m[channel, 0] for m in maps]
        assert float(torch.corrcoef(torch.stack(middle))[0, 1]) > 0.9999
        assert float(torch.corrcoef(torch.stack(border))[0, 1]) < 0.999


def test_every_weight_gets_a_gradient():
    network = GANimationGenerator(8, 1, modulated=True)
    image = torch.rand(2, 3, 16, 16, requires_grad=True)
    network.edit(image, torch.rand(2, 17)).image.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    assert image.grad is not None


def test_a_wrong_shape_is_refused():
    with pytest.raises(Exception, match="image"):
        GANimationGenerator(8, 1)(torch.rand(1, 16, 16), torch.rand(1, 17))
