import hashlib
import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file

from xpress.export import mouth
from xpress.media.mouth_crop import INPUTS
from xpress.models.mouth_gan.module import MouthGAN
from xpress.models.mouth_gan.networks import MouthGenerator

SETTINGS = {"size": 32, "channels": [4, 8, 16], "repeats": [1, 1], "expansion": 2}


@pytest.fixture
def module() -> MouthGAN:
    torch.manual_seed(0)
    gan = MouthGAN(**SETTINGS, discriminator_channels=[8], local_channels=[8])
    for layer in gan.average.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_(std=0.2)
            layer.running_var.uniform_(0.1, 0.5)
    return gan


@pytest.mark.slow
def test_the_exported_average_paints_the_same_for_any_batch(module, tmp_path):
    folder = tmp_path / "out"
    mouth.write_mouth_generator(module, folder, {"trained on": "nothing"})
    assert sorted(p.name for p in folder.iterdir()) == [
        *("mouth.json", "mouth.onnx", "mouth.safetensors")
    ]
    network = MouthGenerator(*(SETTINGS[name] for name in ("channels", "repeats", "expansion")))
    network.load_state_dict(load_file(folder / "mouth.safetensors"))
    network.eval()
    session = onnxruntime.InferenceSession(folder / "mouth.onnx")
    assert [node.name for node in session.get_inputs()] == list(INPUTS)
    generator = torch.Generator().manual_seed(1)
    for batch in (1, 5):
        given = {
            name: torch.rand(batch, channels, 32, 32, generator=generator)
            for name, channels in INPUTS.items()
        }
        for layer in given["reference"].split(4, dim=1):  # colours only where it shows any
            layer[:, 3:].round_()
            layer[:, :3] *= layer[:, 3:]
        (painted,) = session.run(["painted"], {n: v.numpy() for n, v in given.items()})
        with torch.no_grad():
            stored, trained = (n(*given.values()).numpy() for n in (network, module))
            other = module.generator.eval()(*given.values()).numpy()
        np.testing.assert_allclose(painted, stored, atol=1e-4)
        painted = painted[:, :3]
        np.testing.assert_allclose(painted, trained, atol=5e-3)  # rounded to half precision
        assert np.abs(painted - other[:, :3]).max() > 0.01  # not the one that was not averaged
    kinds = {node.op_type for node in onnx.load(folder / "mouth.onnx").graph.node}
    assert "BatchNormalization" not in kinds
    assert b"networks.py" not in (folder / "mouth.onnx").read_bytes()

    card = json.loads((folder / "mouth.json").read_text())
    weights = folder / "mouth.safetensors"
    assert card["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert card["network"] == SETTINGS
    assert (card["size"], card["ratio"], card["trained on"]) == (32, 1.5, "nothing")
    assert card["parameters"] == sum(p.numel() for p in network.parameters())


def test_a_module_gives_its_files_the_name_of_the_target(module, tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(
        "xpress.export.generator.export_onnx_model", lambda network, path, *_: made.append(path)
    )
    written = mouth.write_mouth_generator(module, tmp_path / "mine.safetensors", {"epoch": 3})
    assert [path.name for path in written] == ["mine.safetensors", "mine.onnx", "mine.json"]
    assert made == [written[1]]
    average = module.average.module.state_dict()
    stored = load_file(written[0])
    assert stored.keys() == average.keys()
    for name, value in average.items():  # in half precision
        expected = value.half() if value.is_floating_point() else value
        assert torch.equal(stored[name], expected)
    assert json.loads(written[2].read_text())["epoch"] == 3
