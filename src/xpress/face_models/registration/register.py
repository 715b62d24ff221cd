"""Any face rig as a model of the library: its shapes and colours on the default model's mesh.

The default model's mesh is bent onto the rig's mean face. Every vertex then knows its place on the
rig, from which the rig's identity, expression and colour bases are read. Landmarks, contours,
mirror map, openings and teeth are the default mesh's, so they hold for every rig, and coefficients
of identity and colour stay the rig's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from xpress.errors import InputError
from xpress.face_models.readers.face_rig import FaceRig
from xpress.face_models.registration.alignment import Similarity, align
from xpress.face_models.registration.inner_parts import InnerParts
from xpress.face_models.registration.named_expressions import NamedExpressions, name_expressions
from xpress.face_models.registration.nonrigid import Plate, marks_matrix
from xpress.face_models.registration.surface_points import Surface
from xpress.morphable.face_model import FaceModel

REACHED = 0.35
"""Farthest that a vertex may end from the rig, centimetres, and still be read from it."""
_LEAST = 0.5
"""Share of the inner face's vertices that a rig has to reach."""
_SLIDING = range(27)
"""Landmarks that are no fixed points of a face: the jaw's, and the brows', which each scheme sets
elsewhere."""
_LIDS = {"R": ([37, 38], [41, 40]), "L": ([43, 44], [47, 46])}
"""iBUG-68 numbers of each upper and lower lid."""
_STRETCH = 0.5, 2.0
"""Least and largest factor on a blink."""


@dataclass(frozen=True)
class Registration:
    """A rig as a model, and how well that went.

    Attributes:
        model: the result.
        covered: vertices of the face that the rig's mesh reaches.
        distance: of each of them from the rig, centimetres.
        expressions: ARKit's shapes by the rig's own.
        landmark_error: mean distance, centimetres, of the model's landmarks from those that the
            rig's file states, the jaw's apart; NaN without any.
    """

    model: FaceModel
    covered: Bool[np.ndarray, " Vf"]
    distance: Float[np.ndarray, " Vf"]
    expressions: NamedExpressions
    landmark_error: float


def register(
    rig: FaceRig,
    identity_modes: int = 80,
    color_modes: int = 40,
    default: FaceModel | None = None,
) -> Registration:
    """A rig on the default model's mesh.

    Args:
        rig: as its reader gives it.
        identity_modes: how many of its identity coefficients to keep, the first.
        color_modes: how many of its colour coefficients.
        default: the model whose mesh is taken; the package's by default.

    Raises:
        InputError: no face is found in the rig's mesh, or too little of one.
    """
    default = default or FaceModel.default()
    face = default.parts["face"]
    rest = default.mean[: face.vertex_stop].astype(float)
    plate = Plate(rest, default.triangles[: face.triangle_stop])
    marks = default.landmarks68(default.mean[None])[0].astype(float)
    place = align(rig.mean.astype(float), dict(rig.landmarks), rest, marks)
    surface = Surface(place(rig.mean.astype(float)), rig.triangles)
    known = [i for i in sorted(rig.landmarks) if i not in _SLIDING]
    positions = place(np.array([rig.landmarks[i] for i in known]).reshape(-1, 3))
    matrix = marks_matrix(
        default.landmark_corners[known], default.landmark_weights[known], len(default.mean)
    )[:, : len(rest)]
    bent = plate.registered(surface, matrix, positions)
    found, covered = plate.partners(bent, surface, REACHED)
    _check_coverage(covered, rest, marks)

    def sampled(basis: Float[np.ndarray, "K V 3"]) -> Float[np.ndarray, "K Vf 3"]:
        return plate.extended(found.mix(basis.astype(np.float32)), covered)

    named = name_expressions(
        default.expression_basis[:, : face.vertex_stop],
        default.expression_names,
        sampled(place.offsets(rig.expression)),
        rig.expression_names,
        rig.expression_bounds,
        covered,
    )
    model = _assemble(
        default,
        rig,
        bent - rest,
        sampled(place.offsets(rig.identity[:identity_modes])),
        named,
        _colors(default, rig, sampled, color_modes),
        place,
    )
    distance = np.linalg.norm(found.mix(surface.vertices) - bent, axis=1)
    errors = np.linalg.norm(matrix @ bent - positions, axis=1)
    error = float(errors.mean()) if known else float("nan")
    return Registration(model, covered, distance, named, error)


def _check_coverage(covered, rest, marks) -> None:
    low, high = marks[17:].min(0), marks[17:].max(0)
    high[2] = np.inf
    inner = ((rest > low) & (rest < high)).all(1)
    if covered[inner].mean() < _LEAST:
        raise InputError(
            f"only {covered[inner].mean():.0%} of a face was found in the mesh: it has to show a "
            "whole face, y up, that looks along +z"
        )


def _colors(
    default: FaceModel, rig: FaceRig, sampled, modes: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean and basis: the rig's on the face, the default model's inside; None if it has none."""
    if rig.mean_color is None or rig.color is None:
        return None
    stop = default.parts["face"].vertex_stop
    mean = default.mean_color.copy()
    mean[:stop] = sampled(rig.mean_color[None])[0].clip(0, 1)
    basis = np.zeros((min(modes, len(rig.color)), *mean.shape), np.float32)
    basis[:, :stop] = sampled(rig.color[:modes])
    return mean, basis


def _closing(
    default: FaceModel, mean: Float[np.ndarray, "V 3"], blink: Float[np.ndarray, "V 3"], row: int
) -> float:
    """Factor on a blink after which the lids are as near as under the default model's."""
    upper, lower = _LIDS[default.expression_names[row][-1]]

    def gap(points: Float[np.ndarray, "V 3"]) -> float:
        marks = default.landmarks68(points[None])[0, :, 1]
        return float(marks[upper].mean() - marks[lower].mean())

    wanted = gap(default.mean + default.expression_basis[row])
    return float(np.clip((wanted - gap(mean)) / min(gap(blink), -1e-3), *_STRETCH))


def _assemble(
    default: FaceModel,
    rig: FaceRig,
    bend: Float[np.ndarray, "Vf 3"],
    identity: Float[np.ndarray, "Ki Vf 3"],
    named: NamedExpressions,
    colors: tuple[np.ndarray, np.ndarray] | None,
    place: Similarity,
) -> FaceModel:
    inside = InnerParts(default)
    stop = default.parts["face"].vertex_stop
    change = named.offsets - default.expression_basis[:, :stop]
    mean = default.mean + inside.follow(bend[None])[0]
    expression = default.expression_basis + inside.follow(change, rigid=False)
    coefficients = named.coefficients.copy()
    for row, name in enumerate(default.expression_names):
        if name.startswith("eyeBlink") and not named.given[row]:
            factor = _closing(default, mean, expression[row], row)
            expression[row] *= factor
            coefficients[row] *= factor
    info: dict[str, Any] = {
        "source": rig.source,
        "expression_names": list(rig.expression_names),
        "neutral": rig.neutral.round(5).tolist(),
        "pivot": rig.pivot.tolist(),
        "scale": place.scale,
        "rotation": place.rotation.tolist(),
        "translation": place.translation.tolist(),
        "coefficients": coefficients.round(5).tolist(),
        "carried_over": [
            name for name, own in zip(default.expression_names, named.own, strict=True) if not own
        ],
    }
    model = replace(
        default,
        mean=mean,
        identity_basis=inside.follow(identity),
        expression_basis=expression,
        info=info,
    )
    if colors is None:
        return model
    return replace(model, mean_color=colors[0], color_basis=colors[1])
