import pytest
import torch

from xpress.models.face_autoencoder.code import CodeLayout
from xpress.rendering.lighting import shade

LAYOUT = CodeLayout(identity=7, expression=5, color=3, size=100)


def test_lengths_add_up():
    assert LAYOUT.outputs == 7 + 5 + 3 + 9 * 3 + 3 + 2 + 1 + 1
    assert CodeLayout(**LAYOUT.as_dict()) == LAYOUT


def test_nothing_is_a_straight_face_in_the_middle_under_even_light():
    zero = LAYOUT.parameters(torch.zeros(2, LAYOUT.outputs))
    assert zero.identity.eq(0).all()
    assert zero.color.eq(0).all()
    assert zero.rotation.eq(0).all()
    torch.testing.assert_close(zero.expression, torch.full((2, 5), 0.1192), atol=1e-4, rtol=0)
    torch.testing.assert_close(zero.translation[0], torch.tensor([50.1, 45.2]))
    assert zero.scale[0].item() == pytest.approx(5.02)
    normals = torch.nn.functional.normalize(torch.randn(2, 9, 3), dim=-1)
    torch.testing.assert_close(shade(normals, zero.illumination), torch.full((2, 9, 3), 0.8))


def test_code_is_recovered_from_parameters():
    code = torch.randn(4, LAYOUT.outputs, generator=torch.Generator().manual_seed(0))
    p = LAYOUT.parameters(code)
    rest = LAYOUT.parameters(torch.zeros(4, LAYOUT.outputs))
    parts = [
        p.identity,
        torch.logit(p.expression) + 2,
        p.color,
        (p.illumination - rest.illumination).flatten(1),
        p.rotation / 0.5,
        (p.translation - rest.translation) / 10,
        (p.scale / rest.scale).log()[:, None] / 0.2,
        LAYOUT.presence(code)[:, None],
    ]
    torch.testing.assert_close(torch.cat(parts, 1), code, atol=1e-4, rtol=1e-4)


def test_pixels_grow_with_the_crop():
    code = torch.randn(3, LAYOUT.outputs, generator=torch.Generator().manual_seed(1))
    small, large = LAYOUT.parameters(code), CodeLayout(7, 5, 3, size=200).parameters(code)
    torch.testing.assert_close(large.translation, 2 * small.translation)
    torch.testing.assert_close(large.scale, 2 * small.scale)
    torch.testing.assert_close(large.rotation, small.rotation)


def test_every_part_but_presence_has_a_gradient():
    code = torch.zeros(1, LAYOUT.outputs, requires_grad=True)
    sum(value.sum() for value in vars(LAYOUT.parameters(code)).values()).backward()
    assert code.grad[0, :-1].ne(0).all()
    assert code.grad[0, -1] == 0
