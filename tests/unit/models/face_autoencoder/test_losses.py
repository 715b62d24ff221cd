import math

import pytest
import torch

from xpress.models.face_autoencoder import losses
from xpress.models.face_autoencoder.code import CodeLayout
from xpress.morphable.landmarks.landmark_names import CONTOUR_MEDIAPIPE_INDEX
from xpress.structures import FaceParameters


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_mean_of_chosen_rows():
    values = torch.tensor([1.0, 2.0, 6.0], requires_grad=True)
    mean = losses.mean_of(values, torch.tensor([True, False, True]))
    assert mean.item() == 3.5
    mean.backward()
    assert values.grad.tolist() == [0.5, 0, 0.5]


def test_mean_of_no_row_is_zero_even_of_values_that_are_not_numbers():
    values = torch.tensor([math.nan, math.inf], requires_grad=True)
    mean = losses.mean_of(values, torch.zeros(2, dtype=torch.bool))
    mean.backward()
    assert mean.item() == 0
    assert values.grad.tolist() == [0, 0]


def test_charbonnier_by_hand():
    x = torch.tensor([0.0, 3.0, -4000.0])
    expected = [0, math.sqrt(9 + 16) - 4, math.sqrt(16e6 + 16) - 4]
    assert losses.charbonnier(x, 4.0).tolist() == pytest.approx(expected, rel=1e-5)


def test_face_size_is_the_boxs_mean_side():
    points = torch.zeros(2, 68, 2)
    points[0, 3] = torch.tensor([40.0, 0])
    points[0, 9] = torch.tensor([0.0, 10])
    assert losses.face_size(points).tolist() == [20, 1]


def test_landmark_loss_by_hand():
    target = torch.zeros(1, 3, 2)
    predicted = torch.tensor([[[3.0, 4.0], [0.0, 0.0], [99.0, 0.0]]])
    weights = torch.tensor([[2.0, 6.0, 0.0]])
    found = losses.landmark_loss(predicted, target, weights, torch.tensor([10.0]), epsilon=0.1)
    assert found.item() == pytest.approx(2 / 8 * (math.hypot(0.5, 0.1) - 0.1), rel=1e-5)


def test_signal_loss_by_hand():
    # 100 px between the eye corners; the lower lip sinks by 16.4 px: twice the spread of the
    # mouth's opening, and nearer to the chin
    target = torch.zeros(1, 68, 2)
    target[0, 45, 0] = 100
    predicted = target.clone()
    predicted[0, 65:68, 1] += 16.4
    expected = (math.hypot(2, 0.5) + math.hypot(0.164 / 0.045, 0.5) - 1) / 16
    assert losses.signal_loss(predicted, target).item() == pytest.approx(expected, rel=1e-4)


def test_a_ridiculous_signal_is_cut_off():
    target = torch.zeros(1, 68, 2)
    target[0, 45, 0] = 100
    predicted = target.clone()
    predicted[0, 65:68, 1] += 1e4
    assert losses.signal_loss(predicted, target).item() == pytest.approx(2 * 8 / 16, rel=1e-4)


def eyes(across=0.0, up=0.0, lids=10.0):
    """Eyes of 30 px between their corners, irises some px off the middle, lids some px apart."""
    points = torch.zeros(1, 206, 2)
    points[0, 45, 0] = 100.0
    points[0, [41, 40, 47, 46], 1] = lids
    for iris, right, left, start in ((468, 33, 133, 0.0), (473, 362, 263, 70.0)):
        rows = [68 + CONTOUR_MEDIAPIPE_INDEX.tolist().index(i) for i in (iris, right, left)]
        places = [[start + 15 + across, -up], [start, 0.0], [start + 30, 0.0]]
        points[0, rows] = torch.tensor(places)
    return points


def test_gaze_loss_by_hand():
    found = losses.gaze_loss(eyes(across=2.1, up=-1.8)[:, 68:], eyes()[:, 68:])
    expected = (math.hypot(2, 0.5) + math.hypot(2, 0.5) - 1) / 2  # 0.07 and 0.06 eye widths
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_irises_are_seen_between_open_lids_only():
    assert losses.irises_seen(torch.cat([eyes(), eyes(lids=2.0)])[:, :68]).tolist() == [True, False]


def test_a_teacher_is_followed_in_its_own_units():
    scores = torch.rand(40, 3, generator=torch.Generator().manual_seed(0))
    scores[:, 2] = 0.3  # a shape nobody moves
    every = torch.ones(40, dtype=torch.bool)
    alike = 0.2 * scores + 0.4
    assert losses.teacher_loss(alike, scores, every).item() == pytest.approx(0, abs=1e-4)
    assert losses.teacher_loss(-alike, scores, every).item() == pytest.approx(2, abs=1e-4)
    some = every.clone()
    some[20:] = False
    alike[20:] = 7.0
    assert losses.teacher_loss(alike, scores, some).item() == pytest.approx(0, abs=1e-4)
    assert losses.teacher_loss(alike, scores, torch.arange(40) < 7).item() == 0


def lips(opening, scale=1.0):
    """Points 100 apart at the eye corners, lips and lids open by some hundredths of that."""
    points = torch.zeros(1, 68, 2)
    points[0, 45, 0] = 100.0
    for upper, lower in ((61, 67), (62, 66), (63, 65), (37, 41), (38, 40), (43, 47), (44, 46)):
        points[0, lower, 1] = points[0, upper, 1] + opening
    return points * scale


def test_closure_loss_by_hand():
    loss = losses.closure_loss(lips(6.0), lips(3.0, scale=2.0))
    terms = [
        math.sqrt((math.asinh(0.06 / u) - math.asinh(0.03 / u)) ** 2 + 0.15**2) - 0.15
        for u in losses.CLOSURE_UNIT
    ]
    assert loss.item() == pytest.approx(sum(terms) / 3, rel=1e-4)


def test_a_gap_counts_more_where_lips_should_be_closed():
    shut = losses.closure_loss(lips(3.0), lips(0.0))
    wide = losses.closure_loss(lips(33.0), lips(30.0))
    assert shut > 10 * wide
    assert losses.closure_loss(lips(-1.0), lips(0.0)) > 0  # lips that cross


def test_shape_loss_by_hand():
    basis = torch.zeros(2, 4, 3)
    basis[0, 0] = torch.tensor([3.0, 0, 4.0])
    basis[1, 1] = torch.tensor([0.0, 1.0, 0])
    predicted, target = torch.tensor([[1.0, 0.5]]), torch.tensor([[0.0, 0.0]])
    found = losses.shape_loss(predicted, target, basis)
    assert found.item() == pytest.approx((5 + 0.5) / 4, abs=2e-3)


def pose(rotation=(0.0, 0.0, 0.0), translation=(30.0, 40.0), scale=5.0):
    zeros = CodeLayout(1, 1, 1).parameters(torch.zeros(1, CodeLayout(1, 1, 1).outputs))
    return zeros.replace(
        rotation=torch.tensor([rotation]),
        translation=torch.tensor([translation]),
        scale=torch.tensor([scale]),
    )


def test_pose_loss_by_hand():
    def soft(x, epsilon):
        return math.hypot(x, epsilon) - epsilon

    turned = losses.pose_loss(pose(rotation=(0.0, 0.4, 0.0)), pose(), 128)
    assert turned.item() == pytest.approx(soft(0.4, 0.05) / 0.3, rel=1e-4)
    moved = losses.pose_loss(pose(translation=(33.0, 36.0)), pose(), 128)
    assert moved.item() == pytest.approx((soft(3, 1) + soft(4, 1)) / 12.8, rel=1e-4)
    grown = losses.pose_loss(pose(scale=5 * math.e), pose(), 128)
    assert grown.item() == pytest.approx(soft(1, 0.02) / 0.1, rel=1e-4)


def test_photometric_loss_by_hand():
    image, rendered = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    rendered[0, :, 0, 0] = torch.tensor([0.3, 0.0, 0.0])
    rendered[0, :, 1, 1] = 0.9  # outside the mask
    mask = torch.tensor([[[[True, True], [False, False]]]])
    found = losses.photometric_loss(rendered, image, mask, robust=math.inf)
    assert found.item() == pytest.approx(0.09 / 3 / 2, rel=1e-5)


def test_robust_photometric_loss_drops_an_occluder():
    image = 0.5 + 0.02 * random(2, 3, 40, 40)
    rendered = torch.full((2, 3, 40, 40), 0.5, requires_grad=True)
    spoiled = image.clone()
    spoiled[1, :, 10:14, 10:14] = 1.0  # a hand before the second face
    mask = torch.ones(2, 1, 40, 40, dtype=torch.bool)
    clean = losses.photometric_loss(rendered, image, mask)
    robust = losses.photometric_loss(rendered, spoiled, mask)
    plain = losses.photometric_loss(rendered, spoiled, mask, robust=math.inf)
    torch.testing.assert_close(robust, clean, rtol=0.05, atol=0)
    assert plain[1] > 4 * robust[1]
    robust[1].backward()
    assert rendered.grad[1, :, 10:14, 10:14].eq(0).all()
    assert rendered.grad[1].ne(0).any()


def test_presence_loss_by_hand():
    logit = torch.tensor([2.0, -1.0])
    found = losses.presence_loss(logit, torch.tensor([True, False]))
    expected = (math.log1p(math.exp(-2)) + math.log1p(math.exp(-1))) / 2
    assert found.item() == pytest.approx(expected, rel=1e-5)


def _terms(seed):
    points, basis = 50 + 20 * random(2, 68, 2, seed=seed), random(4, 9, 3, seed=9)
    image = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    mask = torch.ones(2, 1, 8, 8, dtype=torch.bool)
    size, weights = torch.tensor([50.0, 60.0]), torch.ones(2, 68)
    return {
        "landmark": (lambda x, t: losses.landmark_loss(x, t, weights, size), points),
        "signal": (losses.signal_loss, points),
        "shape": (lambda x, t: losses.shape_loss(x, t, basis), random(2, 4, seed=seed)),
        "photometric": (lambda x, t: losses.photometric_loss(x, t, mask), image),
        "plain photometric": (
            lambda x, t: losses.photometric_loss(x, t, mask, math.inf),
            image,
        ),
    }


@pytest.mark.parametrize("name", list(_terms(0)))
def test_zero_with_a_finite_gradient_at_perfection(name):
    loss, perfect = _terms(0)[name]
    x = perfect.clone().requires_grad_()
    value = loss(x, perfect)
    assert value.shape == (2,)
    assert value.abs().max() <= 1.001e-3  # the smooth root of a shape's distance
    value.sum().backward()
    assert x.grad.isfinite().all()
    assert x.grad.abs().max() < 1e-6
    assert (loss(_terms(1)[name][1], perfect) > value).all()


def test_pose_loss_at_perfection():
    target = pose((0.1, 0.2, 0.3))
    known = {name: value.clone().requires_grad_() for name, value in vars(target).items()}
    value = losses.pose_loss(FaceParameters(**known), target, 128)
    value.sum().backward()
    assert value.item() == 0
    for name in ("rotation", "translation", "scale"):
        assert known[name].grad.eq(0).all()


def test_rows_without_labels_give_no_gradient_that_is_not_a_number():
    """Unlabelled rows hold zeros: boxes without a size, eyes without a distance."""
    points = (50 + 20 * random(2, 68, 2)).requires_grad_()
    nothing, nobody = torch.zeros(2, 68, 2), torch.zeros(2, dtype=torch.bool)
    terms = [
        losses.landmark_loss(points, nothing, torch.zeros(2, 68), losses.face_size(nothing)),
        losses.signal_loss(points, nothing),
    ]
    total = sum(losses.mean_of(term, nobody) for term in terms)
    total.backward()
    assert total.item() == 0
    assert points.grad.eq(0).all()


def test_a_picture_without_a_rendered_face():
    rendered = torch.rand(1, 3, 4, 4, requires_grad=True)
    mask = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    value = losses.photometric_loss(rendered, torch.zeros(1, 3, 4, 4), mask)
    value.sum().backward()
    assert value.item() == 0
    assert rendered.grad.eq(0).all()
