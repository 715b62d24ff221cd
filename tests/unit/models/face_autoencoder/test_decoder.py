import torch

from xpress.models.face_autoencoder.code import CodeLayout
from xpress.models.face_autoencoder.decoder import FaceDecoder, inner_face_mask
from xpress.rendering.lighting import ambient

SIZE = (64, 64)


def middle(layout, count=1):
    return layout.parameters(torch.zeros(count, layout.outputs))


def test_even_light_shows_the_albedo(model, layout):
    parameters = middle(layout).replace(illumination=ambient(1, 0.5))
    decoder = FaceDecoder(model)
    shape = model.vertices(parameters.identity, parameters.expression)
    colors = decoder.vertex_colors(shape, parameters)
    torch.testing.assert_close(colors[0], 0.5 * model.mean_color, atol=1e-4, rtol=0)
    rendering = decoder(parameters, SIZE)
    assert rendering.image.shape == (1, 3, *SIZE)
    assert rendering.image.max() <= 0.5 * model.mean_color.max() + 1e-4
    assert (rendering.image * ~rendering.mask).eq(0).all()


def test_light_from_above_stays_above_when_the_head_turns(model, layout):
    light = torch.zeros(1, 9, 3)
    light[:, 0], light[:, 1] = 2.0, 1.0  # constant and y
    upright = middle(layout).replace(illumination=light)
    turned = upright.replace(rotation=torch.tensor([[0.0, 0.0, torch.pi / 2]]))
    decoder = FaceDecoder(model)
    for parameters in (upright, turned):
        shape = model.vertices(parameters.identity, parameters.expression)
        shading = decoder.vertex_colors(shape, parameters)[0] / model.mean_color.clamp_min(1e-3)
        face = slice(0, model.parts["face"].vertex_stop)
        x, y = shape[0, face, 0], shape[0, face, 1]
        up = y if parameters is upright else x  # turned to the left, the face's right is up
        high, low = up > up.quantile(0.9), up < up.quantile(0.1)
        assert shading[face][high].mean() > shading[face][low].mean() + 0.1


def test_only_the_named_parts_are_drawn(model, layout):
    eyes = FaceDecoder(model, parts=("eyeball_left", "eyeball_right"))(middle(layout), SIZE)
    whole = FaceDecoder(model)(middle(layout), SIZE)
    assert 0 < eyes.mask.sum() < 0.2 * whole.mask.sum()


def test_inner_face_is_the_front_of_the_skin(model):
    mask = inner_face_mask(model)
    assert mask.shape == (len(model.mean),)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    face = model.parts["face"].vertex_stop
    assert mask[face:].eq(0).all()
    assert 0.3 < mask[:face].mean() < 0.9
    mean = model.mean[:face]
    for vertex, inside in (
        (mean[:, 2].argmax(), 1.0),  # tip of the nose
        (mean[:, 0].argmax(), 0.0),  # ear
        (mean[:, 1].argmax(), 0.0),  # scalp
        (mean[:, 1].argmin(), 0.0),  # neck
    ):
        assert mask[vertex] == inside


def test_gradients_reach_every_parameter(model):
    layout = CodeLayout(*model.sizes, 64)
    code = 0.1 * torch.randn(1, layout.outputs, generator=torch.Generator().manual_seed(0))
    code.requires_grad_()
    picture = torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    rendering = FaceDecoder(model)(layout.parameters(code), SIZE)
    ((rendering.image - picture).square() * rendering.mask).sum().backward()
    assert code.grad.isfinite().all()
    for part in code.grad.split((*layout.lengths[:-1], 1), dim=1)[:-1]:
        assert part.abs().sum() > 0
