"""Training of GANimation."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor

from xpress.models.expression_editing.generator import GeneratorOutput
from xpress.models.expression_editing.losses import (
    ExpressionLossWeights,
    attention_mean,
    total_variation,
)
from xpress.models.expression_editing.module import ExpressionGAN, Weights
from xpress.models.expression_editing.saturation import AttentionWatch
from xpress.models.ganimation.networks import GANimationGenerator


class GANimation(ExpressionGAN):
    """Colour and attention masks against a critic.

    Args:
        size: pixels of the crop's side.
        channels: see `GANimationGenerator`.
        blocks: see `GANimationGenerator`.
        modulated: see `GANimationGenerator`.
        critic_channels: see `ExpressionGAN`, as all that follow.
        critic_depth: halvings of the critic.
        weights: of the losses, or what makes them.
        learning_rate: of the generator.
        warm_learning_rate: of the generator in the first `warm_epochs`.
        critic_learning_rate: of the critic.
        betas: of both Adams.
        decay_from: share of the epochs after which learning rates fall linearly to zero.
        critic_steps: of the critic, to each of the generator.
        warm_epochs: that learn from the teacher alone.
        ema_decay: of the generator's moving average.
        init_from: a checkpoint or safetensors whose generator to start from.
        relative: give the generator differences of action units, so many times.
    """

    kind = "ganimation"

    def __init__(
        self,
        size: int = 128,
        channels: int = 64,
        blocks: int = 6,
        modulated: bool = False,
        critic_channels: int = 64,
        critic_depth: int = 6,
        weights: Weights = ExpressionLossWeights,
        learning_rate: PositiveFloat = 1e-4,
        warm_learning_rate: PositiveFloat = 1e-3,
        critic_learning_rate: PositiveFloat = 1e-4,
        betas: Sequence[float] = (0.5, 0.999),
        decay_from: float = 0.67,
        critic_steps: int = 5,
        warm_epochs: int = 0,
        ema_decay: float = 0.998,
        init_from: str | None = None,
        relative: NonNegativeFloat = 0.0,
    ) -> None:
        super().__init__(
            GANimationGenerator(channels, blocks, modulated=modulated),
            weights,
            size=size,
            critic_channels=critic_channels,
            critic_depth=critic_depth,
            learning_rate=learning_rate,
            warm_learning_rate=warm_learning_rate,
            critic_learning_rate=critic_learning_rate,
            betas=betas,
            decay_from=decay_from,
            critic_steps=critic_steps,
            warm_epochs=warm_epochs,
            ema_decay=ema_decay,
            init_from=init_from,
            relative=relative,
        )
        self.save_hyperparameters(ignore=["weights"])
        self.watch = AttentionWatch(
            0.03,
            0.97,
            "nothing of the input is kept; lower model.weights.attention or raise "
            "model.weights.smoothness",
            "the input comes back as it is; raise model.weights.attention, or start from a "
            "teacher with model.warm_epochs",
        )

    def mask_terms(self, output: GeneratorOutput) -> dict[str, Tensor]:
        """Mean and total variation of the attention mask (the paper's equation 3)."""
        return {
            "attention": attention_mean(output.attention),
            "smoothness": total_variation(output.attention),
        }
