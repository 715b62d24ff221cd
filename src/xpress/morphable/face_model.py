"""The linear face model: what numpy's and torch's have in common, numpy's own, and its file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from xpress.arrays import Array, is_array, library, to_numpy
from xpress.errors import InputError
from xpress.morphable.io.quantization import dequantize, quantize
from xpress.whole_files import written_beside

FORMAT = "xpress.morphable/1"
BASES = {"identity_basis": np.int8, "expression_basis": np.int16, "color_basis": np.int8}
"""Bases and the integers that they are stored as."""


@dataclass(frozen=True)
class MeshPart:
    """A contiguous range of the mesh, by vertex and by triangle."""

    vertex_start: int
    vertex_stop: int
    triangle_start: int
    triangle_stop: int


def combine(
    coefficients: Float[Array, "B K"], basis: Float[Array, "K V 3"]
) -> Float[Array, "B V 3"]:
    """Sums of basis vectors."""
    count, vertices, axes = basis.shape
    flat = coefficients @ basis.reshape(count, vertices * axes)
    return flat.reshape(len(coefficients), vertices, axes)


class LinearFaceModel:
    """Vertices = mean + identity·basis + expression·basis; colours = mean + colour·basis.

    Model space has y up and the face looking along +z; the unit is about a centimetre. The
    face's own vertices come first, then the eye sockets, the mouth's interior and the eyeballs
    (see `parts`). Identity and colour coefficients are in standard deviations, expression
    coefficients are activations in [0, 1].

    `FaceModel` holds numpy arrays, `MorphableModel` torch tensors; `numpy` gives the first.
    """

    mean: Float[Array, "V 3"]
    identity_basis: Float[Array, "Ki V 3"]
    expression_basis: Float[Array, "Ke V 3"]
    mean_color: Float[Array, "V 3"]
    color_basis: Float[Array, "Kc V 3"]
    triangles: Int[Array, "F 3"]
    inner_lip_loop: Int[Array, " N"]
    eyelid_loops: Int[Array, "2 M"]
    landmark_corners: Int[Array, "L 3"]
    landmark_weights: Float[Array, "L 3"]
    mirror: Int[Array, " Vf"]
    parts: Mapping[str, MeshPart]
    expression_names: list[str]
    info: Mapping[str, Any]

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Number of identity, expression and colour coefficients."""
        return len(self.identity_basis), len(self.expression_basis), len(self.color_basis)

    def vertices(
        self, identity: Float[Array, "B Ki"], expression: Float[Array, "B Ke"]
    ) -> Float[Array, "B V 3"]:
        """Vertices in model space."""
        return self.neutral(identity) + self.expression_offsets(expression)

    def neutral(self, identity: Float[Array, "B Ki"]) -> Float[Array, "B V 3"]:
        """The expressionless face of an identity: computed once per person."""
        return self.mean + combine(identity, self.identity_basis)

    def expression_offsets(self, expression: Float[Array, "B Ke"]) -> Float[Array, "B V 3"]:
        """What an expression adds to any identity's neutral face."""
        return combine(expression, self.expression_basis)

    def colors(self, color: Float[Array, "B Kc"]) -> Float[Array, "B V 3"]:
        """Albedo of each vertex, not clipped."""
        return self.mean_color + combine(color, self.color_basis)

    def landmark_points(self, vertices: Float[Array, "B V C"]) -> Float[Array, "B L C"]:
        """The 68 landmarks, then the contour points, of model-space or projected vertices."""
        corners = vertices[:, self.landmark_corners]
        return (corners * self.landmark_weights[:, :, None]).sum(2)

    def landmarks68(self, vertices: Float[Array, "B V C"]) -> Float[Array, "B 68 C"]:
        """The iBUG-68 landmarks."""
        return self.landmark_points(vertices)[:, :68]

    def contours(self, vertices: Float[Array, "B V C"]) -> Float[Array, "B 138 C"]:
        """Face oval, brows, eyes, lips and irises in the order of the data packs."""
        return self.landmark_points(vertices)[:, 68:]

    def part_triangles(self, *names: str) -> Int[Array, "F 3"]:
        """Triangles of the named parts, in mesh order."""
        parts = [self.parts[name] for name in names]
        found = [self.triangles[p.triangle_start : p.triangle_stop] for p in parts]
        return library(self.triangles).concatenate(found)

    def numpy(self) -> FaceModel:
        """The same model in numpy; memory is shared with tensors on the CPU."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(FaceModel)}
        arrays = {name: to_numpy(value) for name, value in values.items() if is_array(value)}
        return FaceModel(**(values | arrays))

    def fingerprint(self) -> str:
        """Hash of mean shape and sizes: tells models apart, also after their bases were rounded."""
        mean = np.ascontiguousarray(to_numpy(self.mean), np.float32)
        return hashlib.sha256(mean.tobytes() + repr(self.sizes[:2]).encode()).hexdigest()

    def save(self, path: str | os.PathLike) -> None:
        """Write a safetensors file; bases are stored as scaled integers.

        Raises:
            InputError: the file cannot be written.
        """
        model = self.numpy()
        arrays = {n: a for n, a in vars(model).items() if isinstance(a, np.ndarray)}
        arrays["triangles"] = model.triangles.astype(np.int32)
        arrays["mean_color"] = model.mean_color.astype(np.float16)
        # Only the face has a colour basis; the rest is painted.
        arrays["color_basis"] = model.color_basis[:, : model.parts["face"].vertex_stop]
        for name, dtype in BASES.items():
            arrays[name], arrays[f"{name}_scale"] = quantize(arrays[name], dtype)
        meta = {
            "format": FORMAT,
            "parts": json.dumps({name: asdict(part) for name, part in model.parts.items()}),
            "expression_names": json.dumps(model.expression_names),
            "info": json.dumps(model.info),
        }
        content = save({n: np.ascontiguousarray(a) for n, a in arrays.items()}, meta)
        with written_beside(path) as partial:
            partial.write_bytes(content)


@dataclass(frozen=True, eq=False)
class FaceModel(LinearFaceModel):
    """The face model in numpy, as the frame loop reads it.

    Attributes:
        mean: mean shape.
        identity_basis: offsets of one standard deviation.
        expression_basis: offsets at full activation.
        mean_color: albedo in [0, 1].
        color_basis: albedo offsets of one standard deviation.
        triangles: vertex indices, counter-clockwise seen from outside.
        parts: named ranges of the mesh; "face" starts at zero.
        expression_names: ARKit names with `_L`/`_R` for the sides of the face's owner.
        inner_lip_loop: closed loop where the lips meet the mouth's interior.
        eyelid_loops: the same for the two eye openings, left eye first.
        landmark_corners: vertices between which the 68 landmarks and then the contour points lie.
        landmark_weights: their barycentrics, summing to one.
        mirror: index of each face vertex's mirror image.
        info: what the model was built from (JSON-able).

    Raises:
        ValueError: shapes do not belong together.
    """

    mean: Float32[np.ndarray, "V 3"]
    identity_basis: Float32[np.ndarray, "Ki V 3"]
    expression_basis: Float32[np.ndarray, "Ke V 3"]
    mean_color: Float32[np.ndarray, "V 3"]
    color_basis: Float32[np.ndarray, "Kc V 3"]
    triangles: Int[np.ndarray, "F 3"]
    inner_lip_loop: Int[np.ndarray, " N"]
    eyelid_loops: Int[np.ndarray, "2 M"]
    landmark_corners: Int[np.ndarray, "L 3"]
    landmark_weights: Float32[np.ndarray, "L 3"]
    mirror: Int[np.ndarray, " Vf"]
    parts: Mapping[str, MeshPart]
    expression_names: list[str]
    info: Mapping[str, Any]

    def __post_init__(self) -> None:
        check_sizes(self.expression_names, self.expression_basis, self.triangles, self.mean)

    def numpy(self) -> FaceModel:
        """Itself."""
        return self

    @classmethod
    def load(cls, path: str | os.PathLike) -> FaceModel:
        """Read what `save` wrote.

        Raises:
            InputError: missing, unreadable or of another format.
        """
        path = Path(path)
        try:
            with safe_open(path, framework="np") as archive:
                meta = archive.metadata() or {}
                if meta.get("format") != FORMAT:
                    raise InputError(
                        f"{path}: not an xpress face model; build one with "
                        "`python -m xpress.preparation.build_model`"
                    )
                arrays = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
        except FileNotFoundError as error:
            raise InputError(f"{path}: no such face model") from error
        except (SafetensorError, OSError) as error:
            raise InputError(f"{path}: not a readable safetensors file ({error})") from error
        try:
            return cls._assemble(arrays, meta)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError(
                f"{path}: a damaged face model ({error}); build it again with "
                "`python -m xpress.preparation.build_model`"
            ) from error

    @classmethod
    def _assemble(cls, arrays: dict[str, np.ndarray], meta: Mapping[str, str]) -> FaceModel:
        for name in BASES:
            arrays[name] = dequantize(arrays[name], arrays.pop(f"{name}_scale"))
        arrays["mean_color"] = arrays["mean_color"].astype(np.float32)
        arrays["triangles"] = arrays["triangles"].astype(np.int64)
        colored = arrays["color_basis"]  # of the face alone; the rest takes no memory as long as
        arrays["color_basis"] = np.zeros((len(colored), len(arrays["mean"]), 3), np.float32)
        arrays["color_basis"][:, : colored.shape[1]] = colored  # nobody writes there
        return cls(
            **arrays,
            parts={name: MeshPart(**part) for name, part in json.loads(meta["parts"]).items()},
            expression_names=json.loads(meta["expression_names"]),
            info=json.loads(meta["info"]),
        )

    @classmethod
    def default(cls) -> FaceModel:
        """The model in the package; shared, so treat it as read-only."""
        return _default()


def check_sizes(
    expression_names: Sequence[str], expression_basis: Array, triangles: Array, mean: Array
) -> None:
    """Raise ValueError unless names, basis and mesh belong together."""
    if len(expression_names) != len(expression_basis):
        raise ValueError("one name per expression basis vector is needed")
    if len(triangles) and int(triangles.max()) >= len(mean):
        raise ValueError("triangles refer to vertices that do not exist")


@cache
def _default() -> FaceModel:
    with as_file(files("xpress") / "assets" / "morphable.safetensors") as path:
        return FaceModel.load(path)
