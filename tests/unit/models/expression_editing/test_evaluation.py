"""What the evaluation of editors says of editors whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from xpress.batches import ExpressionBatch, ExpressionEdit
from xpress.models.expression_editing.emotions import (
    EMOTIONS,
    READ_RANGE,
    emotion_units,
    measured_range,
)
from xpress.models.expression_editing.evaluation import (
    EditEvaluation,
    figure_table,
    kept_figures,
)
from xpress.models.expression_editing.reader import FaceReading
from xpress.morphable.action_units import ACTION_UNIT_NAMES, ACTION_UNITS

SIDE = 24


class PaintedReader(nn.Module):
    """Reads units from the first pixels of the red channel; lids are open as far as AU45 is not."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("anything", torch.zeros(1))

    def forward(self, image: Tensor) -> FaceReading:
        units = image[:, 0, 0, :17]
        none = torch.zeros(len(image), 68, 2)
        return FaceReading(units, units, none, 0.4 * (1 - units[:, -1]))


def paint(image: Tensor, target: Tensor, reach: float = 1.0) -> ExpressionEdit:
    """Moves the painted units by a share of what is wanted."""
    edited, changed = image.clone(), torch.zeros_like(image[:, :1])
    edited[:, 0, 0, :17] += reach * (target - edited[:, 0, 0, :17])
    changed[:, :, 0, :17] = 1
    return ExpressionEdit(edited, changed)


def nothing(image: Tensor, target: Tensor) -> ExpressionEdit:
    del target
    return ExpressionEdit(image, torch.zeros_like(image[:, :1]))


def make_batch(rows: list[int]) -> ExpressionBatch:
    image, target = [], []
    for row in rows:
        generator = torch.Generator().manual_seed(row)
        image.append(torch.rand(3, SIDE, SIDE, generator=generator))
        target.append(torch.rand(17, generator=generator))
    pictures = torch.stack(image)
    none = torch.zeros(len(rows), dtype=torch.bool)
    units = pictures[:, 0, 0, :17].clone()
    return ExpressionBatch(
        pictures, units, torch.stack(target), torch.tensor(rows), None, None, none
    )


def evaluated(edit, batches: list[list[int]], thorough: bool = True) -> dict[str, float]:
    evaluation = EditEvaluation(PaintedReader(), thorough)
    for rows in batches:
        evaluation.update(edit, make_batch(rows), "set")
    return evaluation.figures("set")


def test_a_perfect_editor() -> None:
    figures = evaluated(paint, [[0, 1, 2], [3, 4]])
    assert figures["rows"] == 5
    assert figures["au_error"] == pytest.approx(0, abs=1e-6)
    assert figures["au_error_nothing"] > 0.2
    assert figures["cycle"] == pytest.approx(0, abs=1e-6)
    assert figures["lids/fall"] == pytest.approx(100, abs=1e-4)
    assert figures["kept/l1"] == 0
    assert figures["kept/share"] == pytest.approx(1 - 17 / SIDE**2)
    assert all(figures[f"emotion/{name}"] < 1e-5 for name in EMOTIONS)


def test_half_way_is_half_of_doing_nothing() -> None:
    figures = evaluated(lambda image, target: paint(image, target, 0.5), [[0, 1, 2, 3]])
    assert figures["au_error_ratio"] == pytest.approx(0.5, abs=1e-5)
    for name in ACTION_UNIT_NAMES:
        assert figures[f"ratio/{name}"] == pytest.approx(0.5, abs=1e-4)
    assert figures["lids/fall"] == pytest.approx(50, abs=1e-3)
    assert figures["emotion/fear"] == pytest.approx(0.5, abs=1e-4)
    # each row: half of the way back is missing again, in one channel of 17 pixels
    batch = make_batch([0, 1, 2, 3])
    quarter = (batch.target_units - batch.action_units).abs().mean() / 4
    assert figures["cycle"] == pytest.approx(float(quarter) * 17 / (3 * SIDE**2), rel=0.01)


def test_doing_nothing_has_ratio_one() -> None:
    figures = evaluated(nothing, [list(range(11)), [11]])
    assert figures["au_error_ratio"] == pytest.approx(1)
    assert figures["kept/ssim"] == pytest.approx(1, abs=1e-5)
    assert figures["kept/share"] == 1
    assert figures["lids/fall"] == pytest.approx(0, abs=1e-6)


def test_eyes_that_are_not_open_are_not_asked_to_close() -> None:
    figures = evaluated(paint, [[row] for row in range(12)])
    opening = [0.4 * (1 - float(make_batch([row]).action_units[0, -1])) for row in range(12)]
    asked = [value for value in opening if value >= 0.2]
    assert 0 < len(asked) < 12
    assert figures["lids/rows"] == len(asked)
    assert figures["lids/before"] == pytest.approx(np.mean(asked), rel=1e-5)


def test_rows_that_come_twice_count_once() -> None:
    once = evaluated(lambda i, t: paint(i, t, 0.3), [[0, 1], [2]])
    twice = evaluated(lambda i, t: paint(i, t, 0.3), [[0, 1], [2, 0]])
    assert once == pytest.approx(twice)


def test_a_quick_evaluation_edits_once() -> None:
    calls = []

    def counted(image: Tensor, target: Tensor) -> ExpressionEdit:
        calls.append(len(image))
        return paint(image, target)

    figures = evaluated(counted, [[0, 1]], thorough=False)
    assert calls == [2]
    assert "cycle" not in figures
    assert "1 faces" not in figure_table({f"val/a/{n}": v for n, v in figures.items()}, "val")


def test_changes_outside_the_edit_are_seen() -> None:
    source = torch.full((1, 3, SIDE, SIDE), 0.5)
    changed = torch.zeros(1, 1, SIDE, SIDE)
    changed[..., 12:] = 0.5
    edited = source.clone()
    edited[..., 12:] = 1
    assert kept_figures(source, edited, changed)[0, 0] == 0
    edited[..., :6] += 0.2
    figures = kept_figures(source, edited, changed)[0]
    assert float(figures[0] / figures[2]) == pytest.approx(0.1, abs=1e-6)
    assert float(figures[2] / figures[3]) == 0.5


def test_a_set_without_rows() -> None:
    assert EditEvaluation(PaintedReader()).figures("none") == {"rows": 0.0}


def test_table_names_what_was_measured() -> None:
    figures = evaluated(lambda image, target: paint(image, target, 0.5), [[0, 1, 2]])
    table = figure_table({f"test/video/{name}": v for name, v in figures.items()}, "test")
    assert "video, 3 faces" in table
    assert "ratio 0.500" in table
    assert "happiness 0.50" in table


def test_emotions_are_strong_where_they_belong() -> None:
    happy = dict(zip(ACTION_UNITS, emotion_units("happiness").tolist(), strict=True))
    assert happy[12] == pytest.approx(READ_RANGE[12][1])
    assert happy[6] == pytest.approx(READ_RANGE[6][1])
    assert happy[1] == pytest.approx(READ_RANGE[1][0])
    assert tuple(READ_RANGE) == ACTION_UNITS
    assert {number for units in EMOTIONS.values() for number in units} <= set(ACTION_UNITS)


def test_range_is_measured_unit_by_unit() -> None:
    units = np.linspace(0, 1, 101)[:, None] * np.arange(17) / 17
    low, high = measured_range(units)
    np.testing.assert_allclose(low, np.arange(17) / 34)
    np.testing.assert_allclose(high, 0.99 * np.arange(17) / 17)
