"""Reader of ICT-FaceKit packed as one `.npz` (Li et al., CVPR 2020; MIT licence).

The archive holds `neutral` (V, 3), `quads` (Q, 4; a triangle repeats its last corner),
`identity` (100, V, 3) int8 with `identity_scale`, `expression` (53, V, 3) int16 with
`expression_scale`, `expression_names` and `landmarks68`.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch

from xpress.errors import InputError
from xpress.morphable.face_model import MeshPart
from xpress.morphable.io.gaze import eyeball_rotation_offsets
from xpress.morphable.mesh import boundary_loops, mirror_indices, triangulate
from xpress.morphable.model import LandmarkEmbedding, MorphableModel

# ICT-FaceKit's vertex and quad ranges, in the order in which this package keeps them.
RANGES = {
    "face": ((0, 9409), (0, 9230)),
    "eye_sockets": ((13294, 14062), (13226, 14034)),
    "mouth_socket": ((11248, 13294), (11144, 13226)),
    "gums_tongue": ((14062, 17039), (14034, 17006)),
    "teeth_upper": ((17039, 19247), (17006, 21496)),
    "teeth_lower": ((19247, 21451), (17006, 21496)),
    "eyeball_left": ((21451, 23021), (21496, 24692)),
    "eyeball_right": ((23021, 24591), (21496, 24692)),
}


ARRAYS = (
    *("neutral", "quads", "identity", "identity_scale", "expression", "expression_scale"),
    *("expression_names", "landmarks68"),
)


def read_ict(
    path: str | os.PathLike, identity_modes: int = 60, landmark_vertices: np.ndarray | None = None
) -> MorphableModel:
    """ICT-FaceKit as a `MorphableModel` without colour (grey 0.5, no colour basis).

    The eyeballs, which ICT moves by joints, follow the eyeLook shapes by a linearised rotation.

    Args:
        path: the packed archive.
        identity_modes: how many of the 100 modes to keep, largest first.
        landmark_vertices: (206,) ICT vertex per landmark (68, then contours); None takes the
            archive's 68, without contours.

    Raises:
        InputError: missing, unreadable, or not such an archive.
    """
    data = read_archive(path)
    neutral, quads = data["neutral"].astype(np.float32), data["quads"]
    modes = slice(identity_modes)
    scale = data["identity_scale"].astype(np.float32)
    identity = data["identity"][modes] * scale[modes, None, None]
    expression = data["expression"] * data["expression_scale"][:, None, None]
    names = [str(name) for name in data["expression_names"]]

    renumber = np.full(len(neutral), -1)
    order, parts, triangles = [], {}, []
    first_vertex = first_triangle = 0
    for name, ((start, stop), (quad_start, quad_stop)) in RANGES.items():
        renumber[start:stop] = np.arange(first_vertex, first_vertex + stop - start)
        order.append(np.arange(start, stop))
        block = triangulate(quads[quad_start:quad_stop])
        block = block[((block >= start) & (block < stop)).all(1)]
        triangles.append(renumber[block])
        parts[name] = MeshPart(
            first_vertex, first_vertex + stop - start, first_triangle, first_triangle + len(block)
        )
        first_vertex, first_triangle = parts[name].vertex_stop, parts[name].triangle_stop
    keep = np.concatenate(order)
    mean = neutral[keep]
    basis = expression[:, keep].astype(np.float32)
    for side in ("left", "right"):
        part = parts[f"eyeball_{side}"]
        ball = slice(part.vertex_start, part.vertex_stop)
        basis[:, ball] += eyeball_rotation_offsets(mean[ball], names, side)

    face = parts["face"]
    face_triangles = triangles[0]
    lips, lids = _openings(mean, face_triangles)
    points = data["landmarks68"] if landmark_vertices is None else landmark_vertices
    corners = torch.from_numpy(renumber[points].astype(np.int64))[:, None].expand(-1, 3)
    weights = torch.tensor([1.0, 0.0, 0.0]).expand(len(points), 3)
    count = len(keep)
    return MorphableModel(
        mean=torch.from_numpy(mean),
        identity_basis=torch.from_numpy(identity[:, keep].astype(np.float32)),
        expression_basis=torch.from_numpy(basis),
        mean_color=torch.full((count, 3), 0.5),
        color_basis=torch.zeros(0, count, 3),
        triangles=torch.from_numpy(np.concatenate(triangles).astype(np.int64)),
        parts=parts,
        expression_names=names,
        inner_lip_loop=torch.from_numpy(lips),
        eyelid_loops=torch.from_numpy(lids),
        landmarks=LandmarkEmbedding(corners.contiguous(), weights.contiguous()),
        mirror=torch.from_numpy(mirror_indices(mean[: face.vertex_stop])),
        info={"source": "ICT-FaceKit (MIT)", "identity_modes": identity_modes},
    )


def read_archive(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The arrays of a packed ICT-FaceKit archive.

    Raises:
        InputError: missing, unreadable, or not such an archive.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            data = {name: archive[name] for name in ARRAYS}
        vertices = data["neutral"].shape[0]
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except Exception as error:  # zip, header and pickle errors have no common base
        raise InputError(f"{path}: not a packed ICT-FaceKit archive ({error})") from error
    needed = max(stop for (_, stop), _ in RANGES.values())
    if vertices < needed:
        raise InputError(
            f"{path}: has {vertices} vertices, ICT-FaceKit's first {needed} are needed"
        )
    return data


def _openings(mean: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inner-lip loop and the two eyelid loops (left eye, x > 0, first) of the face part."""
    loops = sorted(boundary_loops(triangles), key=len)
    if len(loops) < 4:
        raise InputError("the face mesh has no openings for eyes and mouth")
    eyes = sorted(loops[:2], key=lambda loop: -mean[loop, 0].mean())
    return loops[2], np.stack(eyes)
