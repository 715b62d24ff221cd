from __future__ import annotations

import numpy as np
import pytest
from xpress.data_modules.sampling import FaceSampler, WeightedSampler

from xpress.packs.expression_balance import expression_measures, expression_weights


@pytest.fixture
def faces() -> np.ndarray:
    """500 noisy copies of a schematic upright face, in the 68 points."""
    points = np.zeros((68, 2))
    points[17:22] = np.stack([np.linspace(20, 40, 5), np.full(5, 30)], 1)
    points[22:27] = np.stack([np.linspace(60, 80, 5), np.full(5, 30)], 1)
    eye = np.array([[0, 0], [4, -3], [10, -3], [14, 0], [10, 3], [4, 3]])
    points[36:42], points[42:48] = eye + np.array([22, 40]), eye + np.array([64, 40])
    points[30] = [50, 60]
    lips = np.linspace(0, 2 * np.pi, 12, endpoint=False) + np.pi
    points[48:60] = np.stack([50 + 12 * np.cos(lips), 75 + 5 * np.sin(lips)], 1)
    inner = np.linspace(0, 2 * np.pi, 8, endpoint=False) + np.pi
    points[60:68] = np.stack([50 + 10 * np.cos(inner), 75 + 0.5 * np.sin(inner)], 1)
    rng = np.random.default_rng(0)
    return points + rng.normal(0, 0.15, (500, 68, 2))


def test_measures_tell_expressions_apart_at_any_pose(faces):
    face = faces[0]
    width = np.linalg.norm(face[36] - face[45])
    changed = np.stack([face] * 4)
    changed[1, [41, 40, 47, 46]] = changed[1, [37, 38, 43, 44]]  # lids shut
    changed[2, [67, 66, 65], 1] += 6  # mouth open
    changed[3, [48, 54], 1] -= 3  # corners up
    base, shut, mouth, smile = expression_measures(changed)
    assert shut[:2] == pytest.approx([0, 0])
    assert mouth[2] - base[2] == pytest.approx(6 / width, rel=0.1)
    assert smile[4] - base[4] == pytest.approx(3 / width, rel=0.05)
    turn = np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    assert np.allclose(expression_measures(changed @ turn.T * 3 + 7), [base, shut, mouth, smile])


def test_rare_faces_weigh_more(faces):
    faces[:10, [41, 40, 47, 46]] = faces[:10, [37, 38, 43, 44]]
    weights = expression_weights(faces)
    assert weights.min() == 1
    assert weights.max() <= 6
    assert np.median(weights) == pytest.approx(1, abs=0.01)
    assert weights[:10].min() > 2 * weights[10:].mean()


def test_weights_set_how_often_rows_are_drawn():
    weights = np.array([1.0] * 90 + [6.0] * 10)
    sampler = FaceSampler(weights, 100, batch_size=100, epoch_size=20_000)
    drawn = np.bincount(list(sampler), minlength=100)
    assert drawn.sum() == len(sampler) == 20_000
    assert drawn[90:].mean() / drawn[:90].mean() == pytest.approx(6, rel=0.05)


def test_without_weights_every_row_comes_once():
    sampler = FaceSampler(None, 60, batch_size=20)
    assert sorted(sampler) == list(range(60))


def test_every_batch_has_its_share_of_synthetic_rows():
    sampler = FaceSampler(np.ones(100), 100, 40, 0.25, batch_size=16, epoch_size=320)
    batches = np.array(list(sampler)).reshape(-1, 16)
    assert ((batches >= 100).sum(1) == 4).all()
    # each synthetic row twice before any a third time
    counts = np.bincount(batches[batches >= 100] - 100, minlength=40)
    assert counts.tolist() == [2] * 40


def test_epochs_differ_and_repeat():
    a, b = (FaceSampler(np.ones(50), 50, batch_size=10, seed=4) for _ in range(2))
    first, second = list(a), list(a)
    assert first != second
    b.set_epoch(1)
    assert list(b) == second
    assert list(FaceSampler(np.ones(50), 50, batch_size=10, seed=5)) != first


def test_rows_are_drawn_in_proportion_to_their_weights():
    weights = np.array([1.0, 2.0, 3.0, 4.0]).repeat(1000)
    sampler = WeightedSampler(weights, 100, seed=1)
    sampler.set_epoch(0)
    drawn = np.array([int(row) for row in sampler])
    assert len(drawn) == 4000
    counts = np.bincount(drawn // 1000, minlength=4)
    expected = 4000 * np.array([0.1, 0.2, 0.3, 0.4])
    deviation = np.sqrt(expected * (1 - expected / 4000))
    assert (np.abs(counts - expected) < 4 * deviation).all()
    assert set(WeightedSampler(np.array([0.0, 1.0]), 2)) == {1}


def test_processes_share_the_draws_of_one():
    weights = np.linspace(1, 3, 24)
    whole = list(WeightedSampler(weights, 8, seed=2))
    parts = [list(WeightedSampler(weights, 4, 2, rank, 2)) for rank in (0, 1)]
    joined = np.stack([np.reshape(part, (3, 4)) for part in parts], axis=1).ravel().tolist()
    assert joined == whole
