"""What a generator paints lands in the hole between the new lips, and nowhere else."""

import cv2
import numpy as np
import pytest
import torch

from xpress.animation.animator import FaceAnimator
from xpress.animation.openings.anatomy import MOUTH_PARTS
from xpress.morphable.model import MorphableModel
from xpress.morphable.teeth import teeth_rows
from xpress.rendering.camera import project
from xpress.rendering.rasterizers import get_rasterizer
from xpress.structures import FaceParameters

SIZE = 240
SKIN = (180, 140, 120)
MAGENTA, GREEN = (250.0, 10.0, 250.0), (10.0, 250.0, 10.0)


class Painter:
    """Paints all of a crop in one colour, or what `paint` says, and notes what it was given."""

    size, ratio = 96, 1.5

    def __init__(self, color=MAGENTA, paint=None) -> None:
        self.color, self.own, self.given = color, paint, []

    def __call__(self, picture, hole, teeth, reference):
        self.given.append((picture.copy(), hole.copy(), teeth, reference))
        shares = np.zeros((self.size, self.size, 2), np.float32)
        if self.own is not None:
            return self.own(picture, hole), shares
        return np.full((self.size, self.size, 3), self.color, np.float32), shares


class Copier(Painter):
    """Paints what the upper layer of the reference shows, and magenta elsewhere."""

    def __call__(self, picture, hole, teeth, reference):
        painted, shares = super().__call__(picture, hole, teeth, reference)
        shares[..., 0] = reference[0, ..., 3] / 255
        painted += shares[..., :1] * (reference[0, ..., :3] - painted)
        return painted, shares


def expression(model: MorphableModel, **values: float) -> np.ndarray:
    names = model.expression_names
    return np.array([values.get(n, values.get(n[:-2], 0.0)) for n in names], np.float32)


def face(model: MorphableModel, scale=9.0, x=120.0, y=110.0, **values: float) -> FaceParameters:
    return FaceParameters(
        identity=torch.zeros(1, model.sizes[0]),
        expression=torch.from_numpy(expression(model, **values))[None],
        color=torch.zeros(1, model.sizes[2]),
        illumination=torch.zeros(1, 9, 3),
        rotation=torch.tensor([[0.0, 0.1, 0.0]]),
        translation=torch.tensor([[x, y]]),
        scale=torch.tensor([scale]),
    )


def skin(size: int = SIZE) -> np.ndarray:
    return np.full((size, size, 3), SKIN, np.uint8)


def rendered(model, painter, image=None, before=None, scale=9.0, **after: float) -> np.ndarray:
    animator = FaceAnimator(model, painter)
    image = skin() if image is None else image
    animator.set_target(image, face(model, scale, **(before or {})))
    return animator.render(expression(model, **after))


def seen_parts(model: MorphableModel, parameters: FaceParameters) -> np.ndarray:
    """True where the reference rasteriser sees the inside of the mouth."""
    vertices = model.vertices(parameters.identity, parameters.expression)
    points = project(vertices, parameters.rotation, parameters.translation, parameters.scale)
    seen = get_rasterizer("torch")(points, model.triangles, (SIZE, SIZE)).face_index[0].numpy()
    inner = {
        tuple(corners)
        for part in MOUTH_PARTS
        for corners in model.part_triangles(part).numpy().tolist()
    }
    known = np.array([tuple(corners) in inner for corners in model.triangles.tolist()])
    return (seen >= 0) & known[seen]


def grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1,) * 2)
    return cv2.dilate(mask.astype(np.uint8), disc) > 0


@pytest.mark.parametrize("jaw", [0.15, 0.4, 0.9])
def test_the_hole_and_its_feather_are_painted_and_nothing_else(model, jaw):
    frames = [
        rendered(model, Painter(color), jawOpen=jaw).astype(int) for color in (MAGENTA, GREEN)
    ]
    truth = seen_parts(model, face(model, jawOpen=jaw))
    painted = np.abs(frames[0] - np.array(MAGENTA)).max(2) <= 1
    touched = (frames[0] != frames[1]).any(2)
    assert truth.sum() > 60
    inner = ~grown(~truth, 1)
    assert painted[inner].mean() > 0.97
    assert not touched[~grown(truth, 4)].any()


def test_closed_lips_need_no_generator(model):
    painter = Painter()
    frame = rendered(model, painter, mouthSmile=0.6, browInnerUp=0.8, eyeBlink=1.0)
    assert painter.given == []
    assert np.array_equal(
        frame, rendered(model, "model", mouthSmile=0.6, browInnerUp=0.8, eyeBlink=1.0)
    )
    rendered(model, painter, jawOpen=0.5)
    assert len(painter.given) == 1


def test_the_hole_comes_softly(model):
    """Lips that part by ever so little never show the generator at full strength at once."""
    shares = []
    for jaw in np.linspace(0, 0.2, 41):
        frames = [rendered(model, Painter(c), jawOpen=jaw).astype(int) for c in (MAGENTA, GREEN)]
        shares.append(np.abs(frames[0] - frames[1]).max() / 240)
    assert shares[0] == 0
    assert shares[-1] == 1
    assert np.diff(shares).max() < 0.7


def test_it_lands_where_it_was_cut(model):
    """A painter of its own coordinates, against the landmarks of the torch path."""

    def coordinates(picture, hole):
        rows, columns = np.indices(hole.shape)
        return np.stack([columns * 2.5, rows * 2.5, 0 * rows], axis=2).astype(np.float32)

    for scale in (4.0, 9.0):
        frame = rendered(model, Painter(paint=coordinates), scale=scale, jawOpen=0.8)
        after = face(model, scale, jawOpen=0.8)
        points = project(
            model.vertices(after.identity, after.expression),
            after.rotation,
            after.translation,
            after.scale,
        )
        lips = model.landmarks68(points)[0, 48:60, :2].numpy()
        left, right = lips[lips[:, 0].argmin()], lips[lips[:, 0].argmax()]
        zoom = 96 / (1.5 * np.linalg.norm(right - left))
        center = (lips.min(0) + lips.max(0)) / 2
        inner = ~grown(~seen_parts(model, after), 2)
        rows, columns = np.nonzero(inner)
        expected = (np.stack([columns, rows], axis=1) - center) * zoom + 47.5
        shift = frame[inner][:, :2] / 2.5 - expected
        assert len(rows) > 20
        assert np.abs(np.median(shift, axis=0)).max() < 0.5
        assert np.abs(shift - np.median(shift, axis=0)).max() < 0.7


@pytest.mark.parametrize("opened", [0.1, 0.6])
def test_the_generator_is_shown_lips_and_no_rest_of_the_old_mouth(model, opened):
    """The target's own green inside reaches the crop nowhere outside the new lips."""
    before = {"jawOpen": opened}
    image = skin()
    image[grown(seen_parts(model, face(model, **before)), 1)] = (0, 255, 0)
    assert (image[..., 1] > 200).sum() > 100
    for after in ({"jawOpen": 0.25}, {"jawOpen": 0.9}, {"jawOpen": 0.3, "mouthSmile": 0.8}):
        painter = Painter()
        rendered(model, painter, image, before, **after)
        ((picture, hole, _, _),) = painter.given
        assert set(np.unique(hole)) == {0, 1}
        assert hole.sum() > 100
        outside = picture[hole == 0].astype(int)
        assert (outside[:, 1] - outside[:, 0]).max() < 0


@pytest.mark.parametrize("jaw", [0.08, 0.12, 0.2, 0.5])
@pytest.mark.parametrize("scale", [3.0, 9.0])
def test_partly_open_lips_have_no_white_rim(model, jaw, scale):
    """A generator that is perfect, dark inside and unchanged around, leaves nothing bright."""

    def dark(picture, hole):
        filled = np.where(hole[..., None] > 0, 255, picture)
        return np.where(hole[..., None] > 0, 30, filled).astype(np.float32)

    frame = rendered(model, Painter(paint=dark), scale=scale, jawOpen=jaw)
    without = rendered(model, "none", scale=scale, jawOpen=jaw)
    assert (frame.astype(int) - without).max() < 12


def test_a_grey_picture_stays_grey(model):
    grey = np.full((SIZE, SIZE, 3), 140, np.uint8)
    frame = rendered(model, Painter((200.0, 40.0, 40.0)), grey, jawOpen=0.8)
    assert np.ptp(frame.astype(int), axis=2).max() <= 1
    assert (frame < 110).any()
    colored = rendered(model, Painter((200.0, 40.0, 40.0)), jawOpen=0.8)
    assert np.ptp(colored.astype(int), axis=2).max() > 150


SMILING = {"jawOpen": 0.4, "mouthUpperUp": 0.8}


def smiling(model, scale=9.0) -> np.ndarray:
    """White and grey stripes, one of them a pixel wide, between the lips."""
    image = skin()
    inside = grown(seen_parts(model, face(model, scale, **SMILING)), 1)
    stripes = np.where(np.arange(SIZE) % 8 == 0, 190, 240).astype(np.uint8)
    image[inside] = np.tile(stripes[:, None], (SIZE, 1, 3))[inside]
    return image


@pytest.mark.parametrize("scale", [5.0, 9.0])
def test_upper_teeth_stay_where_the_target_shows_them(model, scale):
    image, after = smiling(model, scale), {"jawOpen": 0.9, "mouthUpperUp": 0.8}
    painter = Copier()
    frame = rendered(model, painter, image, SMILING, scale, **after)
    shown = ~grown(~seen_parts(model, face(model, scale, **after)), 3)
    shown &= ~grown(~seen_parts(model, face(model, scale, **SMILING)), 3)
    assert shown.sum() > 20
    # The stripes are thinner than a pixel of the crop where the face is large.
    assert np.abs(frame.astype(int) - image)[shown].mean() < 6
    magenta = np.abs(frame.astype(int) - np.array(MAGENTA)).max(2) < 5
    assert magenta.sum() > 20  # below, where the target shows nothing


def test_lower_teeth_move_with_the_jaw(model):
    painter = Painter()
    rendered(model, painter, smiling(model), SMILING, jawOpen=0.8, mouthUpperUp=0.8)
    ((_, _, teeth, reference),) = painter.given
    heights = [np.argwhere(layer[..., 3] > 128)[:, 0].mean() for layer in reference]
    after, before = face(model, jawOpen=0.8, mouthUpperUp=0.8), face(model, **SMILING)
    points = [
        project(model.vertices(f.identity, f.expression), f.rotation, f.translation, f.scale)
        for f in (after, before)
    ]
    lower = [p[0, teeth_rows(model)[1].ravel(), 1].mean() for p in points]
    lips = model.landmarks68(points[0])[0, 48:60, 0]
    zoom = 96 / (1.5 * float(lips.max() - lips.min()))
    assert heights[1] - heights[0] == pytest.approx(float(lower[0] - lower[1]) * zoom, rel=0.1)
    centers = [np.argwhere(mask > 128)[:, 0].mean() for mask in teeth]
    assert centers[0] < centers[1]


def test_closed_lips_give_no_reference_and_a_frame_that_smiles_is_remembered(model):
    painter = Painter()
    animator = FaceAnimator(model, painter)
    frames = [(skin(), {}), (smiling(model), SMILING), (skin(), {})]
    known = []
    for image, before in frames:
        animator.set_target(image, face(model, **before))
        animator.render(expression(model, jawOpen=0.9))
        known.append(bool(painter.given[-1][3].any()))
    assert known == [False, True, True]


def test_a_frame_that_shows_hardly_more_changes_nothing(model):
    painter = Painter()
    animator = FaceAnimator(model, painter)
    for _ in range(2):
        animator.set_target(smiling(model), face(model, **SMILING))
        animator.render(expression(model, jawOpen=0.9))
    (*_, first), (*_, second) = painter.given
    assert np.array_equal(first, second)


def test_frames_do_not_depend_on_earlier_ones(model):
    painter = Painter(paint=lambda picture, hole: picture.astype(np.float32))
    image = np.random.default_rng(0).integers(60, 200, (SIZE, SIZE, 3), np.uint8)
    animator = FaceAnimator(model, painter)
    animator.set_target(image, face(model))
    first, second = (expression(model, jawOpen=v) for v in (0.3, 0.9))
    alone = animator.render(first)
    animator.render(second)
    assert np.array_equal(animator.render(first), alone)


@pytest.mark.parametrize(
    ("size", "x", "y", "scale"),
    [
        (240, 0.0, 110.0, 9.0),  # cut by each border
        (240, 239.0, 110.0, 9.0),
        (240, 120.0, -50.0, 9.0),
        (240, 120.0, 235.0, 9.0),
        (40, 20.0, 20.0, 1.2),  # tiny
        (16, 8.0, 8.0, 0.2),
        (700, 350.0, 300.0, 60.0),  # larger than the picture
        (240, -900.0, 110.0, 9.0),  # not in the picture
        (1, 0.0, 0.0, 6.0),
    ],
)
def test_faces_at_borders_and_of_any_size(model, size, x, y, scale):
    image = np.random.default_rng(1).integers(0, 256, (size, size, 3), np.uint8)
    animator = FaceAnimator(model, Painter())
    animator.set_target(image, face(model, scale, x, y))
    frame = animator.render(expression(model, jawOpen=0.8, mouthSmile=0.5))
    x0, y0, x1, y1 = animator.last_region
    outside = np.ones((size, size), bool)
    outside[y0:y1, x0:x1] = False
    assert np.array_equal(frame[outside], image[outside])
