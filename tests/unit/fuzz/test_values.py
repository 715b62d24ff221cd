"""Whatever options, arrays and recordings hold: a right result, or one clear line."""

from __future__ import annotations

import string
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from xpress import configuration
from xpress.commands.reenact import reenact
from xpress.editing.action_unit_values import parse_action_units
from xpress.errors import InputError
from xpress.media.images import as_rgb, write_image
from xpress.media.sources import open_source
from xpress.reenactment.options import ReenactmentOptions

OPTIONS = ("motion", "strength", "regions", "face", "mouth", "smoothing", "threads", "overwrite")
WORDS = st.text(st.sampled_from(string.printable + "äß…😀\0"), max_size=12)
VALUES = st.one_of(
    WORDS,
    st.integers().map(str),
    st.floats().map(str),
    st.lists(WORDS, max_size=3).map(lambda items: f"[{','.join(items)}]"),
    st.sampled_from(["null", "true", "[mouth]", "[mouth,eyes]", "${oc.env:HOME}", "???", "{a: 1}"]),
)
PATHS = ["source=a.mp4", "target=b.jpg", "output=c.mp4"]


def told_well(error: InputError) -> None:
    """One line that says something."""
    assert len(str(error).splitlines()) == 1
    assert len(str(error)) > 10


def not_left(path: Path) -> None:
    """Nothing was made that an error would leave."""
    assert not path.exists()


@given(st.sampled_from((*OPTIONS, "aus.AU12", "job", "hydra.run.dir", "nothing")), VALUES)
@example("job", "NULL")
@example("job", "???")
def test_options_compose_or_are_told(name, value):
    overrides = ["task=reenact", *PATHS, f"{name}={value}"]
    try:
        config = configuration.compose_config("infer", overrides)
        configuration.check("infer", config, overrides)
    except InputError as error:
        told_well(error)
        return
    assert config.task_name == "reenact"


@pytest.fixture
def pictures(tmp_path, world):
    for name, jaw in (("a.png", 0.5), ("b.png", 0.1)):
        write_image(tmp_path / name, world.frame((80.0, 80.0, jaw, 0)))
    return tmp_path


@given(
    motion=st.one_of(st.sampled_from(["relative", "absolute"]), WORDS),
    strength=st.floats(),
    regions=st.one_of(st.none(), st.lists(st.one_of(st.sampled_from(["mouth", "eyes"]), WORDS))),
    face=st.one_of(st.integers(-3, 3), st.sampled_from(["largest", "all"]), WORDS),
    threads=st.integers(-2, 3),
    suffix=st.one_of(st.sampled_from([".png", ".jpg", ".mp4"]), WORDS),
)
def test_commands_do_it_or_tell(
    reenactor, pictures, motion, strength, regions, face, threads, suffix
):
    output = pictures / "out" / f"o{suffix}"
    options = {"motion": motion, "strength": strength, "regions": regions, "face": face}
    try:
        reenact(
            pictures / "a.png",
            pictures / "b.png",
            output,
            **options,
            threads=threads,
            progress=False,
            reenactor=reenactor,
        )
    except InputError as error:
        told_well(error)
        not_left(pictures / "out")
        return
    assert open_source(output).size == (160, 160)
    output.unlink()
    (pictures / "out").rmdir()


DTYPES = st.one_of(
    arrays.unsigned_integer_dtypes(),
    arrays.integer_dtypes(),
    arrays.floating_dtypes(),
    st.just(bool),
)
SIDES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=40)
SHAPES = st.one_of(SIDES, st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(1, 4)))


@given(st.one_of(arrays.arrays(DTYPES, SHAPES), arrays.arrays(np.uint8, SHAPES)))
def test_arrays_are_pictures_or_are_told(reenactor, array):
    for attempt in (
        lambda: reenactor.extract(array),
        lambda: reenactor.reenact(array, array),
        lambda: next(reenactor.track([(Fraction(0), array)])),
        lambda: as_rgb(array),
    ):
        try:
            attempt()
        except InputError as error:
            told_well(error)


def test_what_an_array_is_wanted_to_be_is_said(reenactor):
    noise = np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)
    for wrong in (
        noise / 255,
        noise.astype(np.float32) * np.nan,
        noise.astype(np.int64),
        noise.transpose(2, 0, 1),
        noise[None],
        noise[:0],
        noise[:8, :8],
        noise > 3,
    ):
        for attempt in (reenactor.extract, lambda a: reenactor.reenact(a, noise)):
            with pytest.raises(InputError, match=r"RGB array, uint8, \(H, W, 3\)"):
                attempt(wrong)


def test_grey_and_alpha_are_understood():
    noise = np.random.default_rng(0).integers(0, 256, (64, 48), np.uint8)
    repeated = np.stack([noise] * 3, axis=-1)
    np.testing.assert_array_equal(as_rgb(noise), repeated)
    np.testing.assert_array_equal(as_rgb(noise[..., None]), repeated)
    alpha = np.zeros((64, 48, 1), np.uint8)
    alpha[:, :20] = 255
    got = as_rgb(np.concatenate([repeated, alpha], axis=-1))
    np.testing.assert_array_equal(got[:, :20], repeated[:, :20])
    assert (got[:, 20:] == 255).all()
    assert as_rgb(repeated[::2, ::2]).flags.c_contiguous


FIELDS = {
    "identity": (60,),
    "expression": (53,),
    "color": (40,),
    "illumination": (9, 3),
    "rotation": (3,),
    "translation": (2,),
    "scale": (),
    "fps": (),
}


@given(
    name=st.sampled_from(sorted(FIELDS)),
    array=arrays.arrays(DTYPES, SIDES),
    frames=st.integers(0, 4),
    fitting=st.booleans(),
    value=st.floats(width=32),
)
def test_recordings_drive_or_are_told(reenactor, tmp_path, name, array, frames, fitting, value):
    whole = {field: np.full((frames, *shape), 0.5, "f4") for field, shape in FIELDS.items()}
    whole["fps"] = np.array([25, 1])
    if fitting:
        whole[name] = np.full_like(whole[name], 0).astype("f4") + np.float32(value)
    else:
        whole[name] = array
    path = tmp_path / "p.npz"
    np.savez(path, **whole)
    try:
        with open_source(path) as source:
            driven = list(reenactor.driver(source))
    except InputError as error:
        told_well(error)
        return
    assert len(driven) == source.frame_count > 0
    assert all(np.isfinite(frame.measured.expression).all() for frame in driven)
    animator = reenactor.target_animator(ReenactmentOptions())
    face = reenactor.rested(reenactor.extractor.sample(80, 80))
    values = np.array([animator.expression(frame, face) for frame in driven])
    assert ((values >= 0) & (values <= 1)).all()


@given(st.dictionaries(st.one_of(WORDS, st.sampled_from(["AU12", "AU45_L", "random"])), VALUES))
def test_units_are_understood_or_told(units):
    try:
        found = parse_action_units(units)
    except InputError as error:
        told_well(error)
        return
    assert all(0 <= value <= 1 for value in found.values())
