"""Animated faces as binary glTF 2.0 (`.glb`), which Blender, three.js and game engines open.

The face's shape is the mesh, its expression basis are morph targets of ARKit's names, and one
animation holds their weights, the head's rotation and its translation. Khronos Group, "glTF 2.0
Specification", 2021.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Sequence
from fractions import Fraction

import cv2
import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from xpress.morphable.face_model import FaceModel
from xpress.morphable.io.arkit import arkit_name
from xpress.morphable.io.texture_atlas import atlas_coordinates, bake_atlas
from xpress.structures import FaceParameters
from xpress.whole_files import written_beside

METRES = 0.01
"""Of a unit of model space."""
_STILL = 1e-6
"""Offset, in units of model space, below which a vertex counts as not moved by a shape."""
_FLOAT, _UINT16, _UINT32 = 5126, 5123, 5125
_VERTICES, _TRIANGLES = 34962, 34963
_JSON, _BINARY = 0x4E4F534A, 0x004E4942


def write_gltf(
    path: str | os.PathLike, model: FaceModel, parameters: FaceParameters, fps: Fraction
) -> None:
    """Write a face and its motion; a single frame is written as its pose.

    Args:
        path: the file, `.glb`.
        model: the face model.
        parameters: numpy arrays, one row a frame; shape and colour are the frames' mean.
        fps: frames per second.

    Raises:
        InputError: the file cannot be written.
    """
    file = _Glb()
    mesh = _mesh(file, model, parameters, [arkit_name(name) for name in model.expression_names])
    node: dict = {"name": "head", "mesh": 0, "scale": [METRES] * 3}
    turns = Rotation.from_rotvec(parameters.rotation).as_quat()
    turns *= _shorter_way(turns)[:, None]
    moves = _translations(parameters)
    document: dict = {
        "asset": {"version": "2.0", "generator": "xpress"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [node],
        "meshes": [mesh],
        "materials": [_material(file, model, parameters)],
        "textures": [{"source": 0, "sampler": 0}],
        "samplers": [{"wrapS": 33071, "wrapT": 33071}],
        "images": [{"bufferView": file.textures[0], "mimeType": "image/png"}],
    }
    node["rotation"], node["translation"] = turns[0].tolist(), moves[0].tolist()
    mesh["weights"] = parameters.expression[0].astype(float).tolist()
    if len(parameters) > 1:
        tracks = {"weights": parameters.expression, "rotation": turns, "translation": moves}
        document["animations"] = [_animation(file, tracks, fps)]
    with written_beside(path) as partial:
        partial.write_bytes(file.close(document))


class _Glb:
    """The binary part of a file, with the views and accessors into it."""

    def __init__(self) -> None:
        self.views: list[dict] = []
        self.accessors: list[dict] = []
        self.textures: list[int] = []
        self._data = bytearray()

    def view(self, content: bytes, target: int | None = None) -> int:
        """Number of the view that holds the bytes."""
        self._data += b"\0" * (-len(self._data) % 4)
        place = {"buffer": 0, "byteOffset": len(self._data), "byteLength": len(content)}
        self.views.append(place | ({} if target is None else {"target": target}))
        self._data += content
        return len(self.views) - 1

    def array(self, array: np.ndarray, kind: str, target: int | None = None) -> int:
        """Number of the accessor of an array of float32 or uint32; bounds are always given."""
        types = {np.dtype(np.float32): _FLOAT, np.dtype(np.uint32): _UINT32}
        rows = array.reshape(len(array), -1)
        return self._accessor(
            len(array),
            kind,
            types[array.dtype],
            rows,
            bufferView=self.view(np.ascontiguousarray(array).tobytes(), target),
        )

    def sparse(self, offsets: Float[np.ndarray, "V 3"]) -> int:
        """Accessor of offsets that are zero nearly everywhere; only the others are stored."""
        moved = np.flatnonzero((np.abs(offsets) > _STILL).any(1))
        moved = moved if len(moved) else np.array([0])  # the format wants at least one
        wide = len(offsets) > np.iinfo(np.uint16).max
        indices = moved.astype(np.uint32 if wide else np.uint16)
        values = offsets[moved].astype(np.float32)
        kept = np.zeros((1, 3), np.float32)  # what the vertices left out have
        return self._accessor(
            len(offsets),
            "VEC3",
            _FLOAT,
            np.vstack([values, kept]) if len(moved) < len(offsets) else values,
            sparse={
                "count": len(moved),
                "indices": {
                    "bufferView": self.view(indices.tobytes()),
                    "componentType": _UINT32 if wide else _UINT16,
                },
                "values": {"bufferView": self.view(values.tobytes())},
            },
        )

    def _accessor(self, count: int, kind: str, component: int, rows: np.ndarray, **place) -> int:
        bounds = {"min": rows.min(0).tolist(), "max": rows.max(0).tolist()}
        self.accessors.append(
            {"componentType": component, "count": count, "type": kind} | bounds | place
        )
        return len(self.accessors) - 1

    def close(self, document: dict) -> bytes:
        """The whole file."""
        binary = bytes(self._data) + b"\0" * (-len(self._data) % 4)
        document |= {
            "buffers": [{"byteLength": len(self._data)}],
            "bufferViews": self.views,
            "accessors": self.accessors,
        }
        text = json.dumps(document, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        chunks = b"".join(
            struct.pack("<II", len(part), kind) + part
            for part, kind in ((text, _JSON), (binary, _BINARY))
        )
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _mesh(file: _Glb, model: FaceModel, parameters: FaceParameters, names: Sequence[str]) -> dict:
    neutral = model.neutral(parameters.identity.mean(0, keepdims=True))[0].astype(np.float32)
    uv = atlas_coordinates(model) * [1, -1] + [0, 1]  # glTF's origin is the upper left
    primitive = {
        "attributes": {
            "POSITION": file.array(neutral, "VEC3", _VERTICES),
            "NORMAL": file.array(_normals(neutral, model.triangles), "VEC3", _VERTICES),
            "TEXCOORD_0": file.array(uv.astype(np.float32), "VEC2", _VERTICES),
        },
        "indices": file.array(model.triangles.astype(np.uint32).reshape(-1), "SCALAR", _TRIANGLES),
        "targets": [{"POSITION": file.sparse(offsets)} for offsets in model.expression_basis],
        "material": 0,
    }
    return {"name": "face", "primitives": [primitive], "extras": {"targetNames": list(names)}}


def _material(file: _Glb, model: FaceModel, parameters: FaceParameters) -> dict:
    albedo = model.colors(parameters.color.mean(0, keepdims=True))[0].clip(0, 1)
    picture = bake_atlas(model, albedo)
    _, png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    file.textures.append(file.view(png.tobytes()))
    surface = {"baseColorTexture": {"index": 0}, "metallicFactor": 0.0, "roughnessFactor": 0.7}
    return {"name": "skin", "doubleSided": True, "pbrMetallicRoughness": surface}


def _animation(file: _Glb, tracks: dict[str, np.ndarray], fps: Fraction) -> dict:
    kinds = {"weights": "SCALAR", "rotation": "VEC4", "translation": "VEC3"}
    count = len(tracks["weights"])
    times = file.array((np.arange(count) / float(fps)).astype(np.float32), "SCALAR")
    samplers: list[dict] = []
    channels: list[dict] = []
    for name, track in tracks.items():
        values = track.astype(np.float32)
        values = values.reshape(-1) if name == "weights" else values
        output = file.array(values, kinds[name])
        channels.append({"sampler": len(samplers), "target": {"node": 0, "path": name}})
        samplers.append({"input": times, "output": output, "interpolation": "LINEAR"})
    return {"name": "performance", "samplers": samplers, "channels": channels}


def _translations(parameters: FaceParameters) -> Float[np.ndarray, "T 3"]:
    """Metres from where the head is in the first frame; depth is not known."""
    size = float(np.median(parameters.scale)) / METRES
    shifts = (parameters.translation - parameters.translation[:1]) / size * [1, -1]
    return np.pad(shifts, ((0, 0), (0, 1)))


def _shorter_way(turns: Float[np.ndarray, "T 4"]) -> Float[np.ndarray, " T"]:
    """Signs (1 or -1) after which each quaternion lies on its predecessor's side."""
    agree = (turns[1:] * turns[:-1]).sum(1) >= 0
    return np.cumprod(np.r_[1.0, np.where(agree, 1.0, -1.0)])


def _normals(
    vertices: Float[np.ndarray, "V 3"], triangles: Int[np.ndarray, "F 3"]
) -> Float[np.ndarray, "V 3"]:
    """Unit normals weighted by areas; upwards where a vertex has no triangle with an area."""
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    across = np.cross(b - a, c - a)
    total = np.zeros_like(vertices, dtype=np.float64)
    for corner in triangles.T:
        np.add.at(total, corner, across)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    unit = np.where(length > 0, total / np.maximum(length, 1e-12), [0.0, 1.0, 0.0])
    return unit.astype(np.float32)
