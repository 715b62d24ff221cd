import torch

from xpress.preparation.painting import IRIS, PUPIL, SCLERA, paint_inner_parts


def block(model, colors, name):
    part = model.parts[name]
    return colors[part.vertex_start : part.vertex_stop]


def test_paints_all_but_the_face(model):
    before = torch.full_like(model.mean, 0.123)
    colors = paint_inner_parts(model, before)
    assert (before == 0.123).all()
    assert (block(model, colors, "face") == 0.123).all()
    for name in model.parts:
        if name != "face":
            assert (block(model, colors, name) != 0.123).any(1).all(), name
    assert colors.min() >= 0
    assert colors.max() <= 1


def test_eyes_have_pupil_iris_and_white(model):
    colors = paint_inner_parts(model, torch.zeros_like(model.mean))
    for name in ("eyeball_left", "eyeball_right"):
        ball, tints = block(model, model.mean, name), block(model, colors, name)
        middle = (ball.amax(0) + ball.amin(0)) / 2
        front = ball[:, 2] > middle[2]
        distance = (ball - middle)[:, :2].norm(dim=1)
        reach = []
        for color in (PUPIL, IRIS, SCLERA):
            mine = (tints == torch.tensor(color)).all(1)
            assert mine.any()
            reach.append(distance[mine & front].max())
        assert reach[0] < reach[1] < reach[2]
        behind = tints[ball[:, 2] < middle[2] - 0.2]
        assert (behind == torch.tensor(SCLERA)).all()


def test_teeth_grow_darker_towards_the_throat(model):
    colors = paint_inner_parts(model, torch.zeros_like(model.mean))
    teeth, tints = block(model, model.mean, "teeth_upper"), block(model, colors, "teeth_upper")
    order = teeth[:, 2].argsort()
    assert (tints[order].mean(1).diff() >= -1e-6).all()
    assert tints[order[0]].mean() < 0.6 * tints[order[-1]].mean()
    assert tints[order[-1]].mean() > 3 * block(model, colors, "mouth_socket").mean()
