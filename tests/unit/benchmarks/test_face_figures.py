import numpy as np
import pytest
from scipy.spatial.transform import Rotation


def test_agreement_is_pearsons_and_the_ratio_of_spreads(figures):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(50, 3))
    found = np.stack([0.5 * truth[:, 0], -2 * truth[:, 1], rng.normal(size=50)], 1)
    result = figures.agreement(found, truth)
    np.testing.assert_allclose(result.correlation[:2], [1, -1])
    np.testing.assert_allclose(result.gain[:2], [0.5, 2])
    expected = np.corrcoef(found[:, 2], truth[:, 2])[0, 1]
    assert result.correlation[2] == pytest.approx(expected)


def test_a_constant_column_correlates_with_nothing(figures):
    result = figures.agreement(np.ones((5, 1)), np.arange(5.0)[:, None])
    assert result.correlation[0] == 0
    assert result.gain[0] == 0


def people(within, between, persons=400, pictures=4, columns=5):
    rng = np.random.default_rng(1)
    means = rng.normal(size=(persons, 1, columns)) * between
    values = means + rng.normal(size=(persons, pictures, columns)) * within
    names = np.repeat([f"p{i}" for i in range(persons)], pictures)
    return values.reshape(-1, columns), names.tolist()


@pytest.mark.parametrize(("within", "between"), [(0.5, 1.0), (2.0, 1.0)])
def test_variances_are_those_that_were_planted(figures, within, between):
    values, names = people(within, between)
    expected = (within / between) ** 2
    assert figures.within_over_between(values, names) == pytest.approx(expected, rel=0.12)


def test_people_with_one_picture_are_left_out(figures):
    values, names = people(0.5, 1.0, persons=20)
    alone = np.full((1, values.shape[1]), 1e3)
    ratio = figures.within_over_between(np.concatenate([values, alone]), [*names, "alone"])
    assert ratio == pytest.approx(figures.within_over_between(values, names))


def test_one_person_has_nothing_to_compare_with(figures):
    with pytest.raises(ValueError, match="two people"):
        figures.within_over_between(np.zeros((3, 2)), ["a", "a", "b"])


def test_similarities_are_taken_off(figures):
    rng = np.random.default_rng(2)
    mean = rng.normal(size=(30, 3))
    turns = Rotation.from_rotvec(rng.normal(size=(4, 3))).as_matrix()
    shapes = 1.7 * mean @ turns.transpose(0, 2, 1) + rng.normal(size=(4, 1, 3))
    aligned = figures.without_similarity(shapes, mean)
    np.testing.assert_allclose(aligned, np.broadcast_to(mean, aligned.shape), atol=1e-9)


def test_acceleration_of_a_parabola(figures):
    face = np.random.default_rng(3).uniform(0, 100, (68, 2))
    face[36], face[45] = (20, 50), (80, 50)
    time = np.arange(10.0)[:, None, None]
    moving = face + time * np.array([3.0, -1.0]) + 0.5 * time**2 * np.array([0.6, 0.8])
    for inner in (True, False):
        assert figures.acceleration(moving, inner) == pytest.approx(1 / 60)


def test_the_outline_counts_only_where_it_is_wanted(figures):
    face = np.random.default_rng(3).uniform(0, 100, (68, 2))
    trembling = np.repeat(face[None], 6, axis=0)
    trembling[::2, :17] += 1
    assert figures.acceleration(trembling) == 0
    assert figures.acceleration(trembling, inner=False) > 0


@pytest.mark.parametrize("late", [0.0, 0.4, -1.3, 3.0])
def test_lag_of_a_delayed_signal(figures, late):
    time = np.arange(120.0)

    def signal(at):
        return np.sin(at / 4) + 0.6 * np.sin(at / 2.3 + 1)

    assert figures.lag(signal(time - late), signal(time)) == pytest.approx(late, abs=0.06)
