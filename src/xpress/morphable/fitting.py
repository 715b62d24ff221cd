"""Least-squares fits of the face model to labelled landmarks, batched over pictures.

Gauss-Newton on pose, expression and identity at once. Expression stays in [0, 1] by an active
set; pictures of one person share their identity through a Schur complement, so that what moves
between pictures cannot hide in the shape of the face.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, Int
from torch import Tensor

from xpress.morphable.landmarks.landmark_model import LandmarkModel
from xpress.rendering.camera import rotation_matrix

POSE = 6  # rotation increment (3), log scale (1), translation (2)
BLOCK = 64  # pictures whose Jacobians fit into the cache together


@dataclass(frozen=True)
class FitSettings:
    """Weights of the least-squares problem; residuals are in units of `noise`.

    Attributes:
        iterations: Gauss-Newton steps.
        noise: standard deviation of a landmark over the distance of the outer eye corners.
        expression_prior: standard deviation of an activation, or of each (Ke,).
        identity_prior: standard deviation of an identity coefficient.
        robust: residuals beyond this many `noise` are weighted down (Huber).
    """

    iterations: int = 14
    noise: float = 0.02
    expression_prior: float | Float[Tensor, " Ke"] = 0.35
    identity_prior: float = 1.0
    robust: float = 3.0


@dataclass(frozen=True)
class Fit:
    """Fitted pose, expression and identity of each picture, in its pixels.

    Attributes:
        identity: shared by the pictures of one group.
        expression: in [0, 1].
        rotation: axis-angle, radians.
        translation: pixels.
        scale: pixels per model unit.
        residual: landmark minus model, pixels.
    """

    identity: Float[Tensor, "N Ki"]
    expression: Float[Tensor, "N Ke"]
    rotation: Float[Tensor, "N 3"]
    translation: Float[Tensor, "N 2"]
    scale: Float[Tensor, " N"]
    residual: Float[Tensor, "N L 2"]


@dataclass
class FitState:
    """Parameters between two steps; the rotation as matrices (N, 3, 3), else as in `Fit`."""

    identity: Tensor
    expression: Tensor
    rotation: Tensor
    translation: Tensor
    scale: Tensor


def fit_landmarks(
    model: LandmarkModel,
    landmarks: Float[Tensor, "N L 2"],
    weights: Float[Tensor, " L"],
    groups: Int[Tensor, " N"],
    settings: FitSettings = FitSettings(),
    identity: Float[Tensor, "N Ki"] | None = None,
) -> Fit:
    """Fit every picture; pictures with the same group number share one identity.

    Args:
        model: the face model reduced to its landmarks.
        landmarks: pixels, x right, y down.
        weights: inverse variance of each landmark relative to `settings.noise`; zero drops it.
        groups: person of each picture, 0 … G-1.
        settings: see `FitSettings`.
        identity: when given, held fixed.

    Returns:
        The fits, in the order of the pictures.
    """
    used = weights > 0
    reduced, labels, weights = model.select(used), landmarks[:, used], weights[used]
    state = _initial(reduced, labels, weights)
    if identity is not None:
        state.identity = identity.clone()
    for _ in range(settings.iterations):
        _step(reduced, labels, weights, groups, settings, state, identity is None)
    residual = landmarks - project_state(state, model.points(state.identity, state.expression))
    return Fit(
        state.identity,
        state.expression,
        axis_angle(state.rotation),
        state.translation,
        state.scale,
        residual,
    )


def axis_angle(rotation: Float[Tensor, "N 3 3"]) -> Float[Tensor, "N 3"]:
    """Axis-angle of rotation matrices with angles below pi."""
    trace = rotation.diagonal(dim1=1, dim2=2).sum(1)
    angle = torch.arccos(((trace - 1) / 2).clamp(-1, 1))
    skew = torch.stack(
        [
            rotation[:, 2, 1] - rotation[:, 1, 2],
            rotation[:, 0, 2] - rotation[:, 2, 0],
            rotation[:, 1, 0] - rotation[:, 0, 1],
        ],
        dim=1,
    )
    small = angle < 1e-4
    factor = torch.where(small, torch.full_like(angle, 0.5), angle / (2 * torch.sin(angle)))
    return skew * factor[:, None]


def project_state(state: FitState, points: Float[Tensor, "N L 3"]) -> Float[Tensor, "N L 2"]:
    """Model-space points in pixels."""
    turned = points @ state.rotation.transpose(1, 2)
    flat = turned[..., :2] * torch.tensor([1.0, -1.0])
    return flat * state.scale[:, None, None] + state.translation[:, None]


def _initial(model: LandmarkModel, landmarks: Tensor, weights: Tensor) -> FitState:
    """Weak-perspective pose of the mean face by linear least squares, then orthonormalised."""
    count = len(landmarks)
    mean = model.mean
    center = (mean * weights[:, None]).sum(0) / weights.sum()
    image_center = (landmarks * weights[:, None]).sum(1) / weights.sum()
    x = (mean - center) * weights[:, None].sqrt()
    y = (landmarks - image_center[:, None]) * weights[:, None].sqrt()
    affine = torch.linalg.solve(x.T @ x, x.T @ y).transpose(1, 2)  # (N, 2, 3)
    affine = affine * torch.tensor([1.0, -1.0])[:, None]
    u, s, vh = torch.linalg.svd(affine, full_matrices=False)
    rows = u @ vh
    rotation = torch.cat([rows, torch.linalg.cross(rows[:, 0], rows[:, 1])[:, None]], dim=1)
    scale = s.mean(1)
    state = FitState(
        torch.zeros(count, model.identity_basis.shape[0]),
        torch.full((count, model.expression_basis.shape[0]), 0.05),
        rotation,
        torch.zeros(count, 2),
        scale,
    )
    state.translation = image_center - project_state(state, center.expand(count, 1, 3))[:, 0]
    return state


def projection_jacobian(model: LandmarkModel, state: FitState, points: Tensor) -> Tensor:
    """d(projected points) / d(pose, expression, identity): (N, L·2, P).

    Args:
        model: at the points, which need not be landmarks.
        state: where it is linearised.
        points: of the model there, model space.
    """
    flip = torch.tensor([1.0, -1.0])
    turned = points @ state.rotation.transpose(1, 2)
    x, y, z = turned.unbind(-1)
    zero = torch.zeros_like(x)
    s = state.scale[:, None]
    # left increment: d(exp(w) R p) = w × (R p)
    dx = torch.stack([zero, z, -y, x], dim=-1) * s[..., None]
    dy = -torch.stack([-z, zero, x, y], dim=-1) * s[..., None]
    pose = torch.stack([dx, dy], dim=2)  # (N, L, 2, 4)
    eye = torch.eye(2).expand(*pose.shape[:2], 2, 2)
    camera = state.rotation[:, :2] * flip[:, None] * state.scale[:, None, None]  # (N, 2, 3)
    expression = torch.einsum("nij,klj->nlik", camera, model.expression_basis)
    identity = torch.einsum("nij,klj->nlik", camera, model.identity_basis)
    full = torch.cat([pose, eye, expression, identity], dim=-1)
    return full.flatten(1, 2)


def _normal_equations(
    model: LandmarkModel, landmarks: Tensor, weights: Tensor, settings: FitSettings, state: FitState
) -> tuple[Tensor, Tensor]:
    """Hessian (N, P, P) and descent direction (N, P) of the data term, block by block."""
    hessians, gradients = [], []
    for start in range(0, len(landmarks), BLOCK):
        rows = slice(start, start + BLOCK)
        part = FitState(*(getattr(state, f.name)[rows] for f in fields(FitState)))
        points = model.points(part.identity, part.expression)
        sigma = (settings.noise * model.eye_distance * part.scale)[:, None, None]
        whitened = (landmarks[rows] - project_state(part, points)) / sigma
        length = whitened.norm(dim=-1) * weights.sqrt()
        robust = weights * (settings.robust / length.clamp_min(settings.robust))
        root = robust.sqrt()[..., None].expand(-1, -1, 2).flatten(1)
        jacobian = projection_jacobian(model, part, points) * (root[..., None] / sigma)
        hessians.append(jacobian.mT @ jacobian)
        gradients.append((jacobian.mT @ (whitened.flatten(1) * root)[..., None])[..., 0])
    return torch.cat(hessians), torch.cat(gradients)


def _step(
    model, landmarks, weights, groups, settings, state: FitState, free_identity: bool
) -> None:
    local = POSE + model.expression_basis.shape[0]
    hessian, gradient = _normal_equations(model, landmarks, weights, settings, state)
    prior = torch.zeros(hessian.shape[1])
    prior[:POSE] = 1e-6
    prior[POSE:local] = settings.expression_prior**-2
    gradient[:, POSE:local] -= prior[POSE:local] * state.expression
    hessian[:, :local, :local] += torch.diag(prior[:local])
    h_ll, h_li = hessian[:, :local, :local], hessian[:, :local, local:]
    low = torch.full_like(gradient[:, :local], -torch.inf)
    high = -low
    low[:, POSE:], high[:, POSE:] = -state.expression, 1 - state.expression
    pull = gradient[:, :local]
    if free_identity:
        held = _outward(low, high, pull)
        step = _shared_identity_step(hessian, gradient, held, groups, settings, state, local)
        pull = pull - (h_li @ step[..., None])[..., 0]
    own = bounded_solve(h_ll, pull, low, high)
    state.expression = (state.expression + own[:, POSE:]).clamp(0, 1)
    state.rotation = rotation_matrix(own[:, :3].clamp(-0.5, 0.5)) @ state.rotation
    state.scale = state.scale * (1 + own[:, 3].clamp(-0.3, 0.3))
    state.translation = state.translation + own[:, 4:POSE]


def _outward(low: Tensor, high: Tensor, pull: Tensor) -> Tensor:
    """Variables at a bound that the data push further out."""
    return ((low >= 0) & (pull < 0)) | ((high <= 0) & (pull > 0))


def bounded_solve(
    hessian: Float[Tensor, "N P P"],
    pull: Float[Tensor, "N P"],
    low: Float[Tensor, "N P"],
    high: Float[Tensor, "N P"],
) -> Float[Tensor, "N P"]:
    """Minimise ½xᵀHx − pullᵀx within bounds; what violates one is held there, four passes."""
    held = _outward(low, high, pull)
    value = torch.zeros_like(pull)
    for _ in range(4):
        right = pull - (hessian @ value[..., None])[..., 0]
        chol = torch.linalg.cholesky(_without(hessian, held))
        right = torch.where(held, 0.0, right)
        step = torch.where(held, value, torch.cholesky_solve(right[..., None], chol)[..., 0])
        outside = (step < low) | (step > high)
        value = torch.where(outside | held, torch.maximum(torch.minimum(step, high), low), 0.0)
        held = held | outside
        if not outside.any():
            break
    return torch.maximum(torch.minimum(step, high), low)


def _without(hessian: Tensor, held: Tensor) -> Tensor:
    """The matrix with held rows and columns replaced by the identity's."""
    keep = (~held).to(hessian.dtype)
    return hessian * keep[:, :, None] * keep[:, None, :] + torch.diag_embed(held.to(keep.dtype))


def _shared_identity_step(hessian, gradient, held, groups, settings, state, local):
    """Update the groups' identities; returns each picture's identity step (N, Ki)."""
    free = (~held).to(gradient.dtype)
    chol = torch.linalg.cholesky(_without(hessian[:, :local, :local], held))
    h_li = hessian[:, :local, local:] * free[..., None]
    solved = torch.cholesky_solve(h_li, chol)
    own = torch.cholesky_solve((gradient[:, :local] * free)[..., None], chol)[..., 0]
    schur = hessian[:, local:, local:] - h_li.transpose(1, 2) @ solved
    right = gradient[:, local:] - (h_li * own[..., None]).sum(1)
    count = int(groups.max()) + 1
    size = schur.shape[1]
    total = torch.zeros(count, size, size).index_add_(0, groups, schur)
    total_right = torch.zeros(count, size).index_add_(0, groups, right)
    first = torch.zeros(count, size)
    first[groups] = state.identity
    precision = settings.identity_prior**-2
    total += precision * torch.eye(size)
    total_right -= precision * first
    step = torch.linalg.solve(total, total_right)[groups]
    state.identity = state.identity + step
    return step
