import numpy as np
import pytest
import torch
from xpress.data_modules.mouths.lips import EVALUATION, LipLandmarksDataModule

from xpress.batches import LandmarkBatch
from xpress.media.lip_crop import MIRRORED
from xpress.models.lip_landmarks.losses import LIP_SIGNALS, lip_signals, lip_terms
from xpress.models.lip_landmarks.metrics import lip_metrics
from xpress.models.lip_landmarks.module import LipLandmarks


@pytest.fixture
def mouths(write_mouths) -> LandmarkBatch:
    data = LipLandmarksDataModule(augment=EVALUATION)
    rows = data.evaluation_set(write_mouths(np.linspace(0, 12, 48)))
    return rows.__getitems__(list(range(48))).finish()


def tiny(**changes) -> LipLandmarks:
    torch.manual_seed(0)
    small = {"channels": (8, 16, 24), "repeats": (1, 1, 1), "hidden": 32, "dropout": 0.0}
    return LipLandmarks(**{**small, "ema_decay": 0.9, **changes})


def test_it_learns_where_the_lips_are(mouths):
    module = tiny()
    optimizer = torch.optim.AdamW(module.network.parameters(), 5e-3)
    module.train()
    losses = []
    for _ in range(160):
        loss = module.total(lip_terms(module.network(mouths.image), mouths.points))
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        module.on_train_batch_end()
    assert losses[-1] < 0.25 * losses[0]
    with torch.no_grad():
        figures = lip_metrics(module(mouths.image), mouths.points, mouths.group)
    assert figures["lip_error"] < 10


def test_signals_of_known_lips():
    points = torch.zeros(1, 40, 2)
    across = torch.linspace(-0.5, 0.5, 11)
    for start, upper, lower in ((0, -0.2, 0.3), (20, -0.1, 0.15)):
        points[0, start : start + 11, 0] = across
        points[0, start + 11 : start + 20, 0] = across[1:-1].flip(0)
        points[0, start + 1 : start + 10, 1] = upper
        points[0, start + 11 : start + 20, 1] = lower
    found = dict(zip(LIP_SIGNALS, lip_signals(points)[0].tolist(), strict=True))
    assert found["opening"] == pytest.approx(0.25)
    assert found["width"] == pytest.approx(1.0)
    assert found["upper"] == pytest.approx(0.2)
    assert found["lower"] == pytest.approx(-0.3)
    raised = points.clone()
    raised[0, 0, 1] -= 0.1  # the right corner
    assert lip_signals(raised)[0, 4] > lip_signals(points)[0, 4] + 0.05
    assert lip_terms(points, points)["signals"] == 0


def test_figures_by_hand(mouths):
    figures = lip_metrics(mouths.points, mouths.points, mouths.group)
    assert figures["lip_error"] == 0
    assert figures["opening/correlation"] == pytest.approx(1)
    swapped = mouths.points[:, MIRRORED] * torch.tensor([1.0, 1.0])
    assert lip_metrics(swapped, mouths.points, mouths.group)["width/error"] > 1.5
    half = mouths.points.clone()
    half[..., 1] *= 0.5
    assert lip_metrics(half, mouths.points, mouths.group)["opening/gain"] == pytest.approx(0.5)


def test_sample_pictures_show_every_crop(mouths):
    grid = tiny().eval().picture_grid(mouths, rows=3)
    assert grid.shape == (3 * 192, 192, 3)
    assert (grid == (255, 40, 40)).all(-1).any()
