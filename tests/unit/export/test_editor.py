from __future__ import annotations

import hashlib
import json

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file

from xpress.export import editor
from xpress.export.weights import WRITERS
from xpress.media.crop import CROP_RATIO
from xpress.models.dft_net.module import DFTNet
from xpress.models.expression_editing.module import ExpressionGAN
from xpress.models.ganimation.module import GANimation
from xpress.morphable.action_units import ACTION_UNIT_NAMES

SHAPES = {
    "ganimation": {"color": 3, "attention": 1},
    "dft_net": {"flow": 2, "attention": 1, "texture": 3},
}


def made(kind: str) -> ExpressionGAN:
    """With an average of its own, and a flow."""
    torch.manual_seed(0)
    network = {"ganimation": GANimation, "dft_net": DFTNet}[kind]
    module = network(size=16, channels=4, blocks=1, critic_channels=2, critic_depth=2)
    with torch.no_grad():
        for parameter in module.average.module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module.eval()


@pytest.mark.parametrize("kind", SHAPES)
def test_the_files_compute_what_the_average_does(kind: str, tmp_path):
    module = made(kind)
    written = editor.write_editor(module, tmp_path, {"epoch": 3})
    assert [p.name for p in written] == [f"{kind}.{s}" for s in ("safetensors", "onnx", "json")]
    stored = load_file(written[0])
    assert {v.dtype for v in stored.values() if v.is_floating_point()} == {torch.float16}
    network = type(module.generator)(**json.loads(written[2].read_text())["network"])
    network.load_state_dict(stored)
    session = onnxruntime.InferenceSession(written[1], providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    assert names == list(SHAPES[kind])
    for batch in (1, 3):
        image, units = torch.rand(batch, 3, 16, 16), torch.rand(batch, 17)
        found = session.run(None, {"image": image.numpy(), "units": units.numpy()})
        with torch.no_grad():
            rounded = network.eval()(image, units)
            trained = module.average.module.eval()(image, units)
        for name, one, other, exact in zip(names, found, rounded, trained, strict=True):
            assert one.shape == (batch, SHAPES[kind][name], 16, 16)
            np.testing.assert_allclose(one, other, atol=1e-3)
            np.testing.assert_allclose(one, exact, atol=2e-2)  # rounded to half precision
    card = json.loads(written[2].read_text())
    assert (card["kind"], card["size"], card["epoch"]) == (kind, 16, 3)
    assert card["crop_ratio"] == CROP_RATIO
    assert card["units"] == list(ACTION_UNIT_NAMES)
    assert card["sha256"] == hashlib.sha256(written[0].read_bytes()).hexdigest()


def test_files_take_the_name_of_the_target(tmp_path, monkeypatch):
    monkeypatch.setattr("xpress.export.generator.export_onnx_model", lambda *_: 0.0)
    written = editor.write_editor(made("dft_net"), tmp_path / "mine.safetensors", {})
    assert [path.name for path in written] == ["mine.safetensors", "mine.onnx", "mine.json"]


def test_training_knows_the_writer():
    for network in (GANimation, DFTNet):
        name = f"{network.__module__}.{network.__qualname__}"
        assert WRITERS[name] == "xpress.export.editor.write_editor"
