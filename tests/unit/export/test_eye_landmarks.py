import json

import numpy as np
import pytest
import torch

from xpress.export.eye_landmarks import write_eye_landmarks
from xpress.extraction.eye_reader import EyeLandmarkSession
from xpress.models.eye_landmarks.module import EyeLandmarks


@pytest.mark.slow
def test_the_exported_average_reads_as_the_module_does(tmp_path):
    torch.manual_seed(0)
    module = EyeLandmarks((8, 16, 24), (1, 1, 1), 32).eval()
    files = write_eye_landmarks(module, tmp_path, {"origin": "drawn"})
    names = ["eye_landmarks.safetensors", "eye_landmarks.onnx", "eye_landmarks.json"]
    assert [file.name for file in files] == names
    assert json.loads(files[2].read_text())["origin"] == "drawn"
    crops = np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), np.uint8)
    with torch.no_grad():
        wanted = module(torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255)
    np.testing.assert_allclose(EyeLandmarkSession(files[1])(crops), wanted, atol=2e-3)
