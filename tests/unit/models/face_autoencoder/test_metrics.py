import numpy as np
import pytest
import torch

from xpress.models.face_autoencoder.metrics import (
    correlation,
    figure_table,
    gaze_metrics,
    landmark_metrics,
    nme51,
    nme68,
)
from xpress.morphable.landmarks.landmark_names import CONTOUR_MEDIAPIPE_INDEX
from xpress.morphable.signals import SIGNALS


def arrays(count=20, seed=0):
    generator = np.random.default_rng(seed)
    target = generator.uniform(20, 100, (count, 68, 2)).astype(np.float32)
    target[:, 36], target[:, 45] = (30, 50), (90, 50)
    return target, target + generator.normal(0, 3, target.shape).astype(np.float32)


def tensors(*values):
    return [torch.from_numpy(value) for value in values]


def test_nme51_by_hand():
    target, predicted = arrays()
    error = np.sqrt(np.square(predicted - target).sum(-1))[:, 17:].mean(1)
    eyes = np.linalg.norm(target[:, 36] - target[:, 45], axis=1)
    found = nme51(*tensors(predicted, target)).numpy()
    np.testing.assert_allclose(found, error / eyes, rtol=1e-5)
    predicted[:, :17] += 500
    np.testing.assert_allclose(nme51(*tensors(predicted, target)), error / eyes, rtol=1e-5)


def test_nme68_by_hand():
    target, predicted = arrays()
    error = np.sqrt(np.square(predicted - target).sum(-1)).mean(1)
    box = target.max(1) - target.min(1)
    found = nme68(*tensors(predicted, target)).numpy()
    np.testing.assert_allclose(found, error / np.sqrt(box[:, 0] * box[:, 1]), rtol=1e-5)


def test_correlation_against_numpy():
    generator = np.random.default_rng(1)
    a = generator.normal(size=(50, 4))
    b = 0.5 * a + generator.normal(size=(50, 4)) * [0.1, 1, 3, 0.5] + 7
    expected = [np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(4)]
    np.testing.assert_allclose(correlation(*tensors(a, b)), expected, atol=1e-9)
    np.testing.assert_allclose(correlation(*tensors(a, -3 * a)), -1, atol=1e-9)
    assert correlation(torch.ones(5, 1), torch.arange(5.0)[:, None]).item() == 0


def faces(openings, lids):
    """Faces with 100 px between the outer eye corners, given gaps of lips and lids in pixels."""
    points = torch.zeros(len(openings), 68, 2)
    points[:, 36:42, 0] = torch.tensor([0.0, 10, 20, 30, 20, 10])
    points[:, 42:48, 0] = torch.tensor([70.0, 80, 90, 100, 90, 80])
    points[:, [37, 38, 43, 44], 1] = -torch.as_tensor(lids).float()[:, None]
    points[:, 61:64, 0] = torch.tensor([45.0, 50, 55])
    points[:, 65:68, 0] = torch.tensor([55.0, 50, 45])
    points[:, 61:68, 1] = 80
    points[:, 65:68, 1] += torch.as_tensor(openings).float()[:, None]
    return points


def test_gain_errors_and_correlations():
    openings, lids = torch.linspace(2, 20, 10), torch.linspace(4, 10, 10)
    target, predicted = faces(openings, lids), faces(0.5 * openings + 3, lids)
    figures = landmark_metrics(predicted, target)
    assert figures["mouth_opening/gain"] == pytest.approx(0.5, rel=1e-4)
    assert figures["mouth_opening/correlation"] == pytest.approx(1, abs=1e-5)
    wrong = (0.5 * openings + 3 - openings).abs().mean().item() / 100
    assert figures["mouth_opening/error"] == pytest.approx(wrong, rel=1e-4)
    assert figures["mouth_error"] == pytest.approx(wrong, rel=1e-4)
    assert figures["lid_left/gain"] == pytest.approx(1, rel=1e-4)
    assert figures["eye_error"] == pytest.approx(0, abs=1e-6)
    assert set(figures) >= {f"{name}/gain" for name in SIGNALS}


def test_gaze_of_open_eyes_only():
    target, lids = torch.zeros(30, 206, 2), torch.linspace(1, 20, 30)
    target[:, :68] = faces(lids, lids)
    row = {point: 68 + i for i, point in enumerate(CONTOUR_MEDIAPIPE_INDEX.tolist())}
    for point, x in ((33, 0.0), (133, 30.0), (362, 70.0), (263, 100.0)):
        target[:, row[point], 0] = x
    look = torch.linspace(-5, 5, 30)
    target[:, row[468], 0], target[:, row[473], 0] = 15 + look, 85 + look
    predicted = target.clone()
    predicted[:, row[468], 0], predicted[:, row[473], 0] = 15 + 0.5 * look, 85 + 0.5 * look
    shut = lids < 3.5
    predicted[shut, row[468]] = 1000.0
    figures = gaze_metrics(predicted, target)
    assert figures["gaze_across/correlation"] == pytest.approx(1, abs=1e-4)
    assert figures["gaze_across/gain"] == pytest.approx(0.5, rel=1e-3)
    assert gaze_metrics(predicted[shut], target[shut]) == {}


def test_perfection():
    target, _ = arrays()
    figures = landmark_metrics(*tensors(target, target))
    assert figures["nme51"] == figures["nme68"] == figures["mouth_error"] == 0
    assert figures["closed_mouths"] == figures["closed_eyes"] == 1
    for name in SIGNALS:
        assert figures[f"{name}/correlation"] == pytest.approx(1, abs=1e-4)


def test_eye_error_is_in_eye_widths():
    target, predicted = faces([5, 9], [6, 9]), faces([5, 9], [9, 12])
    assert landmark_metrics(predicted, target)["eye_error"] == pytest.approx(3 / 30, rel=1e-4)


def test_closed_share():
    openings, lids = torch.arange(40.0), torch.arange(40.0) / 4
    target = faces(openings, lids)
    forgotten = openings.clone()
    forgotten[:2] = 30  # half of the four mouths in the lowest decile
    figures = landmark_metrics(faces(forgotten, lids), target)
    assert figures["closed_mouths"] == 0.5
    assert figures["closed_eyes"] == 1
    open_eyes = landmark_metrics(faces(openings, lids + 10), target)
    assert open_eyes["closed_eyes"] == 0
    assert open_eyes["closed_mouths"] == 1


def test_figure_table_has_a_column_a_set_and_leaves_gaps():
    figures = {
        "test/stills/nme51": torch.tensor(3.5),
        "test/clips/nme51": torch.tensor(2.25),
        "test/clips/smile/gain": torch.tensor(0.9),
        "test/loss": torch.tensor(1.0),
        "val/clips/nme51": torch.tensor(9.0),
    }
    head, *rows = figure_table(figures, "test").splitlines()
    assert head.split() == ["clips", "stills"]
    assert [row.split() for row in rows] == [
        ["nme51", "2.2500", "3.5000"],
        ["smile/gain", "0.9000"],
    ]
