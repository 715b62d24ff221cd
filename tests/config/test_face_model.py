"""`morphable=…` of both commands; what reads the files is tested with the readers."""

from pathlib import Path

import pytest

from xpress import configuration
from xpress.configuration import train_with_face_model, weights_with_face_model
from xpress.errors import InputError
from xpress.face_models import registered_file


@pytest.fixture
def made(monkeypatch, tmp_path):
    """What is registered, without the seconds that it takes."""
    asked = []

    def stand_in(reader, path, landmarks):
        asked.append((reader, path, landmarks))
        (tmp_path / "morphable.safetensors").write_bytes(b"made")
        return tmp_path / "morphable.safetensors"

    monkeypatch.setattr(registered_file, "registered_file", stand_in)
    return asked


def composed(command, *overrides):
    config = configuration.compose_config(command, overrides)
    configuration.check(command, config, overrides)
    return config


def test_training_gives_the_model_to_network_and_data(made, tmp_path):
    overrides = ["task=face_autoencoder", "data=faces_mixed"]
    config = composed("train", *overrides, "morphable=bfm2019", "morphable.path=m.h5")
    train_with_face_model(config)
    assert config.model.morphable == config.data.synthetic.morphable
    assert Path(config.model.morphable).parent == tmp_path
    assert made == [("bfm2019", "m.h5", None)]
    config = composed("train", *overrides)
    train_with_face_model(config)
    assert config.model.morphable is None


def test_inference_takes_the_folder_as_weights(made, tmp_path, tmp_path_factory):
    overrides = [
        "task=extract",
        "target=a.jpg",
        "output=b",
        "morphable=gltf",
        "morphable.path=m.glb",
    ]
    config = composed("infer", *overrides)
    assert weights_with_face_model(config, None) == str(tmp_path)
    own = tmp_path_factory.mktemp("own")
    with pytest.raises(InputError, match="trained for another face model than morphable=gltf"):
        weights_with_face_model(config, str(own))
    (own / "morphable.safetensors").write_bytes(b"made")
    assert weights_with_face_model(config, str(own)) == str(own)


@pytest.mark.parametrize(
    ("command", "overrides", "told"),
    [
        (
            "train",
            ["task=face_autoencoder", "morphable=bfm2017"],
            "give morphable.path=…, model2017",
        ),
        ("train", ["task=face_autoencoder", "morphable.path=m.h5"], "say what it is"),
        (
            "train",
            ["task=mouth_gan", "morphable=npz", "morphable.path=m.npz"],
            "mouth_gan has none",
        ),
    ],
)
def test_what_is_missing_is_told(command, overrides, told, made):
    config = composed(command, *overrides)
    with pytest.raises(InputError, match=told):
        train_with_face_model(config)
    assert not made


def test_unknown_readers_and_options_are_told():
    with pytest.raises(InputError, match="morphable=bfm2016: no such choice; did you mean bfm2019"):
        composed("infer", "task=extract", "target=a", "output=b", "morphable=bfm2016")
    with pytest.raises(InputError, match=r"morphable\.file: no such option"):
        composed("train", "task=face_autoencoder", "morphable.file=m.h5")
