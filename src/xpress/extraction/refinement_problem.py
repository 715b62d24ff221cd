"""The least-squares problem behind the refinement of a photograph's face parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import grid_sample, normalize

from xpress.models.face_autoencoder.decoder import inner_face_mask
from xpress.morphable.fitting import (
    POSE,
    FitState,
    project_state,
    projection_jacobian,
)
from xpress.morphable.landmarks.landmark_model import LandmarkModel
from xpress.morphable.landmarks.landmark_names import CONTOUR_MEDIAPIPE_INDEX
from xpress.morphable.landmarks.landmark_weights import (
    LANDMARKS68_MEDIAPIPE_INDEX,
    LIDS,
    fit_weights,
)
from xpress.morphable.model import MorphableModel
from xpress.morphable.surface import FaceSurface, SurfacePoints
from xpress.rendering.camera import rotation_matrix
from xpress.rendering.lighting import spherical_harmonics
from xpress.rendering.normals import vertex_normals
from xpress.rendering.z_buffer import rasterize_numpy

LIGHTS = 27


@dataclass(frozen=True)
class RefineSettings:
    """The least-squares problem. Deviations are Gaussian unless said otherwise.

    Attributes:
        size: pixels of the crop's side that colours are compared in.
        blur: of that crop, pixels, so that its gradients reach as far as a step.
        landmark: deviation of the encoder's landmarks over the outer-eye-corner distance.
        lid: the same of the eyelids', which the colours of the skin say little about.
        color: deviation of a pixel's colour from the model's, in [0, 1].
        samples: how many independent pixels the picture counts for; neighbours err together.
        robust: pixels that differ by more than this many `color` are weighted down (Huber).
        identity: deviation of an identity coefficient from the encoder's.
        expression: of an activation from the encoder's.
        albedo: of a colour coefficient from zero.
        light: of a band of the illumination, beyond the constant one, from zero.
    """

    size: int = 128
    blur: float = 1.0
    landmark: float = 0.06
    lid: float = 0.01
    color: float = 0.08
    samples: float = 400.0
    robust: float = 2.0
    identity: float = 0.5
    expression: float = 0.15
    albedo: float = 1.0
    light: float = 1.0


@dataclass(frozen=True)
class Variables:
    """Geometry, and colour (Kc,) and light (9, 3)."""

    pose: FitState
    color: Tensor
    light: Tensor


@dataclass(frozen=True)
class ShadedPoints:
    """Points of the skin as they are and as they look in the picture."""

    shape: Tensor  # (1, N, 3) model space
    slopes: Tensor  # (N, 3, 2) of the picture's colours, per pixel
    albedo: Tensor
    bands: Tensor  # (N, 9)
    shading: Tensor
    difference: Tensor  # (N, 3) picture less model

    @property
    def rms(self) -> float:
        """Of the differences, zero where nothing is seen."""
        return float(self.difference.square().mean().sqrt()) if len(self.albedo) else 0.0


class RefineParts:
    """What all pictures share.

    Args:
        model: the face model.
    """

    def __init__(self, model: MorphableModel) -> None:
        self.surface = FaceSurface(model)
        weights = torch.from_numpy(fit_weights())
        used = weights > 0
        self.all_landmarks = LandmarkModel.of(model)
        self.landmarks = self.all_landmarks.select(used)
        index = np.concatenate([LANDMARKS68_MEDIAPIPE_INDEX, CONTOUR_MEDIAPIPE_INDEX])
        self.weights, self.lids = weights[used], torch.from_numpy(np.isin(index, LIDS))[used]
        front = inner_face_mask(model) > 0
        self.front = front[self.surface.triangles].all(1).numpy()
        self.corners = self.surface.triangles.int().numpy()


class RefineProblem:
    """One picture's: the colours of the skin, the encoder's landmarks, and priors.

    Args:
        parts: of the face model.
        settings: deviations.
        picture: RGB in [0, 1], then its derivatives along x and along y.
        inside: pixels that the photograph has, not its mirrored border.
        start: what the encoder says, in pixels of `picture`.
    """

    def __init__(
        self,
        parts: RefineParts,
        settings: RefineSettings,
        picture: Float[Tensor, "9 S S"],
        inside: Bool[np.ndarray, "S S"],
        start: Variables,
    ) -> None:
        self.parts, self.settings, self.start = parts, settings, start
        self.picture, self.inside = picture, inside
        shape = parts.landmarks.points(start.pose.identity, start.pose.expression)
        self.landmarks = project_state(start.pose, shape)
        eye = parts.landmarks.eye_distance * float(start.pose.scale)
        precision = torch.where(parts.lids, settings.lid**-2, parts.weights * settings.landmark**-2)
        self.precision = precision.sqrt() / eye

    def sample(self, now: Variables) -> SurfacePoints:
        """A point of the skin for every other pixel in which the front of the face is seen."""
        pose = now.pose
        shape = self.parts.surface.vertices(pose.identity, pose.expression)
        turned = (shape @ pose.rotation.mT)[0] * float(pose.scale)
        turned = turned * torch.tensor([1.0, -1.0, 1.0])
        turned[:, :2] += pose.translation
        size = self.settings.size
        visible, weights, _ = rasterize_numpy(turned.numpy(), self.parts.corners, size, size)
        wanted = (visible >= 0) & self.parts.front[visible] & self.inside
        wanted &= np.indices(visible.shape).sum(0) % 2 == 0
        triangles = torch.from_numpy(visible[wanted]).long()
        return self.parts.surface.at(triangles, torch.from_numpy(weights[wanted]))

    def shade(self, now: Variables, points: SurfacePoints) -> ShadedPoints:
        """Points of the skin, wherever the variables move them."""
        pose = now.pose
        shape = points.geometry.points(pose.identity, pose.expression)
        place = project_state(pose, shape)
        # grid_sample's corners are the centres of the corner pixels
        grid = place[:, None] * (2 / (self.settings.size - 1)) - 1
        found = grid_sample(self.picture[None], grid, padding_mode="border", align_corners=True)[
            0, :, 0
        ].T
        vertices = self.parts.surface.vertices(pose.identity, pose.expression)
        normals = vertex_normals(vertices, self.parts.surface.triangles) @ pose.rotation.mT
        bands = spherical_harmonics(normalize(points.mix(normals[0]), dim=1))
        albedo = points.mean_color + torch.tensordot(now.color, points.color_basis, dims=1)
        shading = bands @ now.light
        slopes = found[:, 3:].unflatten(1, (2, 3)).transpose(1, 2)
        return ShadedPoints(shape, slopes, albedo, bands, shading, found[:, :3] - albedo * shading)

    def _pull(self, now: Variables) -> Tensor:
        """The encoder's landmarks less the model's, in deviations (1, L, 2)."""
        shape = self.parts.landmarks.points(now.pose.identity, now.pose.expression)
        return (self.landmarks - project_state(now.pose, shape)) * self.precision[:, None]

    def _priors(self, now: Variables) -> tuple[Tensor, Tensor]:
        """What is away from where it is expected, and the precision of that (P,)."""
        s, start = self.settings, self.start
        away = [
            torch.zeros(POSE),
            (now.pose.expression - start.pose.expression)[0],
            (now.pose.identity - start.pose.identity)[0],
            now.color,
            now.light.flatten(),
        ]
        deviations = (float("inf"), s.expression, s.identity, s.albedo, s.light)
        precision = [torch.full((len(a),), d**-2) for a, d in zip(away, deviations, strict=True)]
        precision[-1][:3] = 0  # the constant band, of each channel
        return torch.cat(away), torch.cat(precision)

    def objective(self, now: Variables, points: SurfacePoints) -> float:
        """Twice the negative logarithm of the posterior, up to a constant."""
        away, precision = self._priors(now)
        length = self.shade(now, points).difference.norm(dim=1) / self.settings.color
        limit = self.settings.robust
        huber = torch.where(length < limit, length**2, limit * (2 * length - limit))
        terms = huber.sum() * (self.settings.samples / max(len(points), 1))
        terms = terms + self._pull(now).square().sum()
        return float(terms + (precision * away.square()).sum())

    def equations(self, now: Variables, points: SurfacePoints) -> tuple[Tensor, Tensor]:
        """Normal equations (P, P), (P,): pose, expression, identity, colour, light.

        That normals turn with the shape is left out of the derivative, not of the objective.
        """
        s, shaded = self.settings, self.shade(now, points)
        count = len(points)
        moved = projection_jacobian(points.geometry, now.pose, shaded.shape)[0].unflatten(
            0, (count, 2)
        )
        geometry = -(shaded.slopes @ moved)
        basis = points.color_basis.permute(1, 2, 0)
        light = torch.einsum("nc,nb,cd->ncbd", shaded.albedo, shaded.bands, torch.eye(3)).flatten(2)
        jacobian = torch.cat([geometry, basis * shaded.shading[..., None], light], dim=2)
        length = shaded.difference.norm(dim=1) / s.color
        weight = s.robust / length.clamp_min(s.robust) * (s.samples / max(count, 1) / s.color**2)
        flat = jacobian.flatten(0, 1)
        scaled = flat * weight.repeat_interleave(3)[:, None]
        hessian = (flat.T @ scaled).double()
        gradient = (scaled.T @ shaded.difference.flatten()).double()
        shape = self.parts.landmarks.points(now.pose.identity, now.pose.expression)
        root = self.precision.repeat_interleave(2)
        held = projection_jacobian(self.parts.landmarks, now.pose, shape)[0] * root[:, None]
        size = held.shape[1]
        hessian[:size, :size] += (held.T @ held).double()
        gradient[:size] += (held.T @ self._pull(now).flatten()).double()
        away, precision = self._priors(now)
        hessian += torch.diag(precision.double())
        return hessian, gradient - (precision * away).double()


def moved(now: Variables, change: Float[Tensor, " P"]) -> Variables:
    """The variables after a step in the order of `RefineProblem.equations`."""
    pose = now.pose
    sizes = POSE, pose.expression.shape[1], pose.identity.shape[1], len(now.color), LIGHTS
    move, expression, identity, color, light = change.split(sizes)
    turn = rotation_matrix(move[None, :3].clamp(-0.5, 0.5))
    there = FitState(
        pose.identity + identity,
        (pose.expression + expression).clamp(0, 1),
        turn @ pose.rotation,
        pose.translation + move[4:],
        pose.scale * (1 + move[3].clamp(-0.3, 0.3)),
    )
    return Variables(there, now.color + color, now.light + light.unflatten(0, (9, 3)))
