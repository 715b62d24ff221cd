"""Settings that every adversarial editor of expressions takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import NonNegativeFloat, PositiveFloat

from xpress.errors import InputError
from xpress.models.expression_editing.losses import ExpressionLossWeights


@dataclass(frozen=True)
class EditorSettings:
    """How an `ExpressionGAN` is trained; its subclasses take these beside their generator's.

    Attributes:
        size: pixels of the crop's side.
        critic_channels: of the critic's first convolution.
        critic_depth: halvings of the critic.
        weights: of the losses, or what makes them.
        learning_rate: of the generator.
        warm_learning_rate: of the generator in the first `warm_epochs`.
        critic_learning_rate: of the critic.
        betas: of both Adams.
        decay_from: share of the epochs after which learning rates fall linearly to zero.
        critic_steps: of the critic, to each of the generator.
        warm_epochs: that learn from the teacher alone.
        ema_decay: of the generator's moving average, which is validated and exported.
        init_from: a checkpoint or safetensors whose generator to start from.
        relative: where positive, the generator is given this many times the difference of the
            wanted units from the picture's own (Ling et al., "Toward Fine-grained Facial
            Expression Manipulation", ECCV 2020), and not the wanted units themselves: it need not
            learn to read faces.

    Raises:
        InputError: they teach nothing, or the critic is never trained.
    """

    size: int = 128
    critic_channels: int = 64
    critic_depth: int = 6
    weights: ExpressionLossWeights | Callable[[], ExpressionLossWeights] = ExpressionLossWeights
    learning_rate: PositiveFloat = 1e-4
    warm_learning_rate: PositiveFloat = 1e-3
    critic_learning_rate: PositiveFloat = 1e-4
    betas: Sequence[float] = (0.5, 0.999)
    decay_from: float = 0.67
    critic_steps: int = 5
    warm_epochs: int = 0
    ema_decay: float = 0.998
    init_from: str | None = None
    relative: NonNegativeFloat = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.weights, ExpressionLossWeights):
            object.__setattr__(self, "weights", self.weights())
        if self.critic_steps < 1:
            raise InputError(f"model.critic_steps={self.critic_steps}: at least 1")
        weights = self.loss_weights
        paired = weights.teacher + weights.teacher_flow + weights.reader
        if paired + weights.adversarial + weights.condition == 0:
            raise InputError(
                "model.weights: nothing teaches the generator; give adversarial and condition, or "
                "teacher, a weight"
            )
        if self.warm_epochs and paired == 0:
            raise InputError(
                f"model.warm_epochs={self.warm_epochs}: nothing to learn then; give "
                "model.weights.teacher a weight"
            )

    @property
    def loss_weights(self) -> ExpressionLossWeights:
        """The weights themselves."""
        assert isinstance(self.weights, ExpressionLossWeights)
        return self.weights

    def rate_factor(self, epoch: int, epochs: int) -> float:
        """What the generator's learning rate is multiplied by in an epoch of so many."""
        share = (1 - epoch / epochs) / max(1 - self.decay_from, 1e-6)
        warm = self.warm_learning_rate / self.learning_rate if epoch < self.warm_epochs else 1.0
        return warm * min(1.0, max(0.0, share))
