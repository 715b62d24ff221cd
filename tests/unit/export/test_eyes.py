import json

import numpy as np
import pytest
import torch

from xpress.animation.openings.eye_generator import EyeGeneratorSession
from xpress.errors import InputError
from xpress.export.eyes import write_eye_generator
from xpress.models.eye_gan.losses import EyeLossWeights
from xpress.models.eye_gan.module import EyeGAN


@pytest.mark.slow
def test_the_exported_average_edits_as_the_module_does(tmp_path):
    torch.manual_seed(0)
    weights = EyeLossWeights(perceptual=0.0)
    module = EyeGAN((4, 8, 16), (1, 1), 2, (8,), weights=weights).eval()
    files = write_eye_generator(module, tmp_path, {"origin": "drawn"})
    assert [file.name for file in files] == ["eyes.safetensors", "eyes.onnx", "eyes.json"]
    card = json.loads(files[2].read_text())
    assert card["eye_width"] == 32
    assert card["origin"] == "drawn"
    session = EyeGeneratorSession(files[1])
    rng = np.random.default_rng(0)
    for count in (1, 2):
        pictures = [rng.random((count, 48, 64, 3), np.float32) for _ in range(3)]
        maps = rng.uniform(-1, 1, (count, 4, 48, 64)).astype(np.float32)
        given = (torch.from_numpy(p).permute(0, 3, 1, 2) for p in pictures)
        with torch.no_grad():
            wanted = module.average(*given, torch.from_numpy(maps)).permute(0, 2, 3, 1)
        np.testing.assert_allclose(session(*pictures, maps), wanted, atol=0.02)


def test_other_networks_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"eyes\.onnx"):
        EyeGeneratorSession(tmp_path / "eyes.onnx")
