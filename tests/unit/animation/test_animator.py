"""The whole picture half, against rendered faces whose other expressions are known."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from xpress.animation.animator import FaceAnimator
from xpress.morphable.model import MorphableModel
from xpress.rendering.camera import project, rotate
from xpress.rendering.lighting import shade
from xpress.rendering.normals import vertex_normals
from xpress.rendering.rasterizers import get_rasterizer
from xpress.rendering.renderer import render
from xpress.structures import FaceParameters
from xpress.transfer.head_motion import HeadMotion

SIZE = 200
SCALE = 6.0


def activations(model: MorphableModel, **values: float) -> torch.Tensor:
    """(1, Ke) expression; a name without side sets both sides."""
    expression = torch.zeros(1, model.sizes[1])
    for name, value in values.items():
        for index, known in enumerate(model.expression_names):
            if known in (name, f"{name}_L", f"{name}_R"):
                expression[0, index] = value
    return expression


def face(
    model: MorphableModel, x: float = 100, y: float = 100, scale: float = SCALE, **values: float
) -> FaceParameters:
    """A slightly turned mean face under light from the upper left."""
    light = torch.zeros(1, 9, 3)
    light[:, 0], light[:, 1], light[:, 2], light[:, 3] = 2.6, 0.4, 0.5, -0.4
    return FaceParameters(
        identity=torch.zeros(1, model.sizes[0]),
        expression=activations(model, **values),
        color=torch.zeros(1, model.sizes[2]),
        illumination=light,
        rotation=torch.tensor([[0.03, 0.15, 0.05]]),
        translation=torch.tensor([[float(x), float(y)]]),
        scale=torch.tensor([scale]),
    )


def picture(
    model: MorphableModel, parameters: FaceParameters, height: int = SIZE, width: int = SIZE
) -> np.ndarray:
    """The face rendered by torch, with spots, before a grey wall."""
    vertices = model.vertices(parameters.identity, parameters.expression)
    normals = vertex_normals(rotate(vertices, parameters.rotation), model.triangles)
    spots = 1 + 0.2 * torch.sin(2 * model.mean[:, :1]) * torch.sin(2 * model.mean[:, 1:2])
    colors = model.mean_color * shade(normals, parameters.illumination) * spots
    projected = project(vertices, parameters.rotation, parameters.translation, parameters.scale)
    size = (height, width)
    drawn = render(projected, model.triangles, colors, size, background=0.5, antialias=False)
    image = drawn.image[0].clamp(0, 1)
    return (image * 255).round().byte().permute(1, 2, 0).contiguous().numpy()


@pytest.fixture(scope="module")
def animator(model: MorphableModel) -> FaceAnimator:
    return FaceAnimator(model)


def numbers(expression: torch.Tensor) -> np.ndarray:
    return expression[0].numpy()


def test_own_expression_returns_the_target_exactly(animator, model):
    parameters = face(model, jawOpen=0.3, mouthSmile=0.4, eyeBlink=0.2)
    image = picture(model, parameters)
    animator.set_target(image, parameters)
    frame = animator.render(numbers(parameters.expression))
    assert np.array_equal(frame, image)
    assert frame is not image


def test_a_hardly_changed_expression_hardly_changes_the_picture(animator, model):
    parameters = face(model, jawOpen=0.3)
    image = picture(model, parameters)
    animator.set_target(image, parameters)
    frame = animator.render(numbers(parameters.expression) + np.float32(1e-3))
    assert np.abs(frame.astype(int) - image).mean() < 0.3


def test_outside_the_region_every_pixel_stays(animator, model):
    parameters = face(model)
    image = picture(model, parameters, 400, 380)
    animator.set_target(image, parameters)
    frame = animator.render(numbers(activations(model, jawOpen=1, browInnerUp=1, eyeBlink=1)))
    x0, y0, x1, y1 = animator.last_region
    outside = np.ones(image.shape[:2], bool)
    outside[y0:y1, x0:x1] = False
    assert 0.3 < outside.mean() < 0.95
    assert np.array_equal(frame[outside], image[outside])
    # and the region's own border joins without a step
    for line in (np.s_[y0, x0:x1], np.s_[y1 - 1, x0:x1], np.s_[y0:y1, x0], np.s_[y0:y1, x1 - 1]):
        assert np.abs(frame[line].astype(int) - image[line]).max() <= 25
    assert (frame != image).any(axis=2).mean() > 0.05


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"mouthSmile": 0.8}),
        ({}, {"browInnerUp": 1.0, "browOuterUp": 1.0}),
        ({}, {"jawOpen": 0.7}),
        ({"jawOpen": 0.6}, {"jawOpen": 0.05}),
        ({}, {"eyeBlink": 1.0}),
        ({"mouthSmile": 0.6}, {"mouthPucker": 0.7}),
    ],
)
def test_the_skin_resembles_a_rendering_of_the_new_expression(animator, model, before, after):
    parameters = face(model, **before)
    image = picture(model, parameters)
    changed = parameters.replace(expression=activations(model, **after))
    truth = picture(model, changed).astype(float)
    animator.set_target(image, parameters)
    frame = animator.render(numbers(changed.expression)).astype(float)
    skin = trusted_skin(animator, model, changed)
    moved, left = (np.abs(truth - other)[skin].mean() for other in (image, frame))
    # a lid that closes keeps less of its rim than a rendering, because rims of photographs fit less
    assert left < (0.5 if "eyeBlink" in after else 0.4) * moved


def trusted_skin(animator, model, parameters: FaceParameters) -> np.ndarray:
    """(H, W) pixels where a rendering shows the face without ears, neck, eyes and mouth."""
    vertices = model.vertices(parameters.identity, parameters.expression)
    projected = project(vertices, parameters.rotation, parameters.translation, parameters.scale)
    seen = get_rasterizer("torch")(projected, model.triangles, (SIZE, SIZE)).face_index[0].numpy()
    skin = {tuple(corners) for corners in animator.anatomy.skin.tolist()}
    known = np.array([tuple(corners) in skin for corners in model.triangles.tolist()])
    return (seen >= 0) & known[seen]


def test_frames_do_not_depend_on_earlier_ones(animator, model):
    parameters = face(model)
    image = picture(model, parameters)
    first, second = (numbers(activations(model, jawOpen=v, eyeBlink=1 - v)) for v in (0.2, 0.9))
    animator.set_target(image, parameters)
    alone = animator.render(first)
    animator.render(second)
    assert np.array_equal(animator.render(first), alone)
    animator.set_target(picture(model, face(model, x=90)), face(model, x=90))
    animator.set_target(image, parameters)
    assert np.array_equal(animator.render(first), alone)


@pytest.mark.parametrize(
    ("height", "width", "x", "y", "scale"),
    [
        (200, 200, 0, 100, SCALE),  # cut by each border
        (200, 200, 199, 100, SCALE),
        (200, 200, 100, 10, SCALE),
        (200, 200, 100, 190, SCALE),
        (60, 60, 30, 30, 1.6),  # tiny
        (24, 24, 12, 12, 0.3),
        (900, 900, 450, 450, 60.0),  # larger than the picture
        (200, 200, -900, 100, SCALE),  # not in the picture at all
        (1, 1, 0, 0, SCALE),
    ],
)
def test_faces_at_borders_and_of_any_size(animator, model, height, width, x, y, scale):
    parameters = face(model, x=x, y=y, scale=scale, jawOpen=0.2)
    image = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    animator.set_target(image, parameters)
    frame = animator.render(numbers(activations(model, jawOpen=0.8, eyeBlink=1, mouthSmile=1)))
    x0, y0, x1, y1 = animator.last_region
    assert frame.shape == image.shape
    assert frame.dtype == np.uint8
    outside = np.ones((height, width), bool)
    outside[y0:y1, x0:x1] = False
    assert np.array_equal(frame[outside], image[outside])
    assert np.array_equal(animator.render(numbers(parameters.expression)), image)


def test_a_grey_picture_stays_grey(animator, model):
    parameters = face(model)
    grey = picture(model, parameters).mean(axis=2, keepdims=True).astype(np.uint8)
    animator.set_target(np.ascontiguousarray(grey.repeat(3, axis=2)), parameters)
    frame = animator.render(numbers(activations(model, jawOpen=1)))
    assert np.ptp(frame.astype(int), axis=2).max() <= 2


def test_light_is_estimated_where_none_is_given(animator, model):
    parameters = face(model)
    image = picture(model, parameters)
    animator.set_target(image, parameters)
    new = numbers(activations(model, mouthSmile=1, browInnerUp=1))
    known = animator.render(new).astype(float)
    dark = parameters.replace(illumination=torch.zeros(1, 9, 3))
    animator.set_target(image, dark)
    assert np.abs(animator.render(new) - known).mean() < 1.0


def test_bones_stay(animator, model):
    """The nose's bridge and the eyes' corners move less than 1% of the eyes' distance."""
    mean = model.landmarks68(model.mean[None])[0]
    distance = float((mean[36] - mean[45]).norm())
    rigid = [27, 28, 36, 39, 42, 45]
    for index in range(model.sizes[1]):
        one = np.zeros(model.sizes[1], np.float32)
        one[index] = 1
        offsets = torch.from_numpy(animator.evaluator.offsets(one))
        moved = model.landmarks68(offsets[None])[0, rigid, :2].norm(dim=1)
        assert float(moved.max()) < 0.01 * distance, model.expression_names[index]


def test_without_mouth_painting_the_rest_is_the_same(model):
    parameters = face(model)
    image = picture(model, parameters)
    new = numbers(activations(model, jawOpen=0.8, browInnerUp=1))
    frames = []
    for mouth in ("model", "none"):
        animator = FaceAnimator(model, mouth=mouth)
        animator.set_target(image, parameters)
        frames.append(animator.render(new))
    differs = (frames[0] != frames[1]).any(axis=2)
    rows, columns = np.nonzero(differs)
    lips = project(
        model.vertices(parameters.identity, parameters.expression),
        parameters.rotation,
        parameters.translation,
        parameters.scale,
    )[0, model.inner_lip_loop]
    assert differs.sum() > 50
    assert rows.min() > lips[:, 1].min() - 25
    assert abs(columns.mean() - float(lips[:, 0].mean())) < 10


def test_stages_are_timed(animator, model):
    parameters = face(model)
    animator.timings.clear()
    animator.set_target(picture(model, parameters), parameters)
    animator.render(numbers(activations(model, jawOpen=1)))
    assert {"target", "mesh", "flow", "warp", "eyes", "mouth", "composite"} <= set(animator.timings)
    assert all(seconds > 0 for seconds in animator.timings.values())


def test_twins_draw_the_same_frames_at_the_same_time(model):
    target = face(model)
    image = picture(model, target)
    first = FaceAnimator(model, "model")
    first.set_target(image, target)
    twins = [first.twin() for _ in range(2)]
    wanted = []
    for jaw in (0.2, 0.6, 0.9, 0.4):
        expression = target.expression[0].numpy().copy()
        expression[model.expression_names.index("jawOpen")] = jaw
        wanted.append((expression, HeadMotion(np.array([0.0, jaw / 5, 0.0]), np.zeros(2))))
    alone = [first.render(*task) for task in wanted]
    with ThreadPoolExecutor(2) as pool:
        for drawn in pool.map(lambda twin: [twin.render(*task) for task in 3 * wanted], twins):
            assert all(map(np.array_equal, drawn, 3 * alone))


def test_a_twins_own_target_leaves_the_first_ones(model):
    target = face(model)
    image = picture(model, target)
    first = FaceAnimator(model, "model")
    first.set_target(image, target)
    expression = target.expression[0].numpy().copy()
    expression[model.expression_names.index("jawOpen")] = 0.8
    before = first.render(expression)
    first.twin().set_target(np.zeros_like(image), target)
    assert np.array_equal(first.render(expression), before)
