"""The linear 3D morphable model: identity, expression and colour bases over one mesh."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from xpress.errors import InputError
from xpress.media.files import written_beside
from xpress.morphable.quantization import dequantize, quantize

FORMAT = "xpress.morphable/1"
BASES = ("identity_basis", "expression_basis", "color_basis")


@dataclass(frozen=True)
class Part:
    """A contiguous range of the mesh, by vertex and by triangle."""

    vertex_start: int
    vertex_stop: int
    triangle_start: int
    triangle_stop: int


@dataclass(frozen=True)
class LandmarkEmbedding:
    """Points on the mesh as weighted corners of a triangle.

    Attributes:
        corners: vertex indices.
        weights: barycentrics, summing to one.
    """

    corners: Int[Tensor, "L 3"]
    weights: Float[Tensor, "L 3"]


class MorphableModel(nn.Module):
    """Vertices = mean + identity·basis + expression·basis; colours = mean + colour·basis.

    Model space has y up and the face looking along +z; the unit is about a centimetre. The
    face's own vertices come first, then the eye sockets, the mouth's interior and the eyeballs
    (see `parts`). Identity and colour coefficients are in standard deviations, expression
    coefficients are activations in [0, 1].

    Args:
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
        landmarks: embedding of the 68 landmarks followed by the contour points.
        mirror: index of each face vertex's mirror image.
        info: what the model was built from (JSON-able).

    Raises:
        ValueError: shapes do not belong together.
    """

    def __init__(
        self,
        mean: Float[Tensor, "V 3"],
        identity_basis: Float[Tensor, "Ki V 3"],
        expression_basis: Float[Tensor, "Ke V 3"],
        mean_color: Float[Tensor, "V 3"],
        color_basis: Float[Tensor, "Kc V 3"],
        triangles: Int[Tensor, "F 3"],
        parts: Mapping[str, Part],
        expression_names: Sequence[str],
        inner_lip_loop: Int[Tensor, " N"],
        eyelid_loops: Int[Tensor, "2 M"],
        landmarks: LandmarkEmbedding,
        mirror: Int[Tensor, " Vf"],
        info: Mapping | None = None,
    ) -> None:
        super().__init__()
        if len(expression_names) != expression_basis.shape[0]:
            raise ValueError("one name per expression basis vector is needed")
        if triangles.numel() and int(triangles.max()) >= mean.shape[0]:
            raise ValueError("triangles refer to vertices that do not exist")
        tensors = {
            "mean": mean,
            "identity_basis": identity_basis,
            "expression_basis": expression_basis,
            "mean_color": mean_color,
            "color_basis": color_basis,
            "triangles": triangles.long(),
            "inner_lip_loop": inner_lip_loop.long(),
            "eyelid_loops": eyelid_loops.long(),
            "landmark_corners": landmarks.corners.long(),
            "landmark_weights": landmarks.weights,
            "mirror": mirror.long(),
        }
        for name, tensor in tensors.items():
            # The model is an asset of its own: checkpoints of networks do not repeat it.
            self.register_buffer(name, tensor.contiguous(), persistent=False)
        self.parts = dict(parts)
        self.expression_names = list(expression_names)
        self.info = dict(info or {})

    mean: Tensor
    identity_basis: Tensor
    expression_basis: Tensor
    mean_color: Tensor
    color_basis: Tensor
    triangles: Tensor
    inner_lip_loop: Tensor
    eyelid_loops: Tensor
    landmark_corners: Tensor
    landmark_weights: Tensor
    mirror: Tensor

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Number of identity, expression and colour coefficients."""
        return tuple(getattr(self, name).shape[0] for name in BASES)  # type: ignore[return-value]

    def vertices(
        self, identity: Float[Tensor, "B Ki"], expression: Float[Tensor, "B Ke"]
    ) -> Float[Tensor, "B V 3"]:
        """Vertices in model space."""
        return self.neutral(identity) + self.expression_offsets(expression)

    def neutral(self, identity: Float[Tensor, "B Ki"]) -> Float[Tensor, "B V 3"]:
        """The expressionless face of an identity: computed once per person."""
        return self.mean + torch.tensordot(identity, self.identity_basis, dims=1)

    def expression_offsets(self, expression: Float[Tensor, "B Ke"]) -> Float[Tensor, "B V 3"]:
        """What an expression adds to any identity's neutral face."""
        return torch.tensordot(expression, self.expression_basis, dims=1)

    def colors(self, color: Float[Tensor, "B Kc"]) -> Float[Tensor, "B V 3"]:
        """Albedo of each vertex, not clipped."""
        return self.mean_color + torch.tensordot(color, self.color_basis, dims=1)

    def landmark_points(self, vertices: Float[Tensor, "B V C"]) -> Float[Tensor, "B L C"]:
        """The 68 landmarks, then the contour points, of model-space or projected vertices."""
        corners = vertices[:, self.landmark_corners]
        return (corners * self.landmark_weights[:, :, None]).sum(2)

    def landmarks68(self, vertices: Float[Tensor, "B V C"]) -> Float[Tensor, "B 68 C"]:
        """The iBUG-68 landmarks."""
        return self.landmark_points(vertices)[:, :68]

    def contours(self, vertices: Float[Tensor, "B V C"]) -> Float[Tensor, "B 138 C"]:
        """Face oval, brows, eyes, lips and irises in the order of the data packs."""
        return self.landmark_points(vertices)[:, 68:]

    def part_triangles(self, *names: str) -> Int[Tensor, "F 3"]:
        """Triangles of the named parts, in mesh order."""
        parts = [self.parts[name] for name in names]
        return torch.cat([self.triangles[p.triangle_start : p.triangle_stop] for p in parts])

    def save(self, path: str | os.PathLike) -> None:
        """Write a safetensors file; bases are stored as scaled integers.

        Raises:
            InputError: the file cannot be written.
        """
        tensors = {k: v for k, v in self.named_buffers(recurse=False) if k not in BASES}
        tensors["triangles"] = self.triangles.int()
        tensors["mean_color"] = self.mean_color.half()
        stored = {name: getattr(self, name) for name in BASES}
        # Only the face has a colour basis; the rest is painted.
        stored["color_basis"] = self.color_basis[:, : self.parts["face"].vertex_stop]
        for name, dtype in zip(BASES, (torch.int8, torch.int16, torch.int8), strict=True):
            tensors[name], tensors[f"{name}_scale"] = quantize(stored[name], dtype)
        meta = {
            "format": FORMAT,
            "parts": json.dumps({name: asdict(part) for name, part in self.parts.items()}),
            "expression_names": json.dumps(self.expression_names),
            "info": json.dumps(self.info),
        }
        with written_beside(path) as partial:
            partial.write_bytes(save({k: v.contiguous() for k, v in tensors.items()}, meta))

    @classmethod
    def load(cls, path: str | os.PathLike) -> MorphableModel:
        """Read what `save` wrote.

        Raises:
            InputError: missing, unreadable or of another format.
        """
        path = Path(path)
        try:
            with safe_open(path, framework="pt") as archive:
                meta = archive.metadata() or {}
                if meta.get("format") != FORMAT:
                    raise InputError(
                        f"{path}: not an xpress face model; build one with "
                        "`python -m xpress.preparation.build_model`"
                    )
                tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
        except FileNotFoundError as error:
            raise InputError(f"{path}: no such face model") from error
        except (SafetensorError, OSError) as error:
            raise InputError(f"{path}: not a readable safetensors file ({error})") from error
        try:
            return cls._assemble(tensors, meta)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise InputError(
                f"{path}: a damaged face model ({error}); build it again with "
                "`python -m xpress.preparation.build_model`"
            ) from error

    @classmethod
    def _assemble(cls, tensors: dict[str, Tensor], meta: Mapping[str, str]) -> MorphableModel:
        for name in BASES:
            tensors[name] = dequantize(tensors[name], tensors.pop(f"{name}_scale"))
        tensors["mean_color"] = tensors["mean_color"].float()
        inner = len(tensors["mean"]) - tensors["color_basis"].shape[1]
        tensors["color_basis"] = nn.functional.pad(tensors["color_basis"], (0, 0, 0, inner))
        embedding = LandmarkEmbedding(
            tensors.pop("landmark_corners"), tensors.pop("landmark_weights")
        )
        return cls(
            **tensors,
            landmarks=embedding,
            parts={name: Part(**part) for name, part in json.loads(meta["parts"]).items()},
            expression_names=json.loads(meta["expression_names"]),
            info=json.loads(meta["info"]),
        )

    @classmethod
    def default(cls) -> MorphableModel:
        """The model in the package; shared, so treat it as read-only."""
        return _default()


@cache
def _default() -> MorphableModel:
    with as_file(files("xpress") / "assets" / "morphable.safetensors") as path:
        return MorphableModel.load(path)
