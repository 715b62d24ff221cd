import numpy as np
import pytest

from xpress.errors import InputError
from xpress.morphable.expression_geometry import (
    CORNERS,
    JAW,
    LIDS,
    OPENING,
    UPPER_LIP,
    MeasuredExpression,
)
from xpress.morphable.gaze import gaze_columns, gaze_of, looks_of
from xpress.morphable.regions import REGIONS, moved_by
from xpress.morphable.signals import SIGNALS
from xpress.transfer.expression_transfer import LOOK_RANGE, ExpressionTransfer

NAMES = ["browDown_L", "eyeBlink_L", "jawOpen", "mouthSmile_L"]
SOURCE, SOURCE_NEUTRAL = np.array([0.5, 0.9, 0.6, 0.2]), np.array([0.1, 0.1, 0.2, 0.4])
NEUTRAL, OWN = np.array([0.3, 0.0, 0.1, 0.1]), np.array([0.2, 0.3, 0.7, 0.8])
FACES = (
    *(
        MeasuredExpression(expression, np.zeros(len(SIGNALS)))
        for expression in (SOURCE, SOURCE_NEUTRAL, NEUTRAL)
    ),
    OWN,
)


def test_relative_is_the_formula_clipped():
    got = ExpressionTransfer(NAMES, strength=1.5)(*FACES)
    np.testing.assert_allclose(got, [0.9, 1.0, 0.7, 0.0])


def test_absolute_is_the_sources_own():
    got = ExpressionTransfer(NAMES, "absolute")(*FACES)
    np.testing.assert_allclose(got, SOURCE)
    half = ExpressionTransfer(NAMES, "absolute", strength=0.5)(*FACES)
    np.testing.assert_allclose(half, (SOURCE + NEUTRAL) / 2)


@pytest.mark.parametrize("motion", ["relative", "absolute"])
def test_strength_zero_leaves_the_target_as_it_is(motion):
    got = ExpressionTransfer(NAMES, motion, strength=0.0)(*FACES)
    np.testing.assert_array_equal(got, OWN)


def test_other_regions_stay_as_in_the_picture():
    got = ExpressionTransfer(NAMES, "absolute", regions=["eyes"])(*FACES)
    np.testing.assert_allclose(got, [0.2, 0.9, 0.7, 0.8])


def test_every_shape_belongs_to_exactly_one_region(model):
    owners = np.sum([moved_by(model.expression_names, [region]) for region in REGIONS], axis=0)
    assert (owners == 1).all()


@pytest.mark.parametrize(
    "options",
    [
        {"motion": "both"},
        {"gaze": "both"},
        {"strength": -1.0},
        {"regions": ["nose"]},
        {"regions": []},
    ],
)
def test_bad_options_are_told(options):
    with pytest.raises(InputError):
        ExpressionTransfer(NAMES, **options)


def activation(model, **shapes):
    expression = np.zeros(len(model.expression_names))
    for name, value in shapes.items():
        expression[model.expression_names.index(name)] = value
    return expression


@pytest.fixture
def identities(model):
    """A driver's and a target's."""
    return np.random.default_rng(4).normal(size=(2, model.sizes[0])) * 0.7


@pytest.fixture
def transfer(model, geometry):
    return ExpressionTransfer(model.expression_names, geometry=geometry)


def test_eyes_close_when_the_drivers_do(model, geometry, identities, transfer):
    driver, target = (geometry.measure(activation(model), identity) for identity in identities)
    closed = np.where(np.isin(range(len(SIGNALS)), LIDS), -geometry.neutral(identities[0]), 0.0)
    blink = geometry.measure(geometry.reach(driver.expression, closed, LIDS), identities[0])
    assert np.abs(blink.signals[LIDS]).max() < 0.004
    got = transfer(blink, driver, target, target.expression)
    assert np.abs(geometry.measure(got, identities[1]).signals[LIDS]).max() < 0.006


def test_lips_meet_but_do_not_cross(model, geometry, identities, transfer):
    pressed, parted = (
        geometry.measure(activation(model, **shapes), identities[0])
        for shapes in ({"mouthClose": 0.3}, {"jawOpen": 0.3})
    )
    target = geometry.measure(activation(model), identities[1])
    got = transfer(pressed, parted, target, target.expression)
    assert geometry.measure(got, identities[1]).signals[OPENING] > -0.004


def test_what_the_bound_cuts_off_is_made_up_for(model, geometry, identities, transfer):
    opened, closed = (
        geometry.measure(activation(model, jawOpen=value), identities[0]) for value in (0.7, 0.0)
    )
    target = geometry.measure(activation(model, jawOpen=0.5), identities[1])
    plain = ExpressionTransfer(model.expression_names)(opened, closed, target, target.expression)
    got = transfer(opened, closed, target, target.expression)
    assert got.min() >= 0
    assert got.max() <= 1
    wanted = target.signals[OPENING] + opened.signals[OPENING] - closed.signals[OPENING]
    short, left = (
        wanted - geometry.measure(expression, identities[1]).signals[OPENING]
        for expression in (plain, got)
    )
    assert short > 0.05
    assert abs(left) < 0.2 * short


def test_motion_that_the_encoder_put_into_the_identity_is_carried(
    model, geometry, identities, transfer
):
    rest, target = (geometry.measure(activation(model), identity) for identity in identities)
    moved = MeasuredExpression(
        rest.expression, rest.signals + 0.08 * (np.arange(len(SIGNALS)) == OPENING)
    )
    got = transfer(moved, rest, target, target.expression)
    gained = geometry.measure(got, identities[1]).signals - target.signals
    assert gained[OPENING] == pytest.approx(0.08, abs=0.01)


def test_resting_driver_leaves_the_target_at_rest(model, geometry, identities, transfer):
    calm = geometry.measure(activation(model, mouthFrown_R=0.2), identities[0])
    target = geometry.measure(
        activation(model, browInnerUp_L=0.3, mouthSmile_L=0.2, jawOpen=0.1), identities[1]
    )
    got = transfer(calm, calm, target, target.expression)
    np.testing.assert_allclose(got, target.expression, atol=1e-9)


def eyes(model, across, up, apart=-0.2):
    expression = np.zeros(len(model.expression_names))
    expression[gaze_columns(model.expression_names)] = looks_of(np.array([across, up, apart]))
    return expression


def look(model, expression):
    return gaze_of(expression[gaze_columns(model.expression_names)])


def test_both_eyes_turn_as_far_as_the_drivers(model, geometry, identities, transfer):
    """From wherever the target looks; how far its eyes look apart stays its own."""
    rest, aside = (
        geometry.measure(eyes(model, *gaze), identities[0]) for gaze in ((0.1, 0), (-0.3, 0.2))
    )
    target = geometry.measure(eyes(model, 0.2, -0.1, 0.05), identities[1])
    got = transfer(aside, rest, target, target.expression)
    np.testing.assert_allclose(look(model, got), [-0.2, 0.1, 0.05], atol=1e-6)


def test_eyes_do_not_turn_out_of_the_lids(model, geometry, identities, transfer):
    rest, aside = (
        geometry.measure(eyes(model, *gaze), identities[0]) for gaze in ((-0.5, -0.5), (0.6, 0.6))
    )
    target = geometry.measure(eyes(model, 0.3, 0.3), identities[1])
    got = look(model, transfer(aside, rest, target, target.expression))
    np.testing.assert_allclose(got[:2], LOOK_RANGE, atol=1e-6)


def test_the_target_may_keep_its_own_gaze(model, geometry, identities):
    keep = ExpressionTransfer(model.expression_names, geometry=geometry, gaze="target")
    rest, aside = (
        geometry.measure(eyes(model, *gaze) + activation(model, jawOpen=gaze[0]), identities[0])
        for gaze in ((0.0, 0), (0.4, 0.2))
    )
    target = geometry.measure(eyes(model, 0.2, -0.1), identities[1])
    got = keep(aside, rest, target, target.expression)
    np.testing.assert_allclose(look(model, got), [0.2, -0.1, -0.2], atol=1e-6)
    assert got[model.expression_names.index("jawOpen")] > 0.3


def test_a_lip_is_not_raised_with_the_jaw(model, geometry, identities, transfer):
    rest, grin = (
        geometry.measure(activation(model, mouthUpperUp_L=v, mouthUpperUp_R=v), identities[0])
        for v in (0.0, 0.8)
    )
    target = geometry.measure(activation(model, mouthPucker=0.3), identities[1])
    got = geometry.measure(transfer(grin, rest, target, target.expression), identities[1])
    change, wanted = got.signals - target.signals, grin.signals - rest.signals
    assert change[UPPER_LIP] == pytest.approx(wanted[UPPER_LIP], rel=0.1)
    assert change[OPENING] == pytest.approx(wanted[OPENING], rel=0.1)
    assert abs(change[JAW] - wanted[JAW]) < 0.005


def test_a_one_sided_smile_stays_on_its_side(model, geometry, identities, transfer):
    rest, smirk = (
        geometry.measure(activation(model, mouthSmile_L=v), identities[0]) for v in (0.0, 0.7)
    )
    target = geometry.measure(activation(model, mouthSmile_L=0.5, mouthSmile_R=0.5), identities[1])
    got = geometry.measure(transfer(smirk, rest, target, target.expression), identities[1])
    change, wanted = got.signals - target.signals, smirk.signals - rest.signals
    np.testing.assert_allclose(change[CORNERS], wanted[CORNERS], atol=0.01)
    assert wanted[CORNERS][1] > 0.05 > 0.02 > abs(wanted[CORNERS][0])
