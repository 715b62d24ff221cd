from __future__ import annotations

import pytest
import torch

from xpress.models.expression_editing.saturation import STEPS, AttentionWatch


def masks(value: float) -> torch.Tensor:
    return torch.full((2, 1, 4, 4), value)


@pytest.fixture
def watch() -> AttentionWatch:
    return AttentionWatch(0.03, 0.97, "mend the low", "mend the high")


def test_statistics_are_those_of_the_step(watch):
    mask = torch.tensor([0.0, 0.04, 0.5, 0.96]).reshape(1, 1, 2, 2)
    found = {name: float(value) for name, value in watch.update(mask).items()}
    assert found == pytest.approx(
        {
            "attention_mean": 0.375,
            "attention_low": 0.5,
            "attention_high": 0.25,
            "attention_saturated": 0.0,
        }
    )


@pytest.mark.parametrize(("value", "mend"), [(0.99, "mend the high"), (0.01, "mend the low")])
def test_a_mask_that_sticks_is_told_once_in_one_line(watch, value: float, mend: str):
    for _ in range(STEPS - 1):
        figures = watch.update(masks(value))
        assert watch.warning() is None
        assert not figures["attention_saturated"]
    assert watch.update(masks(value))["attention_saturated"] == 1
    warning = watch.warning()
    assert f"{value}" in warning
    assert mend in warning
    assert "\n" not in warning
    watch.update(masks(value))
    assert watch.warning() is None


def test_a_mask_that_sticks_for_a_while_is_not(watch):
    for number in range(3 * STEPS):
        watch.update(masks(0.99 if number % 2 else 0.8))
    assert watch.warning() is None


def test_the_figure_falls_when_the_mask_recovers(watch):
    for _ in range(STEPS):
        watch.update(masks(0.99))
    assert watch.saturated
    for _ in range(STEPS):
        watch.update(masks(0.7))
    assert not watch.saturated
