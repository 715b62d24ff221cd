from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from xpress.models.dft_net.networks import FLOW_UNIT, DFTNetGenerator, warp
from xpress.models.ganimation.networks import GANimationGenerator


def inputs(height: int = 32, width: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(2, 3, height, width, generator=generator), torch.rand(2, 17)


@pytest.fixture
def network() -> DFTNetGenerator:
    torch.manual_seed(0)
    return DFTNetGenerator(8, 1, 4)


@pytest.mark.parametrize("flow_skips", [False, True])
def test_layers_and_result(flow_skips: bool):
    network = DFTNetGenerator(8, 1, 4, flow_skips=flow_skips)
    image, units = inputs()
    flow, attention, texture = network(image, units)
    shapes = [tuple(t.shape) for t in (flow, attention, texture)]
    assert shapes == [(2, 2, 32, 40), (2, 1, 32, 40), (2, 3, 32, 40)]
    for mask in (attention, texture):
        assert mask.min() >= 0
        assert mask.max() <= 1
    output = network.edit(image, units)
    assert output.flow is not None
    expected = (1 - output.attention) * output.texture + output.attention * output.aligned
    torch.testing.assert_close(output.image, expected)
    torch.testing.assert_close(output.aligned, warp(image, output.flow))


def test_it_starts_from_the_identity(network):
    image, units = inputs()
    output = network.edit(image, units)
    assert not output.flow.any()
    torch.testing.assert_close(output.aligned, image)
    assert output.attention.min() > 0.85
    expected = 1 - output.attention
    torch.testing.assert_close(output.edit.changed, expected)


def test_what_is_moved_by_a_pixel_counts_as_changed(network):
    with torch.no_grad():
        network.flow_head.bias.copy_(torch.tensor([1.0 / (FLOW_UNIT * 40), 0.0, 20.0]))
    image, units = inputs()
    output = network.edit(image, units)
    torch.testing.assert_close(output.flow[:, 0], torch.ones(2, 32, 40))
    assert not output.flow[:, 1].any()
    torch.testing.assert_close(output.image[..., :-1], image[..., 1:], atol=1e-4, rtol=1e-4)
    assert (output.edit.changed > 0.99).all()


def test_the_warp_is_opencvs():
    rng = np.random.default_rng(0)
    image = rng.random((20, 26, 3), np.float32)
    flow = rng.uniform(-6, 6, (2, 20, 26)).astype(np.float32)
    y, x = np.mgrid[:20, :26].astype(np.float32)
    # INTER_LINEAR rounds positions to 1/32 of a pixel, so they are given such
    flow = np.round(flow * 32) / 32
    expected = cv2.remap(
        image, x + flow[0], y + flow[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    found = warp(torch.from_numpy(image).permute(2, 0, 1)[None], torch.from_numpy(flow)[None])
    np.testing.assert_allclose(found[0].permute(1, 2, 0), expected, atol=1e-5)


def test_the_warp_has_the_slope_of_the_picture():
    """Moving the sample right by a little brings the picture's slope."""
    ramp = torch.linspace(0, 1, 16, dtype=torch.float64).expand(1, 1, 16, 16).contiguous()
    flow = torch.zeros(1, 2, 16, 16, dtype=torch.float64, requires_grad=True)
    warp(ramp, flow)[0, 0, 8, 8].backward()
    assert flow.grad is not None
    assert float(flow.grad[0, 0, 8, 8]) == pytest.approx(1 / 15)
    assert float(flow.grad[0, 1, 8, 8]) == pytest.approx(0)
    assert int((flow.grad != 0).sum()) == 1


def test_every_weight_gets_a_gradient_once_the_flow_has_begun(network):
    torch.nn.init.normal_(network.flow_head.weight, std=0.1)
    image, units = inputs()
    network.edit(image, units).image.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_the_flow_head_learns_from_zero(network):
    image, units = inputs()
    (network.edit(image, units).image - image.roll(1, 3)).square().mean().backward()
    assert network.flow_head.weight.grad[:2].abs().sum() > 0


def test_units_reach_the_flow(network):
    torch.nn.init.normal_(network.flow_head.weight, std=0.1)
    network.eval()
    image, units = inputs()
    with torch.no_grad():
        first, second = network(image, units)[0], network(image, 1 - units)[0]
    middle = (slice(None), slice(None), slice(12, 20), slice(12, 28))
    assert (first - second)[middle].abs().mean() > 0.05 * first.abs().mean()


def test_it_takes_less_than_half_of_ganimations_multiply_adds():
    counts = []
    for network in (DFTNetGenerator(), GANimationGenerator()):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network.eval()(torch.rand(1, 3, 128, 128), torch.rand(1, 17))
        counts.append(counter.get_total_flops())
    assert counts[0] < 0.5 * counts[1]
