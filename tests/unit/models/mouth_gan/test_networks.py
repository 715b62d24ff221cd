from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from xpress.models.mouth_gan.networks import MouthGenerator, crop_boxes


@pytest.fixture(scope="module")
def generator() -> MouthGenerator:
    torch.manual_seed(0)
    return MouthGenerator().eval()


def given(batch: int, height: int, width: int) -> list[torch.Tensor]:
    """Random inputs; half of the holes, of the teeth and of what a reference shows is one."""
    shape = batch, 1, height, width
    filled, hole, teeth = torch.rand(batch, 3, height, width), torch.rand(shape).round(), []
    layers = []
    for _ in range(2):
        shown = torch.rand(shape).round()
        layers += [torch.rand(batch, 3, height, width) * shown, shown]
        teeth.append(torch.rand(shape).round())
    return [filled, hole, torch.cat(teeth, dim=1), torch.cat(layers, dim=1)]


@pytest.mark.parametrize(("height", "width"), [(96, 96), (128, 128), (32, 64)])
def test_the_painting_is_a_picture_of_the_same_size(generator, height, width):
    filled, hole, *others = given(2, height, width)
    with torch.no_grad():
        painted, taken = generator(filled, hole, *others).split((3, 2), dim=1)
        again = generator(filled, 1 - hole, *others)[:, :3]
    assert painted.shape == filled.shape
    assert taken.min() >= 0
    assert taken.sum(1).max() < 1
    assert painted.min() > 0
    assert painted.max() < 1
    assert not torch.equal(painted, again)


def test_a_reference_is_shown_on_its_row_of_teeth_from_the_start(generator):
    filled, hole, _, reference = given(1, 32, 32)
    teeth = torch.zeros(1, 2, 32, 32)
    teeth[:, 0, :20], teeth[:, 1, 12:] = 1, 1
    reference[:, 3], reference[:, 7] = 1, 1
    with torch.no_grad():
        painted, taken = generator(filled, hole, teeth, reference).split((3, 2), dim=1)
        nothing = generator(filled, hole, teeth, torch.zeros_like(reference))
    for rows, layer in ((slice(0, 20), 0), (slice(20, 32), 1)):  # upper teeth stand in front
        shown = reference[:, 4 * layer : 4 * layer + 3, rows]
        assert taken[:, layer, rows].min() > 0.8
        assert (painted[:, :, rows] - shown).abs().max() < 0.2
    assert (nothing[:, 3:] == 0).all()


def test_the_generator_is_small(generator):
    assert sum(p.numel() for p in generator.parameters()) <= 2_000_000
    assert generator.stride == 16


def test_every_parameter_takes_part():
    network = MouthGenerator((4, 8, 16), (2, 2), 2)
    network(*given(2, 16, 16)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_the_deepest_map_sees_all_of_the_crop():
    network = MouthGenerator((4, 8, 16, 16), (1, 1, 2), 2).eval()
    filled, *others = given(1, 32, 32)
    filled.requires_grad_()
    network(filled, *others)[0, :, 16, 16].sum().backward()
    assert filled.grad.abs().sum(1)[0, 4, 4] > 0


def test_channels_and_repeats_must_fit():
    with pytest.raises(ValueError, match="3 channels need 2 repeats"):
        MouthGenerator((4, 8, 16), (1, 1, 1))
    with pytest.raises(TypeError):
        MouthGenerator((4, 8), (1,))(torch.rand(1, 3, 8, 8), *given(1, 8, 8)[:3])


def test_a_box_of_whole_pixels_is_a_slice():
    image = torch.rand(2, 3, 20, 30)
    boxes = torch.tensor([[3.0, 5.0, 19.0, 13.0], [0.0, 12.0, 16.0, 20.0]])
    cut = crop_boxes(image, boxes, (8, 16))
    torch.testing.assert_close(cut[0], image[0, :, 5:13, 3:19], atol=1e-5, rtol=0)
    torch.testing.assert_close(cut[1], image[1, :, 12:20, 0:16], atol=1e-5, rtol=0)
    whole = torch.tensor([[0.0, 0.0, 30.0, 20.0]]).expand(2, 4)
    torch.testing.assert_close(crop_boxes(image, whole, (20, 30)), image, atol=1e-5, rtol=0)


def test_a_box_twice_as_large_is_averaged_and_the_border_repeated():
    image = torch.rand(1, 2, 16, 16)
    half = crop_boxes(image, torch.tensor([[4.0, 2.0, 12.0, 10.0]]), (4, 4))
    torch.testing.assert_close(half, F.avg_pool2d(image[:, :, 2:10, 4:12], 2), atol=1e-5, rtol=0)
    beyond = crop_boxes(image, torch.tensor([[-4.0, 0.0, 4.0, 8.0]]), (8, 8))
    edge = image[:, :, :8, :1].expand(-1, -1, -1, 4)
    torch.testing.assert_close(beyond[..., :4], edge, atol=1e-5, rtol=0)


def test_boxes_carry_gradients_to_the_picture():
    image = torch.rand(1, 1, 8, 8, requires_grad=True)
    crop_boxes(image, torch.tensor([[2.0, 2.0, 6.0, 6.0]]), (4, 4)).sum().backward()
    expected = torch.zeros(8, 8)
    expected[2:6, 2:6] = 1
    torch.testing.assert_close(image.grad[0, 0], expected, atol=1e-5, rtol=0)
