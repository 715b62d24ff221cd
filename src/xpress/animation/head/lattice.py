"""A lattice over a target's head and shoulders: how deep points lie, how far they follow."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8

from xpress.animation.openings.anatomy import JAW
from xpress.animation.warping.backward_flow import extend, vertex_maps
from xpress.animation.warping.mesh_evaluator import camera_normals
from xpress.animation.warping.raster import Grid
from xpress.morphable.face_model import FaceModel

CELL = 0.6
"""Centimetres between two points of the lattice."""
MOST = 110
"""Points along its longer side, at most."""
BESIDE, ABOVE, BELOW = 15.0, 13.0, 28.0
"""Centimetres from the ears, the hairline and the chin to the border of the lattice."""
ELLIPSOID = np.array([[0.0, 3.0, 0.5], [10.0, 14.5, 11.0]])
"""Centre and radii (model space) of the head with its hair: depth where there is no mesh."""
SKULL_MIDDLE, SKULL = 4.0, (7.4, 9.2)
"""Height (model y) of the ears, and half the width and the height above them of a bald head."""
AWAY = 5.5
"""Centimetres from the skull beyond which there is background, above the mouth."""
TRUSTED, SMOOTH, JOIN = 6706, 1.6, 1.5
"""Vertices of the narrow face, whose depth is believed; the blur of the depth elsewhere, as ears
and neck may be under hair, and the width over which one passes into the other, centimetres."""
JAW_RANGE = (-8.0, -3.0)
"""Height (model y) where the neck begins: under the chin, and beside the jaw."""
GRAZED = 6.0
"""Shortest cut (cm) of the picture's border through a person that counts."""
NECK = 13.0
"""Centimetres under it where nothing follows the head any more."""
HALO = 5.0
"""Centimetres around the head over which what surrounds it is dragged along less and less."""
HAIR_REACH, FAR = 5.0, 8.0
"""Centimetres from a bald head up to which all that is cut out follows it, and over which ever
less of it does: it may be background."""
EDGE = 7.0
"""Centimetres from the picture's border over which a head that is cut off by it is held there."""


@dataclass(frozen=True)
class HeadLattice:
    """Points over the target's picture, row by row, relative to where the model's origin lands.

    Attributes:
        grid: its cells' centres are the points.
        points: right, down and towards the viewer, pixels.
        normals: of the skin in camera space (y up); zero beyond the face's mesh.
        lit: how far a point is skin of the mesh, in [0, 1].
        seeds: `cv2.GC_*`: what belongs to the person for sure, probably, probably not.
        outside: distance from where a head without hair ends, about centimetres; negative inside.
        height: model y (cm).
        jaw: where the neck begins at each point's place across the face, model y.
        triangles: of the points with a ring of further ones around them.
    """

    grid: Grid
    points: Float32[np.ndarray, "N 3"]
    normals: Float32[np.ndarray, "N 3"]
    lit: Float32[np.ndarray, " N"]
    seeds: UInt8[np.ndarray, "R C"]
    outside: Float32[np.ndarray, "R C"]
    height: Float32[np.ndarray, "R C"]
    jaw: Float32[np.ndarray, "R C"]
    triangles: Int32[np.ndarray, "F 3"]


def head_grid(projected: Float32[np.ndarray, "V 3"], unit: float, height: int, width: int) -> Grid:
    """The raster around a projected head (face, ears and neck), inside the picture."""
    low, high = projected[:, :2].min(0), projected[:, :2].max(0)
    low, high = low - unit * np.array([BESIDE, ABOVE]), high + unit * np.array([BESIDE, BELOW - 8])
    low = np.clip(low, 0, (width - 4, height - 4))
    high = np.clip(high, low + 4, (width, height))
    zoom = min(1 / (CELL * unit), MOST / float((high - low).max()), 1.0)
    return Grid.over(low, high, zoom)


def head_lattice(
    model: FaceModel,
    projected: Float32[np.ndarray, "V 3"],
    linear: Float32[np.ndarray, "3 3"],
    offset: Float32[np.ndarray, "3"],
    image_size: tuple[int, int],
) -> HeadLattice:
    """The lattice of a target's head.

    Args:
        model: the face model.
        projected: all vertices in pixels.
        linear: see `Projection`.
        offset: see `Projection`.
        image_size: height and width of the picture.
    """
    part = model.parts["face"]
    vertices = projected[: part.vertex_stop]
    triangles = np.ascontiguousarray(model.part_triangles("face").astype(np.int32))
    unit = float(np.linalg.norm(linear[0]))
    grid = head_grid(vertices, unit, *image_size)
    normals = camera_normals(vertices, triangles)
    narrow = (np.arange(len(vertices)) < TRUSTED).astype(np.float32)
    attributes = np.column_stack([vertices[:, 2], normals, narrow]).astype(np.float32)
    maps, known, _ = vertex_maps(grid, vertices, triangles, attributes)
    x, y = _pixels(grid)
    across, up = x - offset[0], y - offset[1]
    turned = linear.T / unit**2  # pixels back to model space
    ellipsoid = _ellipsoid_depth(across, up, linear, unit)
    skin = cv2.blur(known.astype(np.float32), (3, 3)) * known
    depth = _depth(maps[..., 0], known, maps[..., 4] > 0.5, ellipsoid, unit * grid.zoom[0])
    points = np.stack([across, up, depth], axis=-1).astype(np.float32)
    in_model = points @ turned
    jaw = _jaw_line(model, in_model[..., 0])
    shown = maps[..., 1:4] * known[..., None]
    return HeadLattice(
        grid,
        points.reshape(-1, 3),
        np.ascontiguousarray(shown.reshape(-1, 3)),
        skin.ravel(),
        *_seeds(in_model, jaw, known),
        np.ascontiguousarray(in_model[..., 1]),
        jaw,
        _triangles(grid.size[0] + 2, grid.size[1] + 2),
    )


def follow_weights(
    lattice: HeadLattice, person: Bool[np.ndarray, "R C"], unit: float
) -> Float32[np.ndarray, " N"]:
    """How far each point follows the head: all of it, and ever less over neck and surroundings.

    Args:
        lattice: of the head.
        person: where its points show the person.
        unit: pixels per centimetre.
    """
    cell = 1 / (lattice.grid.zoom[0] * unit)  # centimetres
    head = person & (lattice.height > lattice.jaw - NECK)
    away = cv2.distanceTransform((~head).astype(np.uint8), cv2.DIST_L2, 5) * cell
    beside = 1 - _smooth(away / HALO)
    beside *= 1 - _smooth((lattice.outside - HAIR_REACH) / FAR)
    below = 1 - _smooth((lattice.jaw - lattice.height) / NECK)
    weight = (beside * below).astype(np.float32)
    weight = cv2.GaussianBlur(weight, (0, 0), 1.5)
    return weight.ravel()


def border_hold(
    lattice: HeadLattice,
    person: Bool[np.ndarray, "R C"],
    image_size: tuple[int, int],
    unit: float,
) -> Float32[np.ndarray, "4 N"]:
    """How freely each point may move to the right, left, down and up.

    Where the picture's border cuts the person off, nothing may move away from it, as nothing is
    known beyond; it may leave the picture there. Where the lattice ends within the picture,
    nothing moves.

    Args:
        lattice: of the head.
        person: where its points show the person.
        image_size: height and width of the picture.
        unit: pixels per centimetre.
    """
    grid = lattice.grid
    x0, y0, x1, y1 = grid.box
    x, y = _pixels(grid)
    distance = (x - x0, x1 - 1 - x, y - y0, y1 - 1 - y)
    ends = (x0 <= 0, x1 >= image_size[1], y0 <= 0, y1 >= image_size[0])
    edges = (person[:, :1], person[:, -1:], person[:1], person[-1:])
    cells = unit * grid.zoom[0]
    sigma, short = EDGE / 3 * cells, np.ones((2 * round(GRAZED / 2 * cells) + 1,) * 2, np.uint8)
    inward, inside = [], np.ones(grid.size, np.float32)
    for far, picture, edge in zip(distance, ends, edges, strict=True):
        ramp = _smooth(far / (EDGE * unit)).astype(np.float32)
        # a head whose top only grazes the border is whole
        reach = cv2.morphologyEx(edge.astype(np.uint8), cv2.MORPH_OPEN, short)
        reach = np.broadcast_to(reach, grid.size)
        reach = cv2.dilate(reach, np.ones((2 * int(2 * sigma) + 1,) * 2, np.uint8))
        cut = cv2.GaussianBlur(reach.astype(np.float32), (0, 0), sigma)
        inward.append(1 - cut * (1 - ramp))
        if not picture:
            inside = np.minimum(inside, ramp)
    return np.stack([np.minimum(inside, free).ravel() for free in inward])


def _pixels(grid: Grid) -> tuple[Float32[np.ndarray, "R C"], Float32[np.ndarray, "R C"]]:
    """Where the cells' centres lie in the picture; those at the border lie on it."""
    (zoom_x, zoom_y), (rows, columns) = grid.zoom, grid.size
    x = grid.box[0] + (np.arange(columns, dtype=np.float32) + 0.5) / zoom_x - 0.5
    y = grid.box[1] + (np.arange(rows, dtype=np.float32) + 0.5) / zoom_y - 0.5
    across, down = np.meshgrid(x, y)
    return across, down


def _ellipsoid_depth(across, up, linear, unit: float) -> Float32[np.ndarray, "R C"]:
    """Depth in pixels of the ellipsoid's front, and of its rim's plane beyond it."""
    centre, radii = ELLIPSOID
    middle = centre @ linear
    x, y = (across - middle[0]) / (unit * radii[0]), (up - middle[1]) / (unit * radii[1])
    bulge = np.sqrt(np.maximum(1 - x * x - y * y, 0))
    return (middle[2] + unit * radii[2] * bulge).astype(np.float32)


def _depth(depth, known, narrow, ellipsoid, cells: float) -> Float32[np.ndarray, "R C"]:
    """The mesh's depth, smoothed where it may lie under hair, running into the ellipsoid's.

    Args:
        depth: of the mesh, pixels.
        known: where there is mesh.
        narrow: where it is the face without ears and neck.
        ellipsoid: depth of the head's model, pixels.
        cells: of the lattice per centimetre.
    """
    over = ((depth - ellipsoid) * known)[..., None]
    extend(over, known)
    rough = cv2.GaussianBlur(over[..., 0], (0, 0), SMOOTH * cells)
    near = cv2.distanceTransform(narrow.astype(np.uint8), cv2.DIST_L2, 5) / (JOIN * cells)
    share = _smooth(near)
    calm = cv2.GaussianBlur(over[..., 0], (0, 0), 0.8)
    return rough + share * (calm - rough) + ellipsoid


def _jaw_line(model: FaceModel, across: Float32[np.ndarray, "R C"]) -> Float32[np.ndarray, "R C"]:
    jaw = model.landmarks68(model.mean[None])[0][JAW]
    order = np.argsort(jaw[:, 0])
    line = np.interp(across, jaw[order, 0], jaw[order, 1])
    return line.clip(*JAW_RANGE).astype(np.float32)


def _seeds(in_model, jaw, known) -> tuple[UInt8[np.ndarray, "R C"], Float32[np.ndarray, "R C"]]:
    """Sure and likely sides for GrabCut, and centimetres outside of where hair is expected."""
    x, y = in_model[..., 0], in_model[..., 1]
    outside = _outside_skull(x, y)
    likely = outside < AWAY
    sure = cv2.erode(known.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    sure |= (outside < 0) & (y > 0)
    seeds = np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seeds[(outside > AWAY) & (y > 0)] = cv2.GC_BGD
    seeds[sure] = cv2.GC_FGD
    return seeds, outside


def _outside_skull(x, y) -> Float32[np.ndarray, "R C"]:
    """Distance from an upright half ellipse that goes on straight downwards, about centimetres."""
    wide, high = SKULL
    out = np.hypot(x / wide, np.maximum(y - SKULL_MIDDLE, 0) / high) - 1
    return (out * wide).astype(np.float32)


def _triangles(rows: int, columns: int) -> Int32[np.ndarray, "F 3"]:
    """Two to a square, their front to the viewer."""
    index = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    a, b = index[:-1, :-1].ravel(), index[:-1, 1:].ravel()
    c, d = index[1:, :-1].ravel(), index[1:, 1:].ravel()
    return np.concatenate([np.column_stack([a, c, b]), np.column_stack([b, c, d])])


def _smooth(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)
