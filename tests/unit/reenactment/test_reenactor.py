from fractions import Fraction

import numpy as np
import pytest

import xpress
from xpress.commands.demo_performance import FPS, SECONDS, write_performance
from xpress.errors import InputError
from xpress.media.images import write_image
from xpress.media.sources import open_source
from xpress.media.video import VideoWriter
from xpress.morphable.action_units import ACTION_UNIT_NAMES
from xpress.reenactment.options import ReenactmentOptions
from xpress.reenactment.reenactor import Reenactor


def jaw_of(model, analysis):
    return float(analysis.parameters.expression[0, model.expression_names.index("jawOpen")])


@pytest.fixture
def clip(tmp_path, world):
    """A video of a disc that moves and opens its jaw every other half second."""
    path = tmp_path / "driver.mp4"
    with VideoWriter(path, 25, (160, 160), crf=1) as writer:
        for i in range(40):
            jaw = 0.6 if i % 25 >= 12 else 0.0
            writer.write(world.frame((60.0 + i, 80.0, jaw, 0)))
    return path


def test_the_package_exports_it_lazily():
    assert xpress.Reenactor is Reenactor
    with pytest.raises(AttributeError, match="Missing"):
        _ = xpress.Missing


def test_extract_gives_the_face_in_pixels(reenactor, world, model):
    analysis = reenactor.extract(world.frame((90.0, 70.0, 0.4, 0.8)))
    assert analysis.detected
    assert jaw_of(model, analysis) == pytest.approx(0.4, abs=0.01)
    assert analysis.parameters.translation[0].tolist() == pytest.approx([90, 70], abs=0.6)
    assert analysis.landmarks68.shape == (68, 2)
    units = dict(zip(ACTION_UNIT_NAMES, analysis.action_units, strict=True))
    assert units["AU45"] == pytest.approx(0.8, abs=0.01)
    assert units["AU26"] == pytest.approx(0.4, abs=0.01)


def test_extract_of_a_chosen_face_and_of_a_file(reenactor, world, model, tmp_path):
    image = world.frame((50.0, 70.0, 0.2, 0), (120.0, 70.0, 0.9, 0))
    write_image(tmp_path / "two.png", image)
    assert jaw_of(model, reenactor.extract(tmp_path / "two.png", face=1)) > 0.85
    assert jaw_of(model, reenactor.extract(tmp_path / "two.png", face=0)) < 0.25
    with pytest.raises(InputError, match=r"two\.png shows 2 face"):
        reenactor.extract(tmp_path / "two.png", face=2)


def test_no_face_is_told(reenactor, world):
    with pytest.raises(InputError, match="no face found"):
        reenactor.extract(world.frame())


def test_detections_that_the_encoder_denies_do_not_count(reenactor, world, monkeypatch):
    absent = world.sample(80, 80, presence=0.2)
    monkeypatch.setattr(world, "settled", lambda image, crop: absent, raising=False)
    with pytest.raises(InputError, match="no face found"):
        reenactor.find(world.frame((80.0, 80.0, 0, 0)))


def test_video_moves_the_photograph_like_the_driver(reenactor, world, clip):
    target = world.frame((80.0, 90.0, 0.0, 0))
    frames = list(reenactor.reenact(target, clip, ReenactmentOptions(smoothing=False)))
    assert len(frames) == 40
    jaw = np.array([frame[91, 80, 0] for frame in frames]) / 255
    opened = np.array([i % 25 >= 12 for i in range(40)])
    assert (jaw[opened] > 0.5).all()
    assert (jaw[~opened] < 0.1).all()
    changed = np.any([(frame != target).any(-1) for frame in frames], axis=0)
    assert changed.sum() == 4 * 16  # what the animator draws, nothing else


def test_regions_and_strength_reach_the_transfer(reenactor, world, clip):
    target = world.frame((80.0, 90.0, 0.0, 0))
    for options, bound in (
        (ReenactmentOptions(regions=["brows"]), 0.05),
        (ReenactmentOptions(strength=0.5), 0.45),
    ):
        frames = list(reenactor.reenact(target, clip, options))
        assert max(frame[91, 80, 0] for frame in frames) / 255 < bound


def test_photograph_as_driver_gives_a_photograph(reenactor, world):
    target = world.frame((80.0, 90.0, 0.0, 0))
    frame = reenactor.reenact(target, world.frame((60.0, 60.0, 0.7, 0)))
    assert frame.shape == target.shape
    assert frame[91, 80, 0] / 255 > 0.5


def test_neutral_picture_of_the_source(reenactor, world):
    target = world.frame((80.0, 90.0, 0.0, 0))
    driver = world.frame((60.0, 60.0, 0.7, 0))
    calm = world.frame((60.0, 60.0, 0.7, 0))
    with open_source_of(driver) as source:
        moved = next(reenactor.driver(source, source_neutral=calm))
    np.testing.assert_allclose(moved.measured.expression, moved.rest.expression, atol=0.01)
    assert target.shape == driver.shape


def open_source_of(image):
    import tempfile
    from pathlib import Path

    path = Path(tempfile.mkdtemp()) / "image.png"
    write_image(path, image)
    return open_source(path)


def test_recorded_performance_drives(reenactor, world, model, tmp_path):
    write_performance(tmp_path / "script.npz", model)
    target = world.frame((80.0, 90.0, 0.0, 0))
    frames = list(reenactor.reenact(target, tmp_path / "script.npz"))
    assert len(frames) == round(FPS * SECONDS)
    jaw = np.array([frame[91, 80, 0] for frame in frames]) / 255
    assert jaw.max() > 0.35
    assert jaw[0] < 0.05


def test_recording_of_another_face_model_is_refused(reenactor, model, tmp_path):
    write_performance(tmp_path / "script.npz", model)
    with np.load(tmp_path / "script.npz") as archive:
        arrays = dict(archive)
    np.savez(
        tmp_path / "other.npz", **(arrays | {"identity": np.zeros((round(FPS * SECONDS), 7), "f4")})
    )
    with pytest.raises(InputError, match="7 identity"):
        reenactor.driver(open_source(tmp_path / "other.npz"))


def test_all_faces_of_a_video_stay_in_order(reenactor, world, model):
    size = (160, 320)
    jaw = model.expression_names.index("jawOpen")
    frames = [
        (
            Fraction(i, 25),
            world.frame((240.0 - 2 * i, 80.0, 0.8, 0), (60.0 + i, 80.0, 0.2, 0), size=size),
        )
        for i in range(20)
    ]
    for _, _, faces in reenactor.track_faces(frames, "all", "clip"):
        got = [face.expression[jaw] for face in faces]
        np.testing.assert_allclose(got, [0.2, 0.8], atol=0.02)
