import json

import numpy as np
import pytest
import torch

from xpress.export.landmarks import write_landmarks
from xpress.extraction.onnx_sessions import LandmarkSession
from xpress.models.eye_landmarks.module import EyeLandmarks
from xpress.models.lip_landmarks.module import LipLandmarks


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name"), [(EyeLandmarks, "eye_landmarks"), (LipLandmarks, "lip_landmarks")]
)
def test_the_exported_average_reads_as_the_module_does(tmp_path, kind, name):
    torch.manual_seed(0)
    module = kind((8, 16, 24), (1, 1, 1), 32).eval()
    files = write_landmarks(module, tmp_path, {"origin": "drawn"})
    assert [file.name for file in files] == [
        f"{name}{s}" for s in (".safetensors", ".onnx", ".json")
    ]
    card = json.loads(files[2].read_text())
    assert (card["origin"], card["kind"]) == ("drawn", name)
    crops = np.random.default_rng(0).integers(0, 256, (3, *module.crop_size, 3), np.uint8)
    with torch.no_grad():
        wanted = module(torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255)
    np.testing.assert_allclose(LandmarkSession(files[1], "eye")(crops), wanted, atol=2e-3)
