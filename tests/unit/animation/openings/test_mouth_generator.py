"""The exported generator in ONNX Runtime, against models written by onnx alone."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from xpress.animation.openings.mouth_generator import MouthGeneratorSession
from xpress.errors import InputError
from xpress.media.mouth_crop import INPUTS

SIDE = 32


@pytest.fixture
def echo(tmp_path):
    """A generator that returns the filled picture as it is, and the rows of teeth."""
    shape = {name: ["batch", n, SIDE, SIDE] for name, n in INPUTS.items()}
    values = {n: helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shape.items()}
    both = ["batch", 5, SIDE, SIDE]
    output = helper.make_tensor_value_info("painted", TensorProto.FLOAT, both)
    node = helper.make_node("Concat", ["filled", "teeth"], ["painted"], axis=1)
    graph = helper.make_graph([node], "echo", list(values.values()), [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, tmp_path / "mouth.onnx")
    (tmp_path / "mouth.json").write_text(json.dumps({"size": SIDE, "ratio": 1.5}))
    return tmp_path


def crop(seed: int = 0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    teeth = rng.integers(0, 256, (2, SIDE, SIDE), np.uint8)
    reference = rng.integers(0, 256, (2, SIDE, SIDE, 4), np.uint8)
    hole = np.zeros((SIDE, SIDE), np.float32)
    hole[12:18, 8:24] = 1
    return picture, hole, teeth, reference


def test_the_network_sees_the_picture_with_a_white_hole(echo):
    picture, hole, teeth, reference = crop()
    shown, taken = MouthGeneratorSession(echo / "mouth.onnx")(picture, hole, teeth, reference)
    np.testing.assert_allclose(shown[hole == 0], picture[hole == 0], atol=1e-3)
    assert (shown[hole == 1] == 255).all()
    np.testing.assert_allclose(taken.transpose(2, 0, 1) * 255, teeth, atol=1e-3)


def test_what_it_paints_comes_back_as_a_picture(mouth_files):
    picture, hole, *others = crop()
    session = MouthGeneratorSession(mouth_files / "mouth.onnx")
    assert (session.size, session.ratio) == (32, 1.5)
    painted, _ = session(picture, hole, *others)
    np.testing.assert_allclose(painted[hole == 1], np.tile([200, 80, 40], (96, 1)), atol=1e-2)
    np.testing.assert_allclose(painted[0, 0], [60, 200, 60], atol=1e-2)


def test_threads_do_not_disturb_each_other(echo):
    session = MouthGeneratorSession(echo / "mouth.onnx")
    crops = [crop(seed) for seed in range(40)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda pair: session(*pair), crops))
    for pair, painted in zip(crops, together, strict=True):
        assert all(map(np.array_equal, painted, session(*pair)))


def test_bad_files_are_named(mouth_files, tmp_path):
    for name in ("mouth.onnx", "mouth.json"):
        shutil.copy(mouth_files / name, tmp_path / name)
    model, card = tmp_path / "mouth.onnx", tmp_path / "mouth.json"
    card.write_text(json.dumps({"size": 96, "ratio": 1.5}))
    with pytest.raises(InputError, match=r"mouth\.onnx: .* 96 pixels"):
        MouthGeneratorSession(model)
    card.write_text(json.dumps({"size": 0, "ratio": 1.5}))
    with pytest.raises(InputError, match="must be positive"):
        MouthGeneratorSession(model)
    card.write_text("{}")
    with pytest.raises(InputError, match=r"mouth\.json: states no size"):
        MouthGeneratorSession(model)
    card.write_text(json.dumps({"size": 32, "ratio": 1.5}))
    model.write_bytes(b"nonsense")
    with pytest.raises(InputError, match=r"mouth\.onnx: not a readable ONNX mouth generator"):
        MouthGeneratorSession(model)
    model.unlink()
    with pytest.raises(InputError, match=r"mouth\.onnx: no such mouth generator"):
        MouthGeneratorSession(model)
