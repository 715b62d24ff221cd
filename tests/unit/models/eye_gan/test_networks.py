import torch

from xpress.media.eye_crop import FLOW_SCALE
from xpress.models.eye_gan.networks import EyeGenerator, edited


def edit_of(flow=(0.0, 0.0), mask=-20.0, color=(0.0, 0.0, 0.0)) -> torch.Tensor:
    values = torch.tensor([flow[0] / FLOW_SCALE, flow[1] / FLOW_SCALE, mask, *color])
    return values.view(1, 6, 1, 1).expand(1, 6, 48, 64)


def test_no_flow_and_no_mask_show_the_reference():
    reference = torch.rand(1, 3, 48, 64)
    image, flow, mask = edited(edit_of(), reference, torch.zeros(1, 2, 48, 64))
    torch.testing.assert_close(image, reference, atol=1e-5, rtol=0)
    assert not flow.any()
    assert mask.max() < 1e-6


def test_the_flow_tells_where_a_pixel_comes_from():
    reference = torch.rand(1, 3, 48, 64)
    base = torch.tensor([0.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, 48, 64)
    image, flow, _ = edited(edit_of(flow=(3.0, 0.0)), reference, base)
    torch.testing.assert_close(image[..., 2:, :-3], reference[..., :-2, 3:], atol=1e-5, rtol=0)
    assert (flow[:, 0] == 3).all()
    assert not flow[:, 1].any()


def test_the_mask_puts_the_colour_in():
    edit = edit_of(mask=20.0, color=(9.0, 0.0, -9.0))
    image, _, mask = edited(edit, torch.rand(1, 3, 48, 64), torch.zeros(1, 2, 48, 64))
    assert mask.min() > 1 - 1e-6
    torch.testing.assert_close(
        image.mean((0, 2, 3)), torch.tensor([1.0, 0.5, 0.0]), atol=1e-3, rtol=0
    )


def test_every_input_matters_and_an_untrained_network_hardly_moves():
    torch.manual_seed(0)
    network = EyeGenerator((4, 8, 16), (1, 1), 2).eval()
    pictures = [torch.rand(2, n, 48, 64, requires_grad=True) for n in (3, 3, 3, 4)]
    edit = network(*pictures)
    assert edit.shape == (2, 6, 48, 64)
    edit.square().sum().backward()
    assert all(picture.grad.abs().sum() > 0 for picture in pictures)
    assert edit[:, :2].abs().max() < 0.5
