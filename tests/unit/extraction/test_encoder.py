import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from xpress.errors import InputError
from xpress.extraction.encoder import (
    CodeDecoder,
    EncoderSession,
    FaceExtractor,
)
from xpress.media.crop import Crop
from xpress.models.face_autoencoder.code import CodeLayout
from xpress.rendering.camera import project


@pytest.fixture(scope="module")
def layout(model) -> CodeLayout:
    return CodeLayout.of(model.sizes, model.expression_names)


@pytest.fixture(scope="module")
def decoder(layout, landmark_model) -> CodeDecoder:
    return CodeDecoder(layout, landmark_model)


def random_code(layout: CodeLayout, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=layout.outputs).astype(np.float32) * 0.5


def test_parameters_in_an_unmoved_crop_are_the_layouts(layout, decoder):
    code = random_code(layout, 0)
    face = decoder(code, Crop((63.5, 63.5), 128.0))
    expected = layout.parameters(torch.from_numpy(code)[None])
    for name in vars(expected):
        got = getattr(face.parameters.torch(), name)
        torch.testing.assert_close(got, getattr(expected, name), rtol=1e-4, atol=1e-4)
    logit = float(layout.presence(torch.from_numpy(code)[None])[0])
    assert face.presence == pytest.approx(1 / (1 + np.exp(-logit)), rel=1e-4)


@pytest.mark.parametrize("angle", [0.0, 0.7, -1.0])
def test_landmarks_land_where_torch_draws_them(model, layout, decoder, angle):
    code = random_code(layout, 1)
    crop = Crop((333.0, 120.0), 210.0, 128, angle)
    face = decoder(code, crop)
    p = layout.parameters(torch.from_numpy(code)[None])
    mesh = model.vertices(p.identity, p.expression)
    in_crop = model.landmark_points(project(mesh, p.rotation, p.translation, p.scale))
    expected = crop.to_image(in_crop[0, :, :2].double().numpy())
    np.testing.assert_allclose(face.landmarks68, expected[:68], atol=2e-2)
    np.testing.assert_allclose(face.contours, expected[68:], atol=2e-2)
    # and the parameters alone, in pixels of the picture, say the same
    p = face.parameters.torch()
    drawn = model.landmark_points(project(mesh, p.rotation, p.translation, p.scale))
    np.testing.assert_allclose(drawn[0, :68, :2].numpy(), face.landmarks68, atol=2e-2)


def test_update_moves_the_landmarks(layout, decoder):
    face = decoder(random_code(layout, 2), Crop((63.5, 63.5), 128.0))
    moved = decoder.update(face, translation=face.translation + np.array([7.0, -3.0]))
    np.testing.assert_allclose(moved.landmarks68 - face.landmarks68, [[7.0, -3.0]] * 68)


def test_a_model_of_other_sizes_is_refused(landmark_model):
    with pytest.raises(InputError, match="coefficients"):
        CodeDecoder(CodeLayout(7, 53, 40), landmark_model)


@pytest.fixture
def toy_encoder(tmp_path, layout):
    """An encoder whose every number is the mean of the crop's red minus its blue."""
    weights = np.zeros((3, layout.outputs), np.float32)
    weights[0], weights[2] = 1, -1
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["code"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["B", 3, 128, 128])
    code = helper.make_tensor_value_info("code", TensorProto.FLOAT, ["B", layout.outputs])
    constants = [
        numpy_helper.from_array(np.array([2, 3]), "axes"),
        numpy_helper.from_array(weights, "weights"),
    ]
    graph = helper.make_graph(nodes, "toy", [image], [code], constants)
    opset = [helper.make_opsetid("", 18)]
    path = tmp_path / "encoder.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), path)
    path.with_suffix(".json").write_text(json.dumps({"layout": layout.as_dict()}))
    return path


def test_session_scales_and_orders_channels(toy_encoder):
    session = EncoderSession(toy_encoder)
    crops = np.zeros((2, 128, 128, 3), np.uint8)
    crops[0, ..., 0], crops[1, ..., 2] = 255, 51
    code = session(crops)
    assert code.dtype == np.float32
    np.testing.assert_allclose(code[:, 0], [1.0, -0.2], atol=1e-5)


def test_extractor_cuts_and_decodes(toy_encoder, decoder, layout):
    extractor = FaceExtractor(EncoderSession(toy_encoder), decoder)
    image = np.full((300, 300, 3), (90, 0, 0), np.uint8)
    crop = Crop((150.0, 150.0), 100.0)
    code = np.full(layout.outputs, 90 / 255, np.float32)
    expected = decoder(code, crop)
    got = extractor(image, crop)
    np.testing.assert_allclose(got.landmarks68, expected.landmarks68, atol=1e-3)


def test_settling_ends_where_the_crop_stays(landmark_model, layout, decoder):
    """An encoder that always sees the face at one place of the picture."""
    place = np.array([140.0, 160.0])
    calls = []

    class Seeing(FaceExtractor):
        def __call__(self, image, crop):
            calls.append(crop)
            face = decoder(np.zeros(layout.outputs, np.float32), Crop((63.5, 63.5), 128.0))
            return decoder.update(face, translation=place)

    face = Seeing(lambda crops: crops, decoder).settled(
        np.zeros((9, 9, 3), np.uint8), Crop((100.0, 100.0), 60.0), 6
    )
    assert len(calls) == 2  # far off, then right
    np.testing.assert_allclose(face.translation, place)


def test_missing_and_broken_encoders_are_named(tmp_path, toy_encoder, layout):
    with pytest.raises(InputError, match="no such card"):
        EncoderSession(tmp_path / "none.onnx")
    (tmp_path / "none.json").write_text(json.dumps({"layout": layout.as_dict()}))
    with pytest.raises(InputError, match="no such encoder"):
        EncoderSession(tmp_path / "none.onnx")
    (tmp_path / "none.onnx").write_bytes(b"text")
    with pytest.raises(InputError, match="not a readable ONNX encoder"):
        EncoderSession(tmp_path / "none.onnx")
    toy_encoder.with_suffix(".json").write_text("{}")
    with pytest.raises(InputError, match="states no layout"):
        EncoderSession(toy_encoder)
    toy_encoder.with_suffix(".json").write_text(
        json.dumps({"layout": CodeLayout(1, 2, 3).as_dict()})
    )
    with pytest.raises(InputError, match="its card says"):
        EncoderSession(toy_encoder)


def test_only_one_thread_works(toy_encoder):
    options = EncoderSession(toy_encoder)._session.get_session_options()
    assert isinstance(options, onnxruntime.SessionOptions)
    assert options.intra_op_num_threads == 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
