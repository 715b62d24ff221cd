import numpy as np
import pytest

from xpress.errors import InputError
from xpress.morphable.expression_geometry import LIDS, OPENING, Shown
from xpress.morphable.regions import REGIONS, moved_by
from xpress.transfer.expression_transfer import Transfer

NAMES = ["browDown_L", "eyeBlink_L", "jawOpen", "mouthSmile_L"]
SOURCE, SOURCE_NEUTRAL = np.array([0.5, 0.9, 0.6, 0.2]), np.array([0.1, 0.1, 0.2, 0.4])
NEUTRAL, OWN = np.array([0.3, 0.0, 0.1, 0.1]), np.array([0.2, 0.3, 0.7, 0.8])
FACES = *(Shown(expression, np.zeros(7)) for expression in (SOURCE, SOURCE_NEUTRAL, NEUTRAL)), OWN


def test_relative_is_the_formula_clipped():
    got = Transfer(NAMES, strength=1.5)(*FACES)
    np.testing.assert_allclose(got, [0.9, 1.0, 0.7, 0.0])


def test_absolute_is_the_sources_own():
    got = Transfer(NAMES, "absolute")(*FACES)
    np.testing.assert_allclose(got, SOURCE)
    half = Transfer(NAMES, "absolute", strength=0.5)(*FACES)
    np.testing.assert_allclose(half, (SOURCE + NEUTRAL) / 2)


@pytest.mark.parametrize("motion", ["relative", "absolute"])
def test_strength_zero_leaves_the_target_as_it_is(motion):
    got = Transfer(NAMES, motion, strength=0.0)(*FACES)
    np.testing.assert_array_equal(got, OWN)


def test_other_regions_stay_as_in_the_picture():
    got = Transfer(NAMES, "absolute", regions=["eyes"])(*FACES)
    np.testing.assert_allclose(got, [0.2, 0.9, 0.7, 0.8])


def test_every_shape_belongs_to_exactly_one_region(model):
    owners = np.sum([moved_by(model.expression_names, [region]) for region in REGIONS], axis=0)
    assert (owners == 1).all()


@pytest.mark.parametrize(
    "options",
    [{"motion": "both"}, {"strength": -1.0}, {"regions": ["nose"]}, {"regions": []}],
)
def test_bad_options_are_told(options):
    with pytest.raises(InputError):
        Transfer(NAMES, **options)


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
    return Transfer(model.expression_names, geometry=geometry)


def test_eyes_close_when_the_drivers_do(model, geometry, identities, transfer):
    driver, target = (geometry.shown(activation(model), identity) for identity in identities)
    closed = np.where(np.isin(range(7), LIDS), -geometry.neutral(identities[0]), 0.0)
    blink = geometry.shown(geometry.reach(driver.expression, closed, LIDS), identities[0])
    assert np.abs(blink.signals[LIDS]).max() < 0.004
    got = transfer(blink, driver, target, target.expression)
    assert np.abs(geometry.shown(got, identities[1]).signals[LIDS]).max() < 0.006


def test_lips_meet_but_do_not_cross(model, geometry, identities, transfer):
    pressed, parted = (
        geometry.shown(activation(model, **shapes), identities[0])
        for shapes in ({"mouthClose": 0.3}, {"jawOpen": 0.3})
    )
    target = geometry.shown(activation(model), identities[1])
    got = transfer(pressed, parted, target, target.expression)
    assert geometry.shown(got, identities[1]).signals[OPENING] > -0.004


def test_what_the_bound_cuts_off_is_made_up_for(model, geometry, identities, transfer):
    opened, closed = (
        geometry.shown(activation(model, jawOpen=value), identities[0]) for value in (0.7, 0.0)
    )
    target = geometry.shown(activation(model, jawOpen=0.5), identities[1])
    plain = Transfer(model.expression_names)(opened, closed, target, target.expression)
    got = transfer(opened, closed, target, target.expression)
    assert got.min() >= 0
    assert got.max() <= 1
    wanted = target.signals[OPENING] + opened.signals[OPENING] - closed.signals[OPENING]
    short, left = (
        wanted - geometry.shown(expression, identities[1]).signals[OPENING]
        for expression in (plain, got)
    )
    assert short > 0.05
    assert abs(left) < 0.2 * short


def test_motion_that_the_encoder_put_into_the_identity_is_carried(
    model, geometry, identities, transfer
):
    rest, target = (geometry.shown(activation(model), identity) for identity in identities)
    moved = Shown(rest.expression, rest.signals + np.array([0.08, 0, 0, 0, 0, 0, 0]))
    got = transfer(moved, rest, target, target.expression)
    gained = geometry.shown(got, identities[1]).signals - target.signals
    assert gained[OPENING] == pytest.approx(0.08, abs=0.01)


def test_resting_driver_leaves_the_target_at_rest(model, geometry, identities, transfer):
    calm = geometry.shown(activation(model, mouthFrown_R=0.2), identities[0])
    target = geometry.shown(
        activation(model, browInnerUp_L=0.3, mouthSmile_L=0.2, jawOpen=0.1), identities[1]
    )
    got = transfer(calm, calm, target, target.expression)
    np.testing.assert_allclose(got, target.expression, atol=1e-9)
