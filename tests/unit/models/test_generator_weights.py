from __future__ import annotations

import pathlib

import pytest
import torch
from safetensors.torch import save_file

from xpress.errors import InputError
from xpress.models.generator_weights import AVERAGE, load_generator
from xpress.models.mouth_gan.module import MouthGAN
from xpress.models.mouth_gan.networks import MouthGenerator

SHAPE = (4, 8, 16), (1, 1), 2


def tiny(**changes) -> MouthGAN:
    shape = dict(zip(("channels", "repeats", "expansion"), SHAPE, strict=True))
    return MouthGAN(size=32, **{**shape, **changes})


def test_a_checkpoint_gives_the_average(tmp_path):
    network = tiny()
    with torch.no_grad():
        for parameter in network.average.parameters():
            parameter.add_(1.0)
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": network.state_dict()}, path)
    generator = MouthGenerator(*SHAPE)
    load_generator(generator, path)
    for name, value in network.generator.named_parameters():
        assert torch.equal(generator.get_parameter(name), value + 1)


def test_safetensors_give_the_weights_as_they_are(tmp_path):
    generator, again = MouthGenerator(*SHAPE), MouthGenerator(*SHAPE)
    save_file(generator.state_dict(), tmp_path / "mouth.safetensors")
    load_generator(again, tmp_path / "mouth.safetensors")
    assert all(torch.equal(v, again.state_dict()[n]) for n, v in generator.state_dict().items())


def test_training_starts_from_given_weights(tmp_path):
    first = tiny()
    torch.save({"state_dict": first.state_dict()}, tmp_path / "first.ckpt")
    torch.manual_seed(1)
    second = tiny(init_from=str(tmp_path / "first.ckpt"))
    for name, value in first.average.module.named_parameters():
        assert torch.equal(second.generator.get_parameter(name), value)
        assert torch.equal(second.average.module.get_parameter(name), value)


class Trap:
    """What a file would run when unpickled."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (self.path,)


def test_files_without_a_generator_are_told(tmp_path):
    def write(name: str, content: object) -> pathlib.Path:
        path = tmp_path / name
        path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
        return path

    other = {"state_dict": {"encoder.weight": torch.zeros(1)}}
    cases = [
        (tmp_path / "missing.ckpt", "no such weights file"),
        (tmp_path, "no such weights file"),
        (write("broken.ckpt", b"not a checkpoint"), "not a "),
        (write("broken.safetensors", b"not weights at all"), "not a readable weights file"),
        (write("other.ckpt", other), "not the weights of such a MouthGenerator"),
        (write("list.ckpt", [1, 2]), "not the weights of such a MouthGenerator"),
        (write("trap.ckpt", {"state_dict": Trap(tmp_path / "sprung")}), "safely|not a readable"),
    ]
    for path, reason in cases:
        with pytest.raises(InputError, match=reason) as error:
            load_generator(MouthGenerator(*SHAPE), path)
        assert str(error.value).startswith(str(path))
        assert "\n" not in str(error.value)
    assert not (tmp_path / "sprung").exists()


def test_another_layout_is_told(tmp_path):
    path = tmp_path / "tiny.ckpt"
    torch.save({"state_dict": tiny().state_dict()}, path)
    with pytest.raises(InputError, match=r"not the weights of such a .*the channels") as error:
        load_generator(MouthGenerator((4, 8, 24), (1, 1), 2), path)
    assert "\n" not in str(error.value)
    assert AVERAGE + "shuffle.0.0.weight" in torch.load(path, weights_only=True)["state_dict"]
