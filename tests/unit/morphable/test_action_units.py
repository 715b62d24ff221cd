import numpy as np
import pytest
import torch

from xpress.models.expression_editing.action_unit_layer import ActionUnitLayer
from xpress.morphable.action_units import ACTION_UNIT_NAMES, ActionUnits
from xpress.morphable.model import MorphableModel

NAMES = MorphableModel.default().expression_names
UNITS = ActionUnits(NAMES)


def units_of(**shapes):
    expression = np.zeros(len(NAMES))
    for name, value in shapes.items():
        expression[NAMES.index(name)] = value
    return dict(zip(ACTION_UNIT_NAMES, UNITS(expression), strict=True))


def test_smile_on_both_sides_is_au12():
    units = units_of(mouthSmile_L=0.8, mouthSmile_R=0.6)
    assert units.pop("AU12") == pytest.approx(0.7)
    assert set(units.values()) == {0.0}


def test_wink_counts_as_blink():
    assert units_of(eyeBlink_L=0.9)["AU45"] == pytest.approx(0.9)


def test_closed_lips_over_a_dropped_jaw():
    units = units_of(jawOpen=0.3, mouthClose=0.3)
    assert units["AU25"] == 0
    assert units["AU26"] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("AU1", ["browInnerUp_L", "browInnerUp_R"]),
        ("AU4", ["browDown_L", "browDown_R"]),
        ("AU10", ["mouthUpperUp_L", "mouthUpperUp_R"]),
        ("AU17", ["mouthShrugLower"]),
        ("AU20", ["mouthStretch_L", "mouthStretch_R"]),
        ("AU26", ["jawOpen"]),
    ],
)
def test_full_shapes_give_full_units(name, shapes):
    assert units_of(**dict.fromkeys(shapes, 1.0))[name] == pytest.approx(1)


def test_batches_and_range():
    expressions = np.random.default_rng(0).uniform(size=(7, len(NAMES)))
    units = UNITS(expressions)
    assert units.shape == (7, 17)
    assert units.min() >= 0
    assert units.max() <= 1
    np.testing.assert_allclose(units[3], UNITS(expressions[3]))


def test_a_model_without_the_shapes_is_refused():
    with pytest.raises(ValueError, match="browInnerUp"):
        ActionUnits(["jawOpen", "eyeBlink_L", "eyeBlink_R"])


def test_layer_computes_what_numpy_does():
    expression = np.random.default_rng(0).uniform(0, 1, (20, len(NAMES)))
    layer = ActionUnitLayer(NAMES)
    np.testing.assert_allclose(
        layer(torch.from_numpy(expression).float()), UNITS(expression), atol=1e-6
    )


def test_layer_has_the_slope_of_its_table():
    layer = ActionUnitLayer(NAMES).double()
    expression = torch.full((1, len(NAMES)), 0.3, dtype=torch.double)
    expression[0, NAMES.index("jawOpen")] = 0.35
    expression[0, NAMES.index("eyeBlink_L")] = 0.4
    assert torch.autograd.gradcheck(layer, expression.requires_grad_())
