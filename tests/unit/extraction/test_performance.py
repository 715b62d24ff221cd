"""Performances: what is recorded drives a face, and what is saved comes back."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from xpress.errors import InputError
from xpress.extraction.face_sample import FaceSample
from xpress.extraction.performance import Performance
from xpress.media.live_link import write_live_link
from xpress.media.sources import open_source
from xpress.morphable.action_units import ActionUnits
from xpress.morphable.face_model import FaceModel
from xpress.morphable.io.arkit import to_recording


def _face(jaw: float, model: FaceModel) -> FaceSample:
    expression = np.zeros(model.sizes[1])
    expression[model.expression_names.index("jawOpen")] = jaw
    return FaceSample(
        identity=np.full(model.sizes[0], 0.5),
        expression=expression,
        color=np.zeros(model.sizes[2]),
        illumination=np.zeros((9, 3)),
        rotation=np.array([0.0, jaw, 0.0]),
        translation=np.array([50.0, 60.0]),
        scale=10.0,
        landmarks68=np.full((68, 2), jaw),
        contours=np.full((138, 2), jaw),
    )


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_frames_without_a_face_hold_the_last_and_all_comes_back(tmp_path: Path, suffix):
    model = FaceModel.default()
    track = [None, _face(0.25, model), None, _face(0.5, model)]
    made = Performance.of_faces(track, Fraction(30000, 1001))
    made.save(tmp_path / f"p{suffix}", ActionUnits(model.expression_names))
    with open_source(tmp_path / f"p{suffix}") as source:
        read = Performance.recorded(source, model)
    jaw = model.expression_names.index("jawOpen")
    assert read.parameters.expression[:, jaw].tolist() == [0.25, 0.25, 0.25, 0.5]
    assert read.fps == Fraction(30000, 1001)
    times, faces = zip(*read.faces(), strict=True)
    assert times == tuple(i / read.fps for i in range(4))
    assert faces[3].rotation[1] == 0.5
    if suffix == ".npz":
        assert read.detected.tolist() == [False, True, False, True]
        assert faces[3].landmarks68[0].tolist() == [0.5, 0.5]


def test_a_live_link_recording_is_a_performance_with_its_time_code(tmp_path: Path):
    model = FaceModel.default()
    jaws = np.linspace(0, 1, 40)
    made = Performance.of_faces([_face(jaw, model) for jaw in jaws], Fraction(30))
    recording = to_recording(made.parameters, model.expression_names, made.fps, "07:08:09:10.000")
    write_live_link(tmp_path / "take.csv", recording)
    read = Performance.recorded(open_source(tmp_path / "take.csv"), model)
    assert np.abs(read.parameters.expression - made.parameters.expression).max() < 1e-6
    assert np.abs(read.parameters.rotation - made.parameters.rotation).max() < 1e-5
    read.save(tmp_path / "again.npz", ActionUnits(model.expression_names))
    again = Performance.recorded(open_source(tmp_path / "again.npz"), model)
    assert again.start == "07:08:09:10.000"


def test_coefficients_of_another_model_are_refused(tmp_path: Path):
    model = FaceModel.default()
    made = Performance.of_faces([_face(0.1, model)], Fraction(25))
    short = made.parameters.replace(expression=made.parameters.expression[:, :50])
    short.save(tmp_path / "short.npz")
    with pytest.raises(InputError, match="50 expression coefficients"):
        Performance.recorded(open_source(tmp_path / "short.npz"), model)
