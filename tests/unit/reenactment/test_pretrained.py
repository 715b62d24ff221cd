"""Weights of the package, of a folder, and what is wrong with a folder."""

import json
import shutil
from dataclasses import replace
from importlib.resources import files

import pytest

from xpress.animation.animator import FaceAnimator
from xpress.animation.openings.mouth_generator import MouthGeneratorSession
from xpress.errors import InputError
from xpress.morphable.face_model import FaceModel
from xpress.reenactment.pretrained import load_pretrained
from xpress.reenactment.reenactor import Reenactor

ASSETS = files("xpress") / "assets"


@pytest.fixture
def own(tmp_path, mouth_files):
    """A folder with nothing but a mouth generator."""
    for name in ("mouth.onnx", "mouth.json"):
        shutil.copy(mouth_files / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def package_without_generator(monkeypatch, tmp_path_factory):
    """As if the package had no mouth generator."""
    package = tmp_path_factory.mktemp("package")
    (package / "assets").mkdir()
    for name in ("encoder.onnx", "encoder.json", "morphable.safetensors", "eyes.onnx"):
        shutil.copy(str(ASSETS / name), package / "assets" / name)
    monkeypatch.setattr("xpress.extraction.weight_files.files", lambda name: package)


def test_a_folder_with_a_generator_takes_the_rest_from_the_package(own):
    loaded = load_pretrained(own)
    assert isinstance(loaded.mouth, MouthGeneratorSession)
    assert loaded.encoder.layout == load_pretrained("default", "none").encoder.layout
    made = [loaded.animators()() for _ in range(2)]
    assert all(isinstance(one, FaceAnimator) for one in made)


def test_other_mouths_load_no_generator(own):
    (own / "mouth.onnx").write_bytes(b"not read")
    for name in ("encoder.onnx", "encoder.json"):
        shutil.copy(str(ASSETS / name), own / name)
    assert load_pretrained(own, "model").mouth == "model"
    assert load_pretrained(own, "none").mouth == "none"


@pytest.mark.usefixtures("package_without_generator")
def test_without_a_generator_the_face_models_mouth_is_shown():
    assert load_pretrained("default").mouth == "model"


def test_a_folder_with_an_encoder_alone(tmp_path):
    for name in ("encoder.onnx", "encoder.json"):
        shutil.copy(str(ASSETS / name), tmp_path / name)
    card = json.loads((tmp_path / "encoder.json").read_text())
    gains = dict.fromkeys(card["signal_gain"], 0.5)
    (tmp_path / "encoder.json").write_text(json.dumps(card | {"signal_gain": gains}))
    assert (load_pretrained(tmp_path).encoder.signal_gain == 0.5).all()


def test_the_file_of_one_network(tmp_path):
    for suffix in ("onnx", "json", "safetensors"):
        shutil.copy(str(ASSETS / f"encoder.{suffix}"), tmp_path / f"mine.{suffix}")
    card = json.loads((tmp_path / "mine.json").read_text())
    gains = dict.fromkeys(card["signal_gain"], 0.5)
    (tmp_path / "mine.json").write_text(json.dumps(card | {"signal_gain": gains}))
    loaded = load_pretrained(tmp_path / "mine.safetensors", "none")
    assert (loaded.encoder.signal_gain == 0.5).all()
    (tmp_path / "mine.json").write_text("{}")
    with pytest.raises(InputError, match="of no encoder, generator or editor"):
        load_pretrained(tmp_path / "mine.safetensors")
    (tmp_path / "mine.json").unlink()
    with pytest.raises(InputError, match="no card beside the weights"):
        load_pretrained(tmp_path / "mine.safetensors")


def test_bad_folders_are_named(own, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(InputError, match="no such folder of weights"):
        Reenactor.from_pretrained(empty / "none")
    with pytest.raises(InputError, match=r"none of encoder\.onnx, eye_landmarks\.onnx, lip_"):
        Reenactor.from_pretrained(empty)
    with pytest.raises(InputError, match="mouth=teeth: choose generator, model or none"):
        Reenactor.from_pretrained(mouth="teeth")
    model = FaceModel.default()
    replace(model, triangles=model.triangles[::-1].copy()).save(own / "morphable.safetensors")
    with pytest.raises(InputError, match=r"mesh of its own, so it needs an encoder of its own"):
        Reenactor.from_pretrained(own)
    (own / "morphable.safetensors").unlink()
    (own / "mouth.json").unlink()
    with pytest.raises(InputError, match=r"mouth\.json: no such card"):
        Reenactor.from_pretrained(own)
