"""Move landmarks on the mesh to where labelled pictures say that they are."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from xpress.morphable.fitting import Fit
from xpress.morphable.mesh import rings
from xpress.morphable.model import LandmarkEmbedding, MorphableModel
from xpress.rendering.camera import rotation_matrix


def landmark_offsets(fit: Fit, prior: float = 0.15) -> Float[Tensor, "L 3"]:
    """Model-space offset of each landmark that explains the fits' mean residual best.

    Solves `residual = s · flip(R δ)_xy` over all pictures by least squares; heads turned both
    ways see the depth of δ.

    Args:
        fit: fits with residuals.
        prior: standard deviation of δ in model units; what no picture shows stays at zero.
    """
    camera = rotation_matrix(fit.rotation)[:, :2] * torch.tensor([[1.0], [-1.0]])
    size = fit.residual.square().sum(-1).mean(1).sqrt().clamp_min(1e-3)
    weight = (fit.scale / size).square()
    gram = torch.einsum("n,nij,nik->jk", weight, camera, camera)
    right = torch.einsum("n,nij,nli->lj", weight, camera, fit.residual / fit.scale[:, None, None])
    ridge = torch.eye(3) * (weight.mean() / prior**2)
    return torch.linalg.solve(gram + ridge, right.T).T


def move_embedding(
    model: MorphableModel, offsets: Float[Tensor, "L 3"], reach: int = 6
) -> LandmarkEmbedding:
    """The nearest surface points to the moved landmarks of the mean face.

    Args:
        model: the model with its present embedding.
        offsets: wanted movement of each landmark in model space.
        reach: edges that a landmark may wander; keeps upper-lip points on the upper lip.
    """
    mean = model.mean.numpy()
    triangles = model.triangles.numpy()
    present = model.landmark_points(model.mean[None])[0].numpy()
    corners, weights = [], []
    for index, offset in enumerate(offsets.numpy()):
        start = int(model.landmark_corners[index, model.landmark_weights[index].argmax()])
        part = next(p for p in model.parts.values() if p.vertex_start <= start < p.vertex_stop)
        block = triangles[part.triangle_start : part.triangle_stop]
        # Distance first: walking rings over the whole part would cost minutes.
        near = np.linalg.norm(mean[block].mean(1) - mean[start], axis=1) < 2.5
        local = block[near]
        inside = np.isin(local, list(rings(local, start, reach))).all(1)
        local = local[inside]
        target = present[index] + offset
        bary = closest_barycentrics(mean[local], target)
        distance = np.linalg.norm((mean[local] * bary[:, :, None]).sum(1) - target, axis=1)
        best = int(distance.argmin())
        corners.append(local[best])
        weights.append(bary[best])
    return LandmarkEmbedding(
        torch.from_numpy(np.stack(corners)).long(), torch.from_numpy(np.stack(weights)).float()
    )


def closest_barycentrics(triangles: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Barycentrics (F, 3) of the point of each triangle (F, 3, 3) nearest to `point` (3,).

    The plane's barycentrics where they are inside, else the best point of the three edges.
    """
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    candidates = []
    for first, second, order in ((a, b, (0, 1)), (b, c, (1, 2)), (c, a, (2, 0))):
        edge = second - first
        t = ((point - first) * edge).sum(1) / np.maximum((edge**2).sum(1), 1e-20)
        t = t.clip(0, 1)
        bary = np.zeros((len(triangles), 3))
        bary[:, order[0]], bary[:, order[1]] = 1 - t, t
        candidates.append(bary)
    u, v, w = b - a, c - a, point - a
    uu, uv, vv = (u * u).sum(1), (u * v).sum(1), (v * v).sum(1)
    wu, wv = (w * u).sum(1), (w * v).sum(1)
    determinant = np.maximum(uu * vv - uv * uv, 1e-20)
    s, t = (vv * wu - uv * wv) / determinant, (uu * wv - uv * wu) / determinant
    inside = np.stack([1 - s - t, s, t], axis=1)
    stacked = np.stack([*candidates, inside])
    places = (stacked[..., None] * triangles[None]).sum(2)
    distance = np.linalg.norm(places - point, axis=2)
    distance[3, (inside < 0).any(1)] = np.inf
    return stacked[distance.argmin(0), np.arange(len(triangles))]
