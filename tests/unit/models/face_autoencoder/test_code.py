import copy
import json
import math

import pytest
import torch

from xpress.models.face_autoencoder.code import CodeLayout
from xpress.morphable.gaze import GAZE_SHAPES
from xpress.morphable.model import MorphableModel
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


SHAPES = {name: i for i, name in enumerate(GAZE_SHAPES)}
EYES = CodeLayout(identity=7, expression=10, color=3, gaze=tuple(range(2, 10)))


def looks(*numbers):
    code = torch.zeros(1, EYES.outputs)
    code[0, 9:17] = torch.tensor(numbers)
    found = EYES.parameters(code).expression[0, 2:]
    return {name: found[place].item() for name, place in SHAPES.items()}


def test_eyes_that_look_ahead_diverge_a_little():
    rest = looks(*[0.0] * 8)
    expected = {"eyeLookOut_L": 0.2, "eyeLookOut_R": 0.2}
    assert rest == pytest.approx({name: expected.get(name, 0) for name in SHAPES})


@pytest.mark.parametrize("size", [0.1, 0.7, 50.0])
def test_both_eyes_turn_together_whatever_one_number_says(size):
    """One shape's number alone turns both eyes, up to the bounds."""
    for place, name in enumerate(GAZE_SHAPES):
        found = looks(*[size * (i == place) for i in range(8)])
        left = found["eyeLookOut_L"] - found["eyeLookIn_L"]
        right = found["eyeLookIn_R"] - found["eyeLookOut_R"]
        up = [found[f"eyeLookUp_{s}"] - found[f"eyeLookDown_{s}"] for s in "LR"]
        assert up[0] == up[1]
        assert 0 <= left - right <= 0.8
        if "Up" in name or "Down" in name:
            assert up[0] == pytest.approx(math.tanh(size / 4) * (1 if "Up" in name else -1))
        else:
            to_left = name in ("eyeLookOut_L", "eyeLookIn_R")
            assert ((left + right) / 2 > 0) == to_left


def test_a_model_without_eyes_that_look_is_read_alike():
    model = copy.copy(MorphableModel.default())
    known = CodeLayout.of(model.sizes, model.expression_names)
    assert [model.expression_names[i] for i in known.gaze] == list(GAZE_SHAPES)
    model.expression_names = [name.replace("eyeLookUp", "up") for name in model.expression_names]
    assert CodeLayout.of(model.sizes, model.expression_names, 100) == CodeLayout(*model.sizes, 100)
    assert CodeLayout(**json.loads(json.dumps(known.as_dict()))) == known


def test_pixels_grow_with_the_crop():
    code = torch.randn(3, LAYOUT.outputs, generator=torch.Generator().manual_seed(1))
    small, large = LAYOUT.parameters(code), CodeLayout(7, 5, 3, size=200).parameters(code)
    torch.testing.assert_close(large.translation, 2 * small.translation)
    torch.testing.assert_close(large.scale, 2 * small.scale)
    torch.testing.assert_close(large.rotation, small.rotation)


def test_every_part_but_presence_has_a_gradient():
    for layout in (LAYOUT, EYES):
        code = torch.randn(1, layout.outputs, generator=torch.Generator().manual_seed(2))
        code.requires_grad_()
        sum(value.square().sum() for value in vars(layout.parameters(code)).values()).backward()
        assert code.grad[0, :-1].ne(0).all()
        assert code.grad[0, -1] == 0
