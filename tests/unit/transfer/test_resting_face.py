import numpy as np
import pytest

from xpress.morphable.expression_geometry import LIDS, OPENING, SMILE
from xpress.transfer.resting_face import RestingFace


@pytest.fixture
def resting(geometry) -> RestingFace:
    return RestingFace(geometry)


def shapes(model, **values):
    expression = np.zeros(len(model.expression_names))
    for name, value in values.items():
        sides = [name] if name in model.expression_names else [f"{name}_L", f"{name}_R"]
        for side in sides:
            expression[model.expression_names.index(side)] = value
    return expression


def of_clip(resting, expressions):
    identities = np.zeros((len(expressions), resting.geometry.sizes[0]))
    return resting.of_clip(np.array(expressions), identities)


def test_clip_that_starts_amid_a_word_with_closed_eyes(model, geometry, resting):
    calm = shapes(model, browInnerUp=0.2, mouthSmile=0.1)
    speaking = calm + shapes(model, jawOpen=0.5, mouthFunnel=0.3)
    blinking = speaking + shapes(model, eyeBlink=0.9)
    clip = [blinking] * 5 + [speaking] * 50 + [calm] * 20 + [blinking] * 5 + [speaking] * 20
    neutral = of_clip(resting, clip).expression
    np.testing.assert_allclose(neutral, calm, atol=1e-9)
    assert np.abs(geometry.changes(blinking - neutral)).max() > 0.1


def test_noise_does_not_bias_the_rest(model, geometry, resting):
    generator = np.random.default_rng(0)
    calm = shapes(model, mouthSmile=0.3, jawOpen=0.1, mouthClose=0.1)
    clip = calm + 0.012 * np.abs(generator.normal(size=(100, len(calm))))
    got = geometry.changes(of_clip(resting, clip).expression) - geometry.changes(clip.mean(0))
    assert np.abs(got).max() < 0.01


@pytest.mark.parametrize("seed", range(3))
def test_photo_of_an_open_smile_rests_with_closed_lips(model, geometry, resting, seed):
    identity = np.random.default_rng(seed).normal(size=model.sizes[0]) * 0.5
    laughing = shapes(
        model, jawOpen=0.4, mouthSmile=0.7, mouthUpperUp=0.3, eyeSquint=0.6, browOuterUp=0.4
    )
    shown = resting.of_photo(laughing, identity)
    rest = shown.expression
    signals = geometry.neutral(identity) + geometry.changes(rest)
    np.testing.assert_allclose(signals, shown.signals)
    assert signals[OPENING] == pytest.approx(0, abs=0.004)
    before, after = geometry.changes(laughing), geometry.changes(rest)
    assert 0.2 * before[SMILE] < after[SMILE] < 0.8 * before[SMILE]
    brows = [i for i, name in enumerate(model.expression_names) if name.startswith("brow")]
    np.testing.assert_array_equal(rest[brows], laughing[brows])


def test_photo_with_shut_eyes_rests_with_open_ones(model, geometry, resting):
    identity = np.zeros(model.sizes[0])
    rest = resting.of_photo(shapes(model, eyeBlink=0.9), identity).expression
    lids = (geometry.neutral(identity) + geometry.changes(rest))[LIDS]
    assert (lids > 0.8 * geometry.neutral(identity)[LIDS]).all()


def test_calm_photo_stays_as_it_is(model, geometry, resting):
    identity = np.zeros(model.sizes[0])
    calm = shapes(model, browInnerUp=0.3, eyeLookOut=0.2)
    changed = geometry.changes(resting.of_photo(calm, identity).expression) - geometry.changes(calm)
    assert np.abs(changed).max() < 0.012


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("seed", range(3))
def test_clips_of_any_length_have_a_rest(model, geometry, resting, frames, seed):
    """Within what the frames show, and finite: two frames once had no eyes between quantiles."""
    generator = np.random.default_rng(seed)
    clip = generator.uniform(0, 1, (frames, len(model.expression_names)))
    rest = of_clip(resting, clip)
    assert (rest.expression >= clip.min(0) - 1e-9).all()
    assert (rest.expression <= clip.max(0) + 1e-9).all()
    assert np.isfinite(rest.signals).all()
