import numpy as np
import pytest

from xpress.errors import InputError
from xpress.reenactment.geometry import LIDS, OPENING
from xpress.reenactment.regions import REGIONS, moved_by
from xpress.reenactment.transfer import Transfer

NAMES = ["browDown_L", "eyeBlink_L", "jawOpen", "mouthSmile_L"]
SOURCE, SOURCE_NEUTRAL = np.array([0.5, 0.9, 0.6, 0.2]), np.array([0.1, 0.1, 0.2, 0.4])
NEUTRAL, OWN = np.array([0.3, 0.0, 0.1, 0.1]), np.array([0.2, 0.3, 0.7, 0.8])


def test_relative_is_the_formula_clipped():
    got = Transfer(NAMES, strength=1.5)(SOURCE, SOURCE_NEUTRAL, NEUTRAL, OWN)
    np.testing.assert_allclose(got, [0.9, 1.0, 0.7, 0.0])


def test_absolute_is_the_sources_own():
    got = Transfer(NAMES, "absolute")(SOURCE, SOURCE_NEUTRAL, NEUTRAL, OWN)
    np.testing.assert_allclose(got, SOURCE)
    half = Transfer(NAMES, "absolute", strength=0.5)(SOURCE, SOURCE_NEUTRAL, NEUTRAL, OWN)
    np.testing.assert_allclose(half, (SOURCE + NEUTRAL) / 2)


def test_strength_zero_is_the_targets_rest():
    got = Transfer(NAMES, strength=0.0)(SOURCE, SOURCE_NEUTRAL, NEUTRAL, OWN)
    np.testing.assert_allclose(got, NEUTRAL)


def test_other_regions_stay_as_in_the_picture():
    got = Transfer(NAMES, "absolute", regions=["eyes"])(SOURCE, SOURCE_NEUTRAL, NEUTRAL, OWN)
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


@pytest.fixture
def faces(model, geometry):
    """A driver and a target of other identity, both at rest, and a transfer between them."""
    generator = np.random.default_rng(4)
    identities = generator.normal(size=(2, model.sizes[0])) * 0.7
    base = np.stack([geometry.neutral(identity) for identity in identities])
    rest = np.zeros(len(model.expression_names))
    transfer = Transfer(model.expression_names, geometry=geometry)
    return transfer, base, rest


def activation(model, **shapes):
    expression = np.zeros(len(model.expression_names))
    for name, value in shapes.items():
        expression[model.expression_names.index(name)] = value
    return expression


def test_eyes_close_when_the_drivers_do(model, geometry, faces):
    transfer, base, rest = faces
    blink = geometry.reach(rest, np.where(np.isin(range(7), LIDS), -base[0], 0.0), LIDS)
    assert np.abs(base[0] + geometry.changes(blink))[LIDS].max() < 0.004
    got = transfer(blink, rest, rest, rest, base)
    assert np.abs(base[1] + geometry.changes(got))[LIDS].max() < 0.006


def test_lips_meet_but_do_not_cross(model, geometry, faces):
    transfer, base, rest = faces
    pressed = activation(model, mouthClose=0.3)
    parted = activation(model, jawOpen=0.3)
    got = transfer(pressed, parted, rest, rest, base)
    assert (base[1] + geometry.changes(got))[OPENING] > -0.004


def test_what_the_bound_cuts_off_is_made_up_for(model, geometry, faces):
    transfer, base, rest = faces
    opened = activation(model, jawOpen=0.7)
    neutral = activation(model, jawOpen=0.5)
    plain = Transfer(model.expression_names)(opened, rest, neutral, neutral)
    got = transfer(opened, rest, neutral, neutral, base)
    wanted = geometry.changes(neutral) + geometry.changes(opened)
    assert got.min() >= 0
    assert got.max() <= 1
    short = wanted[OPENING] - geometry.changes(plain)[OPENING]
    left = wanted[OPENING] - geometry.changes(got)[OPENING]
    assert short > 0.05
    assert abs(left) < 0.2 * short


def test_resting_driver_leaves_the_target_at_rest(model, geometry, faces):
    transfer, base, rest = faces
    neutral = activation(model, browInnerUp_L=0.3, mouthSmile_L=0.2, jawOpen=0.1)
    calm = activation(model, mouthFrown_R=0.2)
    np.testing.assert_allclose(transfer(calm, calm, neutral, rest, base), neutral, atol=1e-9)
