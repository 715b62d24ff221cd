import json

import numpy as np
import pytest

from xpress.extraction.encoder import read_signal_gain
from xpress.morphable.expression_geometry import OPENING, MeasuredExpression
from xpress.morphable.signals import SIGNALS
from xpress.preparation.calibrate import signal_gain
from xpress.transfer.expression_transfer import MADE_UP, ExpressionTransfer

COUNT = len(SIGNALS)
TRUE = np.full(COUNT, 0.6)
TRUE[:7] = [0.5, 0.7, 0.9, 0.4, 0.4, 0.8, 0.8]


def test_gain_is_the_slope_within_people():
    generator = np.random.default_rng(0)
    label = generator.normal(size=(600, COUNT))
    people = [f"person {i % 6}" for i in range(600)]
    # what differs between people says nothing about motion, and noise must not lower the slope
    offset = 3 * generator.normal(size=(6, COUNT))[[i % 6 for i in range(600)]]
    read = TRUE * label + offset + 0.1 * generator.normal(size=label.shape)
    np.testing.assert_allclose(signal_gain(read, label - offset, people), TRUE, atol=0.03)


def test_card_without_a_measurement_means_all_of_it(tmp_path):
    card = tmp_path / "encoder.json"
    card.write_text("{}")
    np.testing.assert_array_equal(read_signal_gain(card), np.ones(COUNT))
    card.write_text(json.dumps({"signal_gain": {"mouth_opening": 0.5}}))
    assert read_signal_gain(card).tolist() == [0.5] + [1] * (COUNT - 1)


def test_lost_motion_is_made_up_for_in_part(model, geometry):
    rest = geometry.measure(np.zeros(model.sizes[1]), np.zeros(model.sizes[0]))
    moved = MeasuredExpression(rest.expression, rest.signals + 0.05 * (np.arange(COUNT) == OPENING))
    gain = np.where(np.arange(COUNT) == OPENING, 0.5, 1.0)
    transfer = ExpressionTransfer(model.expression_names, geometry=geometry, signal_gain=gain)
    got = geometry.changes(transfer(moved, rest, rest, rest.expression))
    assert got[OPENING] == pytest.approx(0.05 * 2**MADE_UP, abs=0.002)
