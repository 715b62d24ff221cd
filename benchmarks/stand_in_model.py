"""The default model as a file of another: BFM 2017's HDF5 on a mesh and in bases of its own.

    python benchmarks/stand_in_model.py stand_in.h5

The Basel models cannot be had without signing for them, so this is what the readers and the
registration are tried with from end to end. The mesh is a root-three subdivision of the face
without its back (three vertices for one, none of the old edges is left), smoothed, with skin over
the eyes as Basel's has; it is turned, moved and written in millimetres. Identity, expression and
colour are principal components of random faces, so no coefficient means what it did before.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import h5py
import numpy as np
from scipy.sparse import csr_array, diags_array, eye_array, vstack
from scipy.spatial.transform import Rotation

from xpress.face_models.readers.bfm_hdf5 import LANDMARKS
from xpress.morphable.face_model import FaceModel
from xpress.morphable.mesh import boundary_loops

MILLIMETRES = 10.0
BACK = 0.5
"""Centimetres of depth behind which the mesh is cut off."""
TURN, SHIFT = [0.04, -0.06, 0.03], [3.0, -12.0, 25.0]
SAMPLES = 600
COMPONENTS = {"shape": 60, "expression": 52, "color": 40}


def other_mesh(model: FaceModel) -> tuple[csr_array, np.ndarray]:
    """Vertices of a new mesh as (N, V) weights of the model's, and its triangles."""
    part = model.parts["face"]
    mean = model.mean[: part.vertex_stop]
    triangles = model.triangles[: part.triangle_stop]
    triangles = triangles[(mean[triangles][:, :, 2] > BACK).all(1)]
    used, triangles = np.unique(triangles, return_inverse=True)
    triangles = triangles.reshape(-1, 3)
    weights = eye_array(part.vertex_stop, format="csr")[used]
    loops = sorted(boundary_loops(triangles), key=len)
    for loop in loops[:2]:  # the eyes
        middle = csr_array(weights[loop].mean(0)[None])
        triangles = np.vstack(
            [
                triangles,
                np.stack([np.roll(loop, -1), loop, np.full(len(loop), weights.shape[0])], 1),
            ]
        )
        weights = vstack([weights, middle], "csr")
    return _root_three(weights, triangles)


def _root_three(weights: csr_array, triangles: np.ndarray) -> tuple[csr_array, np.ndarray]:
    """Kobbelt, "√3-Subdivision", SIGGRAPH 2000: centres are joined across every old edge."""
    count = weights.shape[0]
    rows = np.repeat(np.arange(len(triangles)), 3)
    corners = csr_array((np.ones(rows.size), (rows, triangles.ravel())), (len(triangles), count))
    centres = corners @ weights / 3
    sides = {
        (a, b): i for i, t in enumerate(triangles) for a, b in zip(t, np.roll(t, -1), strict=True)
    }
    found = []
    for (a, b), here in sides.items():
        there = sides.get((b, a))
        found.append([a, b, count + here] if there is None else [a, count + there, count + here])
    around = diags_array(1 / np.maximum(corners.sum(0), 1)) @ (corners.T @ centres)
    share = np.full(count, 0.4)
    for loop in boundary_loops(triangles):
        share[loop] = 0
    smoothed = diags_array(1 - share) @ weights + diags_array(share) @ around
    return vstack([smoothed, centres], "csr"), np.array(found)


def components(
    drawn: np.ndarray, basis: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Principal components of `drawn` (N, K) @ `basis` (K, 3V).

    Returns:
        Mean (3V,), unit vectors (3V, count) and variances (count,).
    """
    axes, lengths = np.linalg.qr(basis.T)
    mean = drawn.mean(0)
    _, singular, turned = np.linalg.svd((drawn - mean) @ lengths.T, full_matrices=False)
    return mean @ basis, axes @ turned[:count].T, singular[:count] ** 2 / len(drawn)


def write_stand_in(path: Path, seed: int = 0) -> None:
    """Write the file."""
    rng = np.random.default_rng(seed)
    model = FaceModel.default()
    weights, triangles = other_mesh(model)
    turn = Rotation.from_rotvec(TURN).as_matrix()
    stop = model.parts["face"].vertex_stop

    def carried(basis: np.ndarray) -> np.ndarray:
        return np.stack([weights @ b for b in basis[:, :stop]])

    mean = MILLIMETRES * (weights @ model.mean[:stop] + SHIFT) @ turn.T
    identity = MILLIMETRES * carried(model.identity_basis) @ turn.T
    expression = MILLIMETRES * carried(model.expression_basis) @ turn.T
    shapes = rng.normal(size=(SAMPLES, len(identity)))
    acted = rng.uniform(size=(SAMPLES, len(expression))) * (
        rng.uniform(size=(SAMPLES, len(expression))) < 0.15
    )
    painted = rng.normal(size=(SAMPLES, len(model.color_basis)))
    marks = model.landmarks68(model.mean[None])[0]
    places = MILLIMETRES * (marks + SHIFT) @ turn.T
    kinds = {
        "shape": (mean, shapes, identity),
        "expression": (0 * mean, acted, expression),
        "color": (
            weights @ model.mean_color[:stop].astype(np.float32),
            painted,
            carried(model.color_basis),
        ),
    }
    with h5py.File(path, "w") as file:
        for name, (start, drawn, own) in kinds.items():
            flat = own.reshape(len(own), -1)
            offset, basis, variance = components(drawn, flat, COMPONENTS[name])
            offset = offset if name == "expression" else 0 * offset
            file[f"{name}/model/mean"] = (start.ravel() + offset).astype(np.float32)
            file[f"{name}/model/pcaBasis"] = basis.astype(np.float32)
            file[f"{name}/model/pcaVariance"] = variance.astype(np.float32)
            file[f"{name}/model/noiseVariance"] = np.zeros(1, np.float32)
            file[f"{name}/representer/cells"] = triangles.T.astype(np.int32)
            file[f"{name}/representer/points"] = mean.T.astype(np.float32)
        told = {name: places[i].tolist() for name, i in LANDMARKS.items()}
        file["metadata/landmarks/json"] = json.dumps(told)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path)
    write_stand_in(parser.parse_args().output)
