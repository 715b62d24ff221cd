import pytest
import torch

from xpress.models.face_autoencoder.decoder import FaceDecoder, inner_face_mask
from xpress.models.face_autoencoder.skin import SkinModel, skin_loss
from xpress.morphable.model import MorphableModel
from xpress.rendering.camera import rotate
from xpress.rendering.lighting import SH_0
from xpress.rendering.normals import vertex_normals
from xpress.structures import FaceParameters

SIZE = 96


@pytest.fixture(scope="module")
def model():
    return MorphableModel.default()


@pytest.fixture(scope="module")
def skin(model):
    return SkinModel(model, 300)


@pytest.fixture
def parameters(model):
    identity, expression, color = model.sizes
    generator = torch.Generator().manual_seed(0)
    light = 0.1 * torch.randn(2, 9, 3, generator=generator)
    light[:, 0] = 0.8 / SH_0
    return FaceParameters(
        identity=torch.randn(2, identity, generator=generator),
        expression=0.3 * torch.rand(2, expression, generator=generator),
        color=torch.randn(2, color, generator=generator),
        illumination=light,
        rotation=torch.tensor([[0.1, 0.3, 0.0], [0.0, -0.2, 0.1]]),
        translation=torch.full((2, 2), SIZE / 2),
        scale=torch.full((2,), SIZE / 25),
    )


def test_vertices_lie_on_the_front_of_the_face(model, skin):
    front = model.mean[inner_face_mask(model) > 0]
    chosen = skin.mean[: skin.count]
    assert len(chosen) == 300
    assert (chosen[:, None] == front).all(-1).any(1).all()
    assert len(torch.unique(chosen, dim=0)) == 300


def test_points_and_colors_are_the_whole_models(model, skin, parameters):
    shape = model.vertices(parameters.identity, parameters.expression)
    rows = torch.cdist(skin.mean[: skin.count], model.mean).argmin(1)
    normals = vertex_normals(rotate(shape, parameters.rotation), model.triangles)[:, rows]
    decoder = FaceDecoder(model, "numba", ("face",))
    colors = decoder.vertex_colors(shape, parameters)[:, rows]
    points, own, facing = skin(parameters)
    torch.testing.assert_close(own, colors, atol=2e-4, rtol=0)
    torch.testing.assert_close(facing, normals[..., 2], atol=2e-4, rtol=0)
    assert points.shape == (2, 300, 2)


def test_a_rendered_face_has_hardly_any_error_and_another_light_has(model, skin, parameters):
    image = FaceDecoder(model, "numba")(parameters, (SIZE, SIZE)).image
    exact = skin_loss(skin, parameters, image)
    dim = skin_loss(skin, parameters.replace(illumination=parameters.illumination * 0.7), image)
    assert exact.max() < 0.02
    assert dim.min() > 3 * exact.max()


def test_descent_finds_colour_and_light_and_leaves_geometry(model, skin, parameters):
    image = FaceDecoder(model, "numba")(parameters, (SIZE, SIZE)).image
    light = torch.zeros(2, 9, 3)
    light[:, 0] = 0.6 / SH_0
    learned = {"color": torch.zeros_like(parameters.color), "illumination": light}
    geometry = {"identity": parameters.identity.clone(), "rotation": parameters.rotation.clone()}
    for value in (*learned.values(), *geometry.values()):
        value.requires_grad_(True)
    start = parameters.replace(**learned, **geometry)
    optimizer = torch.optim.Adam(learned.values(), 0.05)
    before = skin_loss(skin, start, image)
    for _ in range(60):
        optimizer.zero_grad()
        skin_loss(skin, start, image).sum().backward()
        optimizer.step()
    assert (skin_loss(skin, start, image) < 0.3 * before).all()
    assert geometry["identity"].grad is None
    assert geometry["rotation"].grad is None


def test_an_occluder_is_dropped(model, skin, parameters):
    image = FaceDecoder(model, "numba")(parameters, (SIZE, SIZE)).image.clone()
    image[:, :, 60:66, 40:52] = 1.0
    plain = skin_loss(skin, parameters, image, robust=float("inf"))
    robust = skin_loss(skin, parameters, image)
    assert (robust < 0.5 * plain).all()


def test_a_face_outside_the_picture_costs_nothing(skin, parameters):
    image = torch.rand(2, 3, SIZE, SIZE)
    away = parameters.replace(translation=torch.full((2, 2), 1e4))
    assert skin_loss(skin, away, image).max() < 2e-3
