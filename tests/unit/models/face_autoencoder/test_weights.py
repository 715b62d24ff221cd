import pytest
import torch
from safetensors.torch import save_file

from xpress.errors import InputError
from xpress.models.face_autoencoder.networks import FaceEncoder
from xpress.models.face_autoencoder.weights import load_encoder_weights, read_encoder_weights


def encoder(seed, outputs=9):
    torch.manual_seed(seed)
    network = FaceEncoder(outputs, width=0.25, size=64)
    torch.nn.init.normal_(network.head.weight)
    return network


def write(path, network):
    state = network.state_dict()
    if path.suffix == ".ckpt":
        named = {f"encoder.{name}": value for name, value in state.items()}
        torch.save({"state_dict": {**named, "other.weight": torch.zeros(2)}, "epoch": 3}, path)
    else:
        save_file(state, path)
    return path


@pytest.mark.parametrize("name", ["last.ckpt", "encoder.safetensors"])
def test_weights_come_back(tmp_path, name):
    source, target = encoder(0), encoder(1)
    path = write(tmp_path / name, source)
    weights = read_encoder_weights(path)
    assert weights.keys() == source.state_dict().keys()
    load_encoder_weights(target, str(path))
    image = torch.rand(1, 3, 64, 64)
    assert torch.equal(source.eval()(image), target.eval()(image))


def _spoil(path, how):
    if how == "garbage":
        path.write_bytes(b"no weights in here" * 100)
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "truncated":
        write(path, encoder(0))
        path.write_bytes(path.read_bytes()[:-1000])
    elif how == "foreign" and path.suffix == ".ckpt":
        torch.save({"state_dict": {"generator.weight": torch.zeros(3)}}, path)
    elif how == "foreign":
        save_file({"generator.weight": torch.zeros(3)}, path)
    elif how == "list":
        torch.save([1, 2], path)
    elif how == "code":
        torch.save({"state_dict": encoder}, path)
    elif how == "folder":
        path.mkdir()


@pytest.mark.parametrize(
    ("name", "how"),
    [
        *(("a.ckpt", how) for how in ("missing", "garbage", "empty", "truncated", "foreign")),
        *(("a.ckpt", how) for how in ("list", "code", "folder")),
        *(("a.safetensors", how) for how in ("missing", "garbage", "empty", "foreign")),
        ("a.safetensors", "truncated"),
    ],
)
def test_bad_files_get_one_line(tmp_path, name, how):
    path = tmp_path / name
    _spoil(path, how)
    with pytest.raises(InputError) as caught:
        read_encoder_weights(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_shape_gets_one_line(tmp_path):
    path = write(tmp_path / "small.ckpt", encoder(0, outputs=5))
    with pytest.raises(InputError, match=r"^[^\n]*small\.ckpt[^\n]*width[^\n]*$"):
        load_encoder_weights(encoder(1), str(path))
