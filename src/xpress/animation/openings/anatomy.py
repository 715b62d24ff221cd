"""What the frame loop needs to know of the face's anatomy: fixed sets of vertices and triangles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int, Int32

from xpress.morphable.face_model import FaceModel, LinearFaceModel
from xpress.morphable.landmarks.landmark_names import CONTOUR_MEDIAPIPE_INDEX
from xpress.morphable.landmarks.landmark_weights import FIRST_IRIS, LIDS, LIPS_INNER
from xpress.morphable.teeth import teeth_rows

MOUTH_PARTS = ("mouth_socket", "gums_tongue", "teeth_upper", "teeth_lower")
IRIS_POINTS = 5
FIRST_IRISES = (FIRST_IRIS + IRIS_POINTS, FIRST_IRIS)
"""Face Mesh's points of the left and of the right iris, the centre first."""
SKIN, OTHER = -1, -2
JAW = slice(0, 17)
OUTER_LIPS = slice(48, 60)
EYE_CORNERS = (36, 39, 42, 45)
NOSE_BRIDGE = (27, 28, 29, 30)
BELOW_JAW = 0.6
"""Centimetres under the jaw line where the neck begins: it follows by extrapolation."""
BEHIND_EARS = 3.4
"""Depth (model z) behind which ears and the back of the head lie."""
RIGID_CORNER, CORNER_RADIUS = 0.3, 0.55
BLINK_CORNER = 0.85
"""The same for eyeBlink, whose lids have to meet near the corners too."""
RIGID_BRIDGE, BRIDGE_RADIUS = 0.25, 1.1
"""Factor on expression offsets at the rigid point, and the Gaussian radius (cm) of the damping."""


@dataclass(frozen=True)
class Surroundings:
    """Skin around an opening of the face and what lies inside it.

    Attributes:
        triangles: of the whole mesh.
        part: of each triangle: interior part from zero, `SKIN`, or `OTHER` for skin whose motion
            is not trusted (neck, ears).
        loop: vertices where skin and interior meet.
        corners, weights: embedding of the opening's visible rim, in order. The loop lies deeper:
            behind lids and lips, which are thick.
    """

    triangles: Int32[np.ndarray, "F 3"]
    part: Int32[np.ndarray, " F"]
    loop: Int[np.ndarray, " N"]
    corners: Int[np.ndarray, "R 3"]
    weights: Float32[np.ndarray, "R 3"]

    def rim(self, projected: Float32[np.ndarray, "V 3"]) -> Float32[np.ndarray, "R 2"]:
        """The opening's visible rim in pixels."""
        return self.points(projected)[:, :2]

    def points(self, vertices: Float32[np.ndarray, "V 3"]) -> Float32[np.ndarray, "R 3"]:
        """The rim's points, or their offsets, among those of all vertices."""
        return (vertices[self.corners] * self.weights[..., None]).sum(1)

    def distance(self, mean: Float32[np.ndarray, "V 3"]) -> Float32[np.ndarray, " V"]:
        """How far each vertex of the mean face lies from the rim, centimetres."""
        rim = self.points(mean)
        along = np.roll(rim, -1, axis=0) - rim
        offset = mean[:, None] - rim
        share = (offset * along).sum(-1) / np.maximum((along * along).sum(-1), 1e-9)
        return np.linalg.norm(offset - share.clip(0, 1)[..., None] * along, axis=-1).min(1)


class Anatomy:
    """Fixed index sets of a face model.

    Attributes:
        mean: (V, 3) mean shape.
        moving: (V,) one where expressions are evaluated at all: what is drawn, eyeballs apart.
        skin: (F, 3) triangles whose motion is trusted: the face without neck, ears and nape.
        face: (F, 3) triangles of the whole face part.
        mouth, eyes: surroundings and interior of the openings; left eye first.
        irises: embedding (corners and weights) of the left and of the right iris's centre and four
            points of its rim.
        blinks: where eyeBlink of the left and of the right eye stand among the expressions.
        closing: (2, R, 3) offsets of the left and of the right eye's rim under them.
        gaze: (2, Ke, 3) offsets of the left and of the right iris's centre under each expression.
        lips: embedding (corners and weights) of the outer lips, the 68 landmarks' rows 48 to 59.
        rim_distance: (V,) centimetres of the mean shape from the nearest lid or lip.
        teeth: vertices of both rows, see `xpress.morphable.teeth`.
    """

    def __init__(self, model: LinearFaceModel) -> None:
        model = model.numpy()
        self.mean = mean = model.mean
        marks = model.landmarks68(mean[None])[0]
        self.eye_distance = float(np.linalg.norm(marks[36] - marks[45]))
        blinks = np.array([name.startswith("eyeBlink") for name in model.expression_names])
        usual, closing = _damping(model, mean, marks)
        self.face = _triangles(model, "face")
        self._trusted = _trusted(mean, marks)
        self.skin = self.face[self._trusted[self.face].all(axis=1)]
        self.mouth = self._surroundings(
            model, model.inner_lip_loop, MOUTH_PARTS, _contour(model, LIPS_INNER), 2.2
        )
        self.lips = tuple(
            embedding[OUTER_LIPS] for embedding in (model.landmark_corners, model.landmark_weights)
        )
        self.irises = [_contour(model, range(first, first + IRIS_POINTS)) for first in FIRST_IRISES]
        self.gaze = np.stack(
            [
                (model.expression_basis[:, corners[0]] * weights[0][:, None]).sum(1)
                for corners, weights in self.irises
            ]
        )
        self.teeth = teeth_rows(model)
        half = len(LIDS) // 2
        self.eyes = [
            self._surroundings(
                model,
                model.eyelid_loops[side],
                ("eye_sockets", f"eyeball_{name}"),
                _contour(model, lids),
                1.6,
            )
            for side, (name, lids) in enumerate((("left", LIDS[half:]), ("right", LIDS[:half])))
        ]
        self.blinks = [list(model.expression_names).index(f"eyeBlink_{side}") for side in "LR"]
        self.closing = np.stack(
            [
                eye.points(model.expression_basis[blink] * closing[:, None])
                for eye, blink in zip(self.eyes, self.blinks, strict=True)
            ]
        )
        rims = [rim.distance(mean) for rim in (self.mouth, *self.eyes)]
        self.rim_distance = np.min(rims, axis=0).astype(np.float32)

        self.moving = np.zeros(len(mean), np.float32)
        for triangles in (self.skin, self.mouth.triangles, *(e.triangles for e in self.eyes)):
            self.moving[triangles] = 1
        for name in ("eyeball_left", "eyeball_right"):
            # `gaze` turns what is seen; a turned cornea would only poke through the lids.
            part = model.parts[name]
            self.moving[part.vertex_start : part.vertex_stop] = 0
        self._damping = blinks, usual * self.moving, closing * self.moving

    @property
    def damping(self) -> Float32[np.ndarray, "Ke V"]:
        """Factor on expression offsets.

        Bone does not move under the eye corners and the bridge of the nose, whatever the
        blendshapes say. Made anew at each call: it is large, and wanted once.
        """
        blinks, usual, closing = self._damping
        return np.where(blinks[:, None], closing, usual)

    def _surroundings(self, model, loop, names, contour, reach) -> Surroundings:
        """Skin within `reach` cm of a loop's box, and the named interior parts near it."""
        mean = model.mean
        low, high = mean[loop].min(0) - reach, mean[loop].max(0) + reach
        near = ((mean[:, :2] > low[:2]) & (mean[:, :2] < high[:2])).all(axis=1)
        skin = np.where(self._trusted[self.face].all(axis=1), SKIN, OTHER)
        groups = [_triangles(model, name) for name in names]
        inner = np.repeat(np.arange(len(names)), [len(g) for g in groups])
        triangles = np.concatenate([self.face, *groups])
        part = np.concatenate([skin, inner]).astype(np.int32)
        keep = near[triangles].any(axis=1)
        return Surroundings(np.ascontiguousarray(triangles[keep]), part[keep], loop, *contour)


def _contour(model: FaceModel, points: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    rows = [68 + int(np.flatnonzero(p == CONTOUR_MEDIAPIPE_INDEX)[0]) for p in points]
    return model.landmark_corners[rows], model.landmark_weights[rows]


def _triangles(model: FaceModel, name: str) -> Int32[np.ndarray, "F 3"]:
    return np.ascontiguousarray(model.part_triangles(name).astype(np.int32))


def _trusted(mean: np.ndarray, marks: np.ndarray) -> np.ndarray:
    jaw = marks[JAW]
    order = np.argsort(jaw[:, 0])
    line = np.interp(mean[:, 0], jaw[order, 0], jaw[order, 1])
    return (mean[:, 1] > line - BELOW_JAW) & (mean[:, 2] > BEHIND_EARS)


def _damping(
    model: FaceModel, mean: np.ndarray, marks: np.ndarray
) -> tuple[Float32[np.ndarray, " V"], Float32[np.ndarray, " V"]]:
    """Factors on the offsets of most expressions, and of those that close the eyes."""
    bridge = [(i, RIGID_BRIDGE, BRIDGE_RADIUS) for i in NOSE_BRIDGE]
    factors = []
    for floor in (RIGID_CORNER, BLINK_CORNER):
        factor = _hold(mean, marks, [(i, floor, CORNER_RADIUS) for i in EYE_CORNERS] + bridge)
        factor[model.parts["face"].vertex_stop :] = 1
        factors.append(factor)
    return factors[0], factors[1]


def _hold(mean, marks, rigid) -> Float32[np.ndarray, " V"]:
    """The smallest of Gaussian dips around landmarks."""
    factor = np.ones(len(mean), np.float32)
    for mark, floor, radius in rigid:
        distance = np.linalg.norm(mean - marks[mark], axis=1)
        dip = 1 - (1 - floor) * np.exp(-0.5 * (distance / radius) ** 2)
        factor = np.minimum(factor, dip.astype(np.float32))
    return factor
