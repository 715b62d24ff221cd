import pytest

from xpress.models.expression_editing.losses import ExpressionLossWeights
from xpress.models.expression_editing.settings import EditorSettings


def test_weights_may_be_made():
    assert EditorSettings().loss_weights == ExpressionLossWeights()
    own = ExpressionLossWeights(teacher=2.0)
    assert EditorSettings(weights=own).loss_weights is own


def test_rates_warm_up_stay_and_fall_to_zero():
    settings = EditorSettings(
        learning_rate=1e-4,
        warm_learning_rate=5e-4,
        warm_epochs=2,
        decay_from=0.5,
        weights=ExpressionLossWeights(teacher=1.0),
    )
    factors = [settings.rate_factor(epoch, 10) for epoch in range(11)]
    assert factors[:6] == pytest.approx([5, 5, 1, 1, 1, 1])
    assert factors[6:] == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.0])
