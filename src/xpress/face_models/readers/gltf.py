"""Rigs with morph targets as glTF 2.0 (`.glb`, `.gltf`).

Khronos Group, "glTF 2.0 Specification", 2021: y up, an asset's front faces +z. Names of targets
stand in `mesh.extras.targetNames`, as Blender, Maya's exporters and the avatar services write
them.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from xpress.errors import InputError
from xpress.face_models.readers.face_rig import FaceRig
from xpress.face_models.readers.files import reading

if TYPE_CHECKING:
    import pygltflib

NEEDED = "a .glb or .gltf whose head has morph targets with names (mesh.extras.targetNames)"
_DTYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
_TRIANGLES = 4
_COMPRESSED = {
    "KHR_draco_mesh_compression",
    "EXT_meshopt_compression",
    "KHR_meshopt_compression",
}


def read_gltf(path: Path) -> FaceRig:
    """The mesh with the most vertices among those with named morph targets.

    Vertices that a seam of the texture has split are one again. The unit does not matter: the
    size is found when the rig is registered.

    Raises:
        InputError: missing, no glTF, or no mesh with morph targets.
    """
    with reading(path, "a glTF with morph targets", NEEDED):
        import pygltflib

        document = pygltflib.GLTF2().load(str(path))
        if document is None:
            raise InputError(f"{path}: not a glTF; needed is {NEEDED}")
        packed = _COMPRESSED & set(document.extensionsRequired or [])
        if packed:
            raise InputError(
                f"{path}: compressed by {', '.join(sorted(packed))}; export it without, or unpack "
                "it with gltf-transform"
            )
        meshes = [i for i, mesh in enumerate(document.meshes) if _target_names(mesh)]
        if not meshes:
            raise InputError(f"{path}: no mesh of it has morph targets; needed is {NEEDED}")
        reader = _Accessors(document, path)
        found = [_mesh(reader, document.meshes[i]) for i in meshes]
        best = max(range(len(meshes)), key=lambda i: len(found[i][0]))
        vertices, triangles, offsets = _welded(*found[best])
        turn = _placed(document, meshes[best])
        names = _target_names(document.meshes[meshes[best]])
        none = np.zeros((0, len(vertices), 3), np.float32)
        return FaceRig(
            mean=vertices @ turn.T,
            triangles=triangles,
            identity=none,
            expression=offsets @ turn.T,
            expression_names=names,
            expression_bounds=np.tile([0.0, 1.0], (len(names), 1)),
            neutral=np.zeros(len(names)),
            source=path.stem,
        )


def _target_names(mesh: pygltflib.Mesh) -> list[str]:
    targets = mesh.primitives[0].targets or []
    names = (mesh.extras or {}).get("targetNames", [])
    return [str(name) for name in names] if len(names) == len(targets) else []


class _Accessors:
    """Arrays of a glTF, whether they lie in the file, beside it or in its text."""

    def __init__(self, document: pygltflib.GLTF2, path: Path) -> None:
        self._document, self._path = document, path

    def __call__(self, number: int) -> np.ndarray:
        accessor = self._document.accessors[number]
        width = _WIDTHS[accessor.type]
        values = np.zeros((accessor.count, width), _DTYPES[accessor.componentType])
        if accessor.bufferView is not None:
            values = self._view(
                accessor.bufferView,
                accessor.byteOffset or 0,
                values.dtype,
                accessor.count,
                width,
            ).copy()
        if accessor.sparse is not None:
            sparse: Any = accessor.sparse
            kind = np.dtype(_DTYPES[sparse.indices.componentType])
            places = self._view(
                sparse.indices.bufferView, sparse.indices.byteOffset or 0, kind, sparse.count, 1
            )
            values[places.ravel()] = self._view(
                sparse.values.bufferView,
                sparse.values.byteOffset or 0,
                values.dtype,
                sparse.count,
                width,
            )
        if accessor.normalized:
            return values / np.float32(np.iinfo(values.dtype).max)
        return values

    def _view(
        self, number: int, offset: int, dtype: np.dtype, count: int, width: int
    ) -> np.ndarray:
        view = self._document.bufferViews[number]
        content = self._buffer(view.buffer)
        start = (view.byteOffset or 0) + offset
        row = dtype.itemsize * width
        stride = view.byteStride or row
        needed = (count - 1) * stride + row if count else 0
        block = np.frombuffer(content, np.uint8, needed, start)
        rows = np.lib.stride_tricks.as_strided(block, (count, row), (stride, 1), writeable=False)
        return np.ascontiguousarray(rows).view(dtype)

    def _buffer(self, number: int) -> bytes:
        uri = self._document.buffers[number].uri
        if uri is None:
            return self._document.binary_blob()
        if uri.startswith("data:"):
            return base64.b64decode(uri.partition(",")[2])
        beside = (self._path.parent / uri).resolve()
        if not beside.is_relative_to(self._path.parent.resolve()) or not beside.is_file():
            raise InputError(f"{self._path}: its buffer {uri} does not lie beside it")
        return beside.read_bytes()


def _mesh(
    reader: _Accessors, mesh: pygltflib.Mesh
) -> tuple[Float[np.ndarray, "V 3"], Int[np.ndarray, "F 3"], Float[np.ndarray, "K V 3"]]:
    """Vertices, triangles and offsets of all primitives together."""
    vertices, triangles, offsets, first = [], [], [], 0
    for primitive in mesh.primitives:
        if primitive.mode not in (None, _TRIANGLES):
            continue
        points = reader(primitive.attributes.POSITION).astype(np.float32)
        corners = np.arange(len(points)) if primitive.indices is None else reader(primitive.indices)
        triangles.append(first + corners.astype(np.int64).reshape(-1, 3))
        targets = primitive.targets or []
        offsets.append(np.stack([_offset(reader, target, len(points)) for target in targets]))
        vertices.append(points)
        first += len(points)
    return np.concatenate(vertices), np.concatenate(triangles), np.concatenate(offsets, 1)


def _offset(reader: _Accessors, target: Any, count: int) -> np.ndarray:
    number = target["POSITION"] if isinstance(target, dict) else target.POSITION
    if number is None:
        return np.zeros((count, 3), np.float32)
    return reader(number).astype(np.float32)


def _welded(vertices, triangles, offsets):
    size = float(np.ptp(vertices, 0).max())
    _, kept, merged = np.unique(
        np.rint(vertices / (size * 1e-6)), axis=0, return_index=True, return_inverse=True
    )
    corners = merged.ravel()[triangles]
    whole = (corners != np.roll(corners, 1, axis=1)).all(1)
    return vertices[kept], corners[whole], offsets[:, kept]


def _placed(document: pygltflib.GLTF2, mesh: int) -> Float[np.ndarray, "3 3"]:
    """Rotation and size that the nodes above a mesh give it."""
    above = {child: i for i, node in enumerate(document.nodes) for child in node.children or []}
    number = next((i for i, node in enumerate(document.nodes) if node.mesh == mesh), None)
    turn = np.eye(3)
    while number is not None:
        node = document.nodes[number]
        if node.matrix is not None:
            own = np.array(node.matrix).reshape(4, 4).T[:3, :3]
        else:
            rotation = node.rotation if node.rotation is not None else [0.0, 0.0, 0.0, 1.0]
            own = Rotation.from_quat(rotation).as_matrix()
            own = own * np.array(node.scale if node.scale is not None else [1.0, 1.0, 1.0])
        turn = own @ turn
        number = above.get(number)
    return turn.astype(np.float32)
