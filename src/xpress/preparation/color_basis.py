"""A colour (albedo) basis from photographs under fitted geometry.

ICT-FaceKit ships no albedo. Visible vertex colours of the training faces are divided by their
estimated spherical-harmonics shading, completed by the face's symmetry and by the growing model
itself, and reduced by probabilistic PCA (Tipping and Bishop 1999): what is left after the kept
modes is noise, and is taken off their variances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from xpress.errors import InputError
from xpress.morphable.fitting import Fit
from xpress.morphable.model import MorphableModel
from xpress.packs import FaceRecords
from xpress.packs.records import decode
from xpress.preparation.painting import paint_inner_parts
from xpress.rendering.camera import project, rotate
from xpress.rendering.lighting import spherical_harmonics
from xpress.rendering.normals import vertex_normals
from xpress.rendering.z_buffer import rasterize_numpy

PER_PERSON = 3
"""Pictures used of each person, so that long clips do not outweigh the others."""
WORST_FIT = 0.02
FACING = 0.25
"""Vertices whose normal's z is below are seen too obliquely to be sampled."""
LIGHT_SHARE = 0.5
"""Exponent of a picture's overall level that is ascribed to light; the rest is skin tone."""
OUTLIER = 3.0
ROUNDS = 6
RELIGHTINGS = 2
"""Rounds in which each picture's light is estimated anew, with its own albedo for the mean's."""
OVERSAMPLED = 10
"""Singular vectors beyond the modes that the randomised decomposition takes along."""
SEEN_NOISE = 0.05
"""Standard deviation of a vertex colour about the model, RGB in [0, 1]."""


@dataclass(frozen=True)
class ColorSamples:
    """Vertex colours seen in photographs.

    Attributes:
        color: RGB in [0, 1].
        seen: which vertices the picture shows.
        bands: spherical harmonics at the vertices' normals in camera space.
    """

    color: Float[Tensor, "N V 3"]
    seen: Bool[Tensor, "N V"]
    bands: Float[Tensor, "N V 9"]


def build_color_basis(
    model: MorphableModel,
    records: Sequence[FaceRecords],
    fit: Fit,
    quality: Float[Tensor, " N"],
    modes: int,
) -> None:
    """Set `model.mean_color` and `model.color_basis` from the colour pictures of some packs.

    Args:
        model: with the geometry that `fit` belongs to; changed in place.
        records: the packs whose labelled rows were fitted, in that order.
        fit: parameters of each labelled row.
        quality: mean residual of each fit over the eye-corner distance.
        modes: columns of the basis.

    Raises:
        InputError: no colour picture fits well, or too few for so many modes.
    """
    samples = sample_colors(model, records, fit, quality)
    print(f"colours of {len(samples.color)} pictures sampled", flush=True)
    most = 2 * len(samples.color) - OVERSAMPLED  # a picture counts mirrored as well
    if modes > most:
        less = f", or at most {most} modes" if most > 0 else ""
        few = len(samples.color)
        raise InputError(f"{few} colour pictures are too few for {modes} modes; give more{less}")
    albedo, weight = albedo_samples(samples, model.mirror)
    for _ in range(RELIGHTINGS):
        mean, basis = probabilistic_pca(*with_mirror_images(albedo, weight, model.mirror), modes)
        albedo, weight = relit_albedo(samples, mean, basis, model.mirror)
    mean, basis = probabilistic_pca(*with_mirror_images(albedo, weight, model.mirror), modes)
    face = model.parts["face"].vertex_stop
    colors = torch.full((model.mean.shape[0], 3), 0.5)
    # Highlights that every picture shows lift a few vertices of the nose over one.
    colors[:face] = mean.clamp(0, 1)
    model.mean_color = paint_inner_parts(model, colors)
    model.color_basis = torch.zeros(modes, *model.mean.shape)
    model.color_basis[:, :face] = basis


def sample_colors(
    model: MorphableModel, records: Sequence[FaceRecords], fit: Fit, quality: Tensor
) -> ColorSamples:
    """Colours of the face's visible vertices in the well-fitted colour pictures.

    Raises:
        InputError: there is none.
    """
    face = model.parts["face"]
    triangles = model.part_triangles("face")
    flat = triangles.int().numpy()
    out: tuple[list, list, list] = ([], [], [])
    used: dict[str, int] = {}
    index = -1
    for record in records:
        for row in np.flatnonzero(record.has_contours):
            index += 1
            person = record.identities[row]
            if record.color[row] == 0 or quality[index] > WORST_FIT:
                continue
            if used.setdefault(person, 0) >= PER_PERSON:
                continue
            used[person] += 1
            image = decode(record.images[row])
            one = slice(index, index + 1)
            shape = model.vertices(fit.identity[one], fit.expression[one])[:, : face.vertex_stop]
            points = project(shape, fit.rotation[one], fit.translation[one], fit.scale[one])
            normals = vertex_normals(rotate(shape, fit.rotation[one]), triangles)[0]
            color, seen = _visible_colors(image, points[0].numpy(), flat, normals[:, 2].numpy())
            out[0].append(torch.from_numpy(color))
            out[1].append(torch.from_numpy(seen))
            out[2].append(spherical_harmonics(normals).half())
    if not out[0]:
        names = ", ".join(record.name for record in records)
        raise InputError(f"{names}: no colour picture was fitted well; give packs with colour")
    return ColorSamples(torch.stack(out[0]), torch.stack(out[1]), torch.stack(out[2]).float())


def _visible_colors(image, points, triangles, facing):
    height, width = image.shape[:2]
    _, _, depth = rasterize_numpy(points, triangles, height, width)
    x, y = points[:, 0], points[:, 1]
    map_x, map_y = x[None].astype(np.float32), y[None].astype(np.float32)
    nearest = cv2.remap(depth, map_x, map_y, cv2.INTER_NEAREST, borderValue=float("inf"))[0]
    tolerance = 0.03 * np.ptp(x)
    inside = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    seen = inside & (facing > FACING) & (points[:, 2] > nearest - tolerance)
    color = cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR)[0].astype(np.float32) / 255
    return color, seen


def estimate_light(
    color: Float[Tensor, "V 3"],
    albedo: Float[Tensor, "V 3"],
    bands: Float[Tensor, "V 9"],
    weight: Float[Tensor, " V"],
    ridge: float = 1e-3,
) -> Float[Tensor, "9 3"]:
    """Least-squares illumination of one picture for a given albedo, channel by channel.

    Args:
        color: seen colours in [0, 1].
        albedo: of the same vertices.
        bands: spherical harmonics at their normals.
        weight: zero drops a vertex.
        ridge: over the mean diagonal; the constant band is not damped.
    """
    columns = []
    for channel in range(3):
        design = bands * albedo[:, channel, None]
        gram = design.T @ (design * weight[:, None])
        damping = torch.full((9,), float(gram.diagonal().mean()) * ridge)
        damping[0] = 0
        right = design.T @ (color[:, channel] * weight)
        columns.append(torch.linalg.solve(gram + torch.diag(damping + 1e-8), right))
    return torch.stack(columns, dim=1)


def albedo_samples(
    samples: ColorSamples, mirror: Tensor
) -> tuple[Float[Tensor, "N V 3"], Float[Tensor, "N V"]]:
    """Albedo of each picture's vertices and its weight: 1 seen, 0.5 mirrored, 0 unknown."""
    seen = samples.seen.float()
    mean = (samples.color * seen[..., None]).sum(0) / seen.sum(0).clamp_min(1)[:, None]
    mean = (mean + mean[mirror]) / 2
    albedo = torch.zeros_like(samples.color)
    weight = seen.clone()
    for i in range(len(albedo)):
        w = seen[i]
        for _ in range(2):  # the second light ignores hair, glasses and highlights
            light = estimate_light(samples.color[i], mean, samples.bands[i], w)
            shading = (samples.bands[i] @ light).clamp_min(0.08)
            error = (samples.color[i] - mean * shading).norm(dim=1)
            spread = (error.square() * w).sum().div(w.sum().clamp_min(1)).sqrt()
            w = seen[i] * (error < OUTLIER * spread)
        level = (shading * w[:, None]).sum(0) / w.sum().clamp_min(1)
        albedo[i] = samples.color[i] / shading * level.clamp_min(0.05) ** (1 - LIGHT_SHARE)
        weight[i] = w
    return _completed(albedo, weight, mirror)


def relit_albedo(
    samples: ColorSamples,
    mean: Float[Tensor, "V 3"],
    basis: Float[Tensor, "K V 3"],
    mirror: Tensor,
) -> tuple[Float[Tensor, "N V 3"], Float[Tensor, "N V"]]:
    """As `albedo_samples`, the light being estimated together with the model's coefficients.

    With the mean's albedo a dark beard or red lips would be taken for a shadow or a red light.
    """
    albedo, weight = torch.zeros_like(samples.color), samples.seen.float()
    for i in range(len(albedo)):
        light, coefficients, weight[i] = light_and_color(
            samples.color[i], samples.bands[i], weight[i], mean, basis
        )
        shading = (samples.bands[i] @ light).clamp_min(0.08)
        own = mean + torch.tensordot(coefficients, basis, dims=1)
        # The picture's level is shared out as before, wherever the solution has put it.
        seen = weight[i][:, None] / weight[i].sum().clamp_min(1)
        lit, skin = (shading * seen).sum(0), (own * seen).sum(0) / (mean * seen).sum(0)
        total = (lit * skin).clamp_min(0.05)
        albedo[i] = samples.color[i] / shading * total ** (1 - LIGHT_SHARE) / skin.clamp_min(0.1)
    return _completed(albedo, weight, mirror)


def light_and_color(
    color: Float[Tensor, "V 3"],
    bands: Float[Tensor, "V 9"],
    weight: Float[Tensor, " V"],
    mean: Float[Tensor, "V 3"],
    basis: Float[Tensor, "K V 3"],
    rounds: int = 3,
) -> tuple[Float[Tensor, "9 3"], Float[Tensor, " K"], Float[Tensor, " V"]]:
    """Illumination and colour coefficients of one picture, solved in turns.

    Args:
        color: seen colours in [0, 1].
        bands: spherical harmonics at the vertices' normals.
        weight: zero drops a vertex.
        mean: albedo of the model.
        basis: its modes, one standard deviation each.
        rounds: turns.

    Returns:
        Illumination, coefficients, and the weight without the vertices that differ from the
        model by more than `OUTLIER` standard deviations: hair, glasses and highlights.
    """
    coefficients, kept = color.new_zeros(len(basis)), weight
    for _ in range(rounds):
        own = mean + torch.tensordot(coefficients, basis, dims=1)
        light = estimate_light(color, own, bands, kept)
        shading = bands @ light
        error = (color - own * shading).norm(dim=1)
        spread = (error.square() * kept).sum().div(kept.sum().clamp_min(1)).sqrt()
        kept = weight * (error < OUTLIER * spread)
        design = (basis * shading * kept[:, None].sqrt()).flatten(1)
        left = ((color - mean * shading) * kept[:, None].sqrt()).flatten()
        # neighbouring vertices share their errors: a tenth of them counts
        noise = SEEN_NOISE**2 * 10
        gram = design @ design.T + noise * torch.eye(len(basis))
        coefficients = torch.linalg.solve(gram, design @ left)
    return light, coefficients, kept


def with_mirror_images(
    albedo: Float[Tensor, "N V 3"], weight: Float[Tensor, "N V"], mirror: Tensor
) -> tuple[Float[Tensor, "M V 3"], Float[Tensor, "M V"]]:
    """The samples and their mirror images: nobody's left cheek is darker by birth."""
    return torch.cat([albedo, albedo[:, mirror]]), torch.cat([weight, weight[:, mirror]])


def _completed(albedo: Tensor, weight: Tensor, mirror: Tensor) -> tuple[Tensor, Tensor]:
    """What one side hides the other often shows."""
    mirrored = (weight == 0) & (weight[:, mirror] > 0)
    albedo = torch.where(mirrored[..., None], albedo[:, mirror], albedo).clamp(0, 1.5)
    return albedo, torch.where(mirrored, torch.full_like(weight, 0.5), weight)


def probabilistic_pca(
    albedo: Float[Tensor, "N V 3"], weight: Float[Tensor, "N V"], modes: int
) -> tuple[Float[Tensor, "V 3"], Float[Tensor, "K V 3"]]:
    """Mean and modes (one standard deviation each) of partly known samples.

    Unknown entries are filled with the present model's reconstruction, `ROUNDS` times.
    """
    count, vertices, _ = albedo.shape
    known = weight.clamp(0, 1)[..., None]
    mean = (albedo * known).sum(0) / known.sum(0).clamp_min(1)
    filled = torch.where(known > 0, albedo, mean)
    for _ in range(ROUNDS):
        mean = filled.mean(0)
        centred = (filled - mean).flatten(1)
        u, s, v = torch.svd_lowrank(centred, q=modes + OVERSAMPLED, niter=3)
        energy = centred.square().sum() / count
        noise = ((energy - s[:modes].square().sum() / count) / (vertices * 3 - modes)).clamp_min(0)
        variance = (s[:modes].square() / count - noise).clamp_min(1e-10)
        shrink = variance / (variance + noise)
        rebuilt = (u[:, :modes] * s[:modes] * shrink) @ v[:, :modes].T
        low_rank = mean + rebuilt.unflatten(1, (vertices, 3))
        filled = known * albedo + (1 - known) * low_rank
    return mean, (v[:, :modes] * variance.sqrt()).T.unflatten(1, (vertices, 3))
