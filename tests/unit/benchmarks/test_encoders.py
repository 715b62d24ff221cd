from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from xpress.errors import InputError
from xpress.media.crop import Crop
from xpress.models.face_autoencoder.code import CodeLayout
from xpress.models.face_autoencoder.networks import FaceEncoder
from xpress.morphable.model import MorphableModel


@pytest.fixture(scope="module")
def encoder() -> FaceEncoder:
    torch.manual_seed(0)
    made = FaceEncoder(CodeLayout(*MorphableModel.default().sizes).outputs, width=0.25)
    torch.nn.init.normal_(made.head.weight, std=0.02)
    return made.eval()


def checkpoint(path: Path, encoder: FaceEncoder, **settings) -> Path:
    state = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    torch.save({"state_dict": state, "hyper_parameters": settings}, path)
    return path


def picture() -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    return cv2.resize(noise, (160, 160))


def test_a_checkpoint_is_read_by_its_own_settings(encoders, encoder, tmp_path):
    path = checkpoint(tmp_path / "last.ckpt", encoder, width=0.25, size=128, learning_rate=1.0)
    measured = encoders.open_encoder(str(path))
    crop = Crop((80.0, 80.0), 120.0)
    faces = measured.read([picture()] * 70, [crop] * 70)
    assert len(faces) == 70
    image = torch.from_numpy(crop.cut(picture())).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        layout = CodeLayout.of(measured.model.sizes, measured.model.expression_names)
        expected = layout.parameters(encoder(image))
    np.testing.assert_allclose(faces[-1].expression, expected.expression[0].numpy(), atol=1e-4)


def test_other_networks_are_told(encoders, encoder, tmp_path):
    path = checkpoint(tmp_path / "last.ckpt", encoder, width=0.5, size=128)
    with pytest.raises(InputError, match="of another network"):
        encoders.open_encoder(str(path))


def test_safetensors_alone_run_in_torch(encoders, repository, tmp_path):
    assets = repository / "src/xpress/assets"
    crop = Crop((80.0, 80.0), 120.0)
    in_onnx = encoders.open_encoder("default").read([picture()], [crop])[0]
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes((assets / "encoder.safetensors").read_bytes())
    (tmp_path / "alone.json").write_bytes((assets / "encoder.json").read_bytes())
    in_torch = encoders.open_encoder(str(alone)).read([picture()], [crop])[0]
    np.testing.assert_allclose(in_torch.landmarks68, in_onnx.landmarks68, atol=0.05)


def test_what_is_missing_is_named(encoders, tmp_path):
    with pytest.raises(InputError, match=r"none\.ckpt"):
        encoders.open_encoder(str(tmp_path / "none.ckpt"))
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="holds no encoder"):
        encoders.open_encoder(str(tmp_path / "other.safetensors"))
