import json

import numpy as np
import onnx
import pytest
import torch

from xpress.export.encoder import export_onnx
from xpress.extraction.encoder import EncoderSession
from xpress.models.face_autoencoder.code import CodeLayout
from xpress.models.face_autoencoder.networks import FaceEncoder


@pytest.mark.slow
def test_exported_encoder_computes_the_same_for_any_batch(tmp_path):
    torch.manual_seed(0)
    layout = CodeLayout(4, 5, 3, size=64)
    encoder = FaceEncoder(layout.outputs, width=0.25, size=64)
    torch.nn.init.normal_(encoder.head.weight)
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.1, 0.5)
    encoder.train()
    path = tmp_path / "encoder.onnx"
    difference = export_onnx(encoder, layout, path, {"trained on": "nothing"})
    assert encoder.training
    assert difference < 1e-3
    assert b"networks.py" not in path.read_bytes()  # no traces of the folders it was made in

    session = EncoderSession(path)
    crops = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)
    encoder.eval()
    with torch.no_grad():
        expected = encoder(torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255).numpy()
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(session(crops), expected, atol=1e-3)
    np.testing.assert_allclose(session(crops[:1]), expected[:1], atol=1e-3)

    card = json.loads(path.with_suffix(".json").read_text())
    assert CodeLayout(**card["layout"]) == layout
    assert card["trained on"] == "nothing"
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert "BatchNormalization" not in kinds
    assert sorted(p.name for p in tmp_path.iterdir()) == ["encoder.json", "encoder.onnx"]
