"""Rigs with morph targets, in files that pygltflib and this library wrote."""

from fractions import Fraction

import numpy as np
import pygltflib
import pytest

from xpress.errors import InputError
from xpress.face_models.readers.registry import read_rig
from xpress.morphable.face_model import FaceModel
from xpress.morphable.io.arkit import arkit_name
from xpress.morphable.io.gltf import write_gltf
from xpress.structures import FaceParameters


@pytest.fixture
def avatar(patch, tmp_path):
    """A mesh with two targets, one of them sparse, under a node that turns z up to y up."""

    def write(names=("jawOpen", "eyeBlinkLeft"), name="avatar.glb"):
        vertices = patch.vertices[:, [0, 2, 1]] * [1, -1, 1]  # z up
        vertices = np.concatenate([vertices, vertices[:1]]).astype("<f4")  # a seam
        triangles = patch.triangles.copy()
        triangles[-1][triangles[-1] == 0] = 12
        offset = np.zeros((13, 3), "<f4")
        offset[4] = [0, 0, -2]
        place, moved = np.array([4], "<u2"), np.array([[0, 1, 0]], "<f4")
        blocks = [vertices, triangles.astype("<u2"), offset, place, moved]
        content, views = b"", []
        for block in blocks:
            content += bytes(-len(content) % 4)
            views.append(
                pygltflib.BufferView(buffer=0, byteOffset=len(content), byteLength=block.nbytes)
            )
            content += block.tobytes()
        accessors = [
            pygltflib.Accessor(bufferView=0, componentType=5126, count=13, type="VEC3"),
            pygltflib.Accessor(
                bufferView=1, componentType=5123, count=triangles.size, type="SCALAR"
            ),
            pygltflib.Accessor(bufferView=2, componentType=5126, count=13, type="VEC3"),
            pygltflib.Accessor(
                componentType=5126,
                count=13,
                type="VEC3",
                sparse=pygltflib.Sparse(
                    count=1,
                    indices=pygltflib.AccessorSparseIndices(bufferView=3, componentType=5123),
                    values=pygltflib.AccessorSparseValues(bufferView=4),
                ),
            ),
        ]
        primitive = pygltflib.Primitive(
            attributes=pygltflib.Attributes(POSITION=0),
            indices=1,
            targets=[{"POSITION": 2}, {"POSITION": 3}],
        )
        document = pygltflib.GLTF2(
            nodes=[
                pygltflib.Node(children=[1], rotation=[-(0.5**0.5), 0, 0, 0.5**0.5]),
                pygltflib.Node(mesh=0, scale=[2.0, 2.0, 2.0]),
            ],
            meshes=[pygltflib.Mesh(primitives=[primitive], extras={"targetNames": list(names)})],
            accessors=accessors,
            bufferViews=views,
            buffers=[pygltflib.Buffer(byteLength=len(content))],
        )
        document.set_binary_blob(content)
        if name.endswith(".gltf"):
            document.convert_buffers(pygltflib.BufferFormat.DATAURI)
        path = tmp_path / name
        document.save(str(path))
        return path

    return write


@pytest.mark.parametrize("name", ["avatar.glb", "avatar.gltf"])
def test_nodes_seams_and_sparse_targets(avatar, patch, name):
    rig = read_rig("gltf", avatar(name=name))
    assert len(rig.mean) == 12
    order = [int(np.linalg.norm(rig.mean - 2 * v, axis=1).argmin()) for v in patch.vertices]
    np.testing.assert_allclose(rig.mean[order], 2 * patch.vertices, atol=1e-5)
    assert rig.expression_names == ["jawOpen", "eyeBlinkLeft"]
    np.testing.assert_allclose(rig.expression[:, order[4]], [[0, -4, 0], [0, 0, -2]], atol=1e-5)
    assert not np.delete(rig.expression, order[4], 1).any()
    faces = {tuple(sorted(t)) for t in rig.triangles}
    assert faces == {tuple(sorted(order[v] for v in t)) for t in patch.triangles}


def test_what_this_library_writes_is_read(tmp_path):
    model = FaceModel.default()
    path = tmp_path / "face.glb"
    write_gltf(path, model, FaceParameters.resting(model.sizes, 1), Fraction(25))
    rig = read_rig("gltf", path)
    assert [arkit_name(name) for name in model.expression_names] == rig.expression_names
    jaw = rig.expression_names.index("jawOpen")
    largest = np.linalg.norm(model.expression_basis, axis=2).max(1)
    reach = np.linalg.norm(rig.expression[jaw], axis=1).max()
    assert reach == pytest.approx(0.01 * largest[jaw], rel=1e-3)


def test_a_rig_without_names_is_refused(avatar, tmp_path):
    with pytest.raises(InputError, match="no mesh of it has morph targets"):
        read_rig("gltf", avatar(names=()))
    packed = avatar()
    document = pygltflib.GLTF2().load(str(packed))
    document.extensionsRequired = ["EXT_meshopt_compression"]
    document.save(str(packed))
    with pytest.raises(InputError, match="compressed by EXT_meshopt_compression; export it with"):
        read_rig("gltf", packed)
    broken = tmp_path / "broken.glb"
    broken.write_bytes(b"glTF")
    with pytest.raises(InputError, match=r"broken\.glb: not a glTF"):
        read_rig("gltf", broken)
