"""Binary glTF, read back by another library and evaluated by hand."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from xpress.morphable.face_model import FaceModel
from xpress.morphable.io.gltf import METRES, write_gltf
from xpress.structures import FaceParameters

pygltflib = pytest.importorskip("pygltflib")
KINDS = {5126: np.float32, 5123: np.uint16, 5125: np.uint32}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


@pytest.fixture(scope="module")
def performance() -> FaceParameters:
    random = np.random.default_rng(3)
    sizes, frames = FaceModel.default().sizes, 5
    return FaceParameters(
        identity=np.tile(random.normal(size=(1, sizes[0])), (frames, 1)).astype(np.float32),
        expression=random.uniform(0, 1, (frames, sizes[1])).astype(np.float32),
        color=np.zeros((frames, sizes[2]), np.float32),
        illumination=np.zeros((frames, 9, 3), np.float32),
        rotation=random.uniform(-1, 1, (frames, 3)).astype(np.float32),
        translation=random.uniform(90, 110, (frames, 2)).astype(np.float32),
        scale=np.full(frames, 8.0, np.float32),
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory, performance: FaceParameters) -> pygltflib.GLTF2:
    path: Path = tmp_path_factory.mktemp("gltf") / "face.glb"
    write_gltf(path, FaceModel.default(), performance, Fraction(25))
    return pygltflib.GLTF2().load(path)


def _view(file: pygltflib.GLTF2, number: int) -> bytes:
    view = file.bufferViews[number]
    return file.binary_blob()[view.byteOffset : view.byteOffset + view.byteLength]


def _array(file: pygltflib.GLTF2, number: int) -> np.ndarray:
    accessor = file.accessors[number]
    width = WIDTHS[accessor.type]
    if accessor.sparse is None:
        flat = np.frombuffer(_view(file, accessor.bufferView), KINDS[accessor.componentType])
        found = flat.reshape(-1, width)
    else:
        sparse = accessor.sparse
        kind = KINDS[sparse.indices.componentType]
        places = np.frombuffer(_view(file, sparse.indices.bufferView), kind)
        assert (np.diff(places.astype(int)) > 0).all()  # the format wants them to grow
        values = np.frombuffer(_view(file, sparse.values.bufferView), np.float32)
        found = np.zeros((accessor.count, width), np.float32)
        found[places] = values.reshape(-1, width)
    assert len(found) == accessor.count
    assert found.min(0).tolist() == accessor.min
    assert found.max(0).tolist() == accessor.max
    return found


@pytest.mark.parametrize("frame", [0, 2, 4])
def test_vertices_of_frames_are_the_models(file, performance: FaceParameters, frame: int):
    primitive = file.meshes[0].primitives[0]
    tracks = {}
    for channel in file.animations[0].channels:
        sampler = file.animations[0].samplers[channel.sampler]
        tracks[channel.target.path] = _array(file, sampler.output)
        assert _array(file, sampler.input)[:, 0] == pytest.approx(np.arange(5) / 25)
    weights = tracks["weights"].reshape(5, -1)[frame]
    shown = _array(file, primitive.attributes.POSITION).astype(float)
    for weight, target in zip(weights, primitive.targets, strict=True):
        shown += weight * _array(file, target["POSITION"])
    shown = Rotation.from_quat(tracks["rotation"][frame]).apply(shown * file.nodes[0].scale)
    shown += tracks["translation"][frame]

    model, now = FaceModel.default(), performance[frame]
    vertices = model.vertices(now.identity, now.expression)[0]
    wanted = Rotation.from_rotvec(now.rotation[0]).apply(vertices)
    move = (now.translation[0] - performance.translation[0]) / now.scale[0]
    wanted[:, :2] += move * [1, -1]
    assert np.abs(shown - wanted * METRES).max() < 2e-6  # metres
    triangles = _array(file, primitive.indices).reshape(-1, 3)
    assert np.array_equal(triangles, model.triangles)


def test_shapes_have_arkits_names_and_the_shorter_way_is_taken(file):
    names = file.meshes[0].extras["targetNames"]
    assert len(names) == len(file.meshes[0].primitives[0].targets) == 53
    assert {"jawOpen", "eyeBlinkLeft", "mouthSmileRight"} <= set(names)
    channel = next(c for c in file.animations[0].channels if c.target.path == "rotation")
    turns = _array(file, file.animations[0].samplers[channel.sampler].output)
    assert ((turns[1:] * turns[:-1]).sum(1) >= 0).all()


def test_the_texture_has_the_colours_of_the_vertices(file, performance: FaceParameters):
    content = _view(file, file.images[0].bufferView)
    picture = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")) / 255
    uv = _array(file, file.meshes[0].primitives[0].attributes.TEXCOORD_0)
    model = FaceModel.default()
    colors = model.colors(performance.color[:1])[0].clip(0, 1)
    at = np.rint(uv * len(picture) - 0.5).astype(int).clip(0, len(picture) - 1)
    front = np.arange(6706)  # the narrow face; rims of lids, lips and nostrils fold behind it
    seen = picture[at[front, 1], at[front, 0]]
    error = np.abs(seen - colors[front]).max(1)
    assert np.median(error) < 0.01
    assert np.quantile(error, 0.8) < 0.02


def test_a_photograph_is_a_pose_without_an_animation(tmp_path: Path, performance: FaceParameters):
    write_gltf(tmp_path / "still.glb", FaceModel.default(), performance[2], Fraction(25))
    still = pygltflib.GLTF2().load(tmp_path / "still.glb")
    assert not still.animations
    assert still.meshes[0].weights == pytest.approx(performance.expression[2].tolist())
    normals = _array(still, still.meshes[0].primitives[0].attributes.NORMAL)
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1, abs=1e-5)
