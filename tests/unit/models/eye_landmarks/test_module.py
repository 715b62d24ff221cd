import numpy as np
import pytest
import torch
from xpress.data_modules.eyes.crops import EVALUATION, EyeCropDataset
from xpress.data_modules.eyes.rows import read_eyes

from xpress.batches import LandmarkBatch
from xpress.models.eye_landmarks.losses import iris_seen, landmark_terms
from xpress.models.eye_landmarks.metrics import eye_metrics
from xpress.models.eye_landmarks.module import EyeLandmarks
from xpress.models.eye_landmarks.networks import LandmarkNetwork
from xpress.morphable.signals import eye_signals

from ...drawn_eyes import eye_pack


@pytest.fixture(scope="module")
def eyes(tmp_path_factory) -> LandmarkBatch:
    rows = read_eyes(eye_pack(tmp_path_factory.mktemp("eyes") / "eyes.parquet"))
    return EyeCropDataset(rows, EVALUATION).__getitems__(list(range(48))).finish()


def tiny(**changes) -> EyeLandmarks:
    torch.manual_seed(0)
    small = {"channels": (8, 16, 24), "repeats": (1, 1, 1), "hidden": 32, "dropout": 0.0}
    return EyeLandmarks(**{**small, "ema_decay": 0.9, **changes})


def test_it_learns_where_lids_and_iris_are(eyes):
    module = tiny()
    optimizer = torch.optim.AdamW(module.network.parameters(), 5e-3)
    module.train()
    losses = []
    for _ in range(80):
        loss = module.total(landmark_terms(module.network(eyes.image), eyes.points))
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        module.on_train_batch_end()
    assert losses[-1] < 0.25 * losses[0]
    with torch.no_grad():
        figures = eye_metrics(module(eyes.image), eyes.points, eyes.group)
    assert figures["iris_across/correlation"] > 0.8
    assert figures["opening/correlation"] > 0.9


def test_the_truth_has_no_loss_and_hidden_irises_teach_nothing(eyes):
    assert all(term < 1e-3 for term in landmark_terms(eyes.points, eyes.points).values())
    off = eyes.points.clone()
    off[:, 16] += 0.3
    shut = iris_seen(eyes.points) == 0
    assert 0 < shut.sum() < len(shut)
    hidden, seen = (
        sum(landmark_terms(off[rows], eyes.points[rows]).values()) for rows in (shut, ~shut)
    )
    assert hidden < 1e-3 < seen


def test_figures_by_hand(eyes):
    """Irises read at half of their way, all by the same amount too high."""
    read = eyes.points.clone()
    middle = eyes.points[:, [0, 8]].mean(1)
    read[:, 16] = middle + 0.5 * (eyes.points[:, 16] - middle)
    read[:, :16, 1] -= 0.02
    figures = eye_metrics(read, eyes.points, eyes.group)
    assert figures["lid_error"] == pytest.approx(2.0, rel=1e-3)
    opened = iris_seen(eyes.points) == 1
    truth = eye_signals(eyes.points[opened])[:, 0]
    assert figures["iris_across/error"] == pytest.approx(
        float((truth - 0.5).abs().mean()) / 2, rel=0.1
    )
    assert figures["iris_across/gain"] == pytest.approx(0.5, abs=0.05)
    assert figures["iris_across/correlation"] > 0.99
    assert figures["iris_across/within/gain"] == pytest.approx(0.5, abs=0.05)


def test_it_stays_small_and_says_what_does_not_fit():
    assert sum(p.numel() for p in LandmarkNetwork().parameters()) < 500_000
    with pytest.raises(ValueError, match="repeats"):
        LandmarkNetwork((8, 16), (1, 1, 1))


def test_pictures_of_a_batch(eyes):
    grid = tiny().picture_grid(eyes, rows=3)
    assert grid.shape == (3 * 144, 192, 3)
    assert (np.abs(grid.astype(int) - (255, 40, 40)).sum(-1) == 0).any()
