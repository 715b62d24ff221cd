import torch

from xpress.morphable.landmarks.landmark_names import MIRROR_68, MIRROR_CONTOURS
from xpress.morphable.mirror import expression_mirror, identity_mirror, mirror_parameters
from xpress.rendering.camera import project

WIDTHS = torch.tensor([192.0, 144.0, 200.0])
FLIP = torch.tensor([-1.0, 1.0])


def mirrored(model, known):
    changed = mirror_parameters(
        model,
        known["identity"],
        known["expression"],
        known["rotation"],
        known["translation"],
        WIDTHS,
    )
    return {**known, **changed}


def pixels(model, known):
    shape = model.vertices(known["identity"], known["expression"])
    return project(shape, known["rotation"], known["translation"], known["scale"])[..., :2]


def flipped(points):
    return points * FLIP + torch.stack([WIDTHS - 1, torch.zeros(3)], 1)[:, None]


def test_makes_the_vertices_of_the_mirrored_picture(model, plant):
    known, landmarks = plant(3, seed=8)
    face = model.parts["face"].vertex_stop
    expected = flipped(pixels(model, known)[:, :face])[:, model.mirror]
    error = (pixels(model, mirrored(model, known))[:, :face] - expected).norm(dim=-1)
    eyes = (landmarks[:, 36] - landmarks[:, 45]).norm(dim=-1)
    assert (error.mean(1) / eyes).max() < 0.01
    assert (error.amax(1) / eyes).max() < 0.06


def test_makes_the_landmarks_of_the_mirrored_picture(model, plant):
    known, landmarks = plant(3, seed=9)
    order = torch.cat([torch.from_numpy(MIRROR_68), torch.from_numpy(MIRROR_CONTOURS) + 68])
    expected = flipped(landmarks)[:, order]
    found = model.landmark_points(pixels(model, mirrored(model, known)))
    eyes = (landmarks[:, 36] - landmarks[:, 45]).norm(dim=-1)
    inner = torch.arange(206) >= 17
    error = (found - expected).norm(dim=-1)[:, inner].mean(1) / eyes
    assert error.max() < 0.02
    # and not by doing nothing
    assert ((landmarks - expected).norm(dim=-1).mean(1) / eyes).min() > 0.1


def test_twice_is_the_same_picture(model, plant):
    known, _ = plant(3, seed=10)
    twice = mirrored(model, mirrored(model, known))
    for name in ("expression", "rotation", "translation"):
        torch.testing.assert_close(twice[name], known[name])
    round_trip = identity_mirror(model) @ identity_mirror(model)
    assert (round_trip - torch.eye(len(round_trip))).abs().max() < 0.15


def test_sides_of_expressions(model):
    names = model.expression_names
    other = expression_mirror(names)
    assert [other[i] for i in other] == list(range(len(names)))
    pairs = {names[i]: names[j] for i, j in enumerate(other)}
    assert pairs["eyeBlink_L"] == "eyeBlink_R"
    assert pairs["jawRight"] == "jawLeft"
    assert pairs["jawOpen"] == "jawOpen"
