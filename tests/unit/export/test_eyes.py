import json

import numpy as np
import onnxruntime
import pytest
import torch

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
    session = onnxruntime.InferenceSession(files[1])
    names = [node.name for node in session.get_inputs()]
    assert names == ["around", "reference", "moved", "maps"]
    rng = np.random.default_rng(0)
    for count in (1, 2):
        pictures = [rng.random((count, 3, 48, 64), np.float32) for _ in range(3)]
        given = [*pictures, rng.uniform(-1, 1, (count, 4, 48, 64)).astype(np.float32)]
        with torch.no_grad():
            wanted = module.average(*(torch.from_numpy(part) for part in given))
        (edit,) = session.run(["edit"], dict(zip(names, given, strict=True)))
        np.testing.assert_allclose(edit, wanted, atol=0.02)
