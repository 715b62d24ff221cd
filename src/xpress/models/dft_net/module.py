"""Training of DFT-Net."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor

from xpress.batches import ExpressionBatch
from xpress.models.dft_net.networks import DFTNetGenerator, warp
from xpress.models.expression_editing import losses
from xpress.models.expression_editing.generator import GeneratorOutput
from xpress.models.expression_editing.losses import ExpressionLossWeights
from xpress.models.expression_editing.module import ExpressionGAN, Weights
from xpress.models.expression_editing.saturation import AttentionWatch


class DFTNet(ExpressionGAN):
    """Flow, attention and texture against a critic.

    Args:
        size: pixels of the crop's side.
        channels: see `DFTNetGenerator`.
        blocks: see `DFTNetGenerator`.
        texture_channels: see `DFTNetGenerator`.
        flow_skips: see `DFTNetGenerator`.
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

    kind = "dft_net"

    def __init__(
        self,
        size: int = 128,
        channels: int = 64,
        blocks: int = 6,
        texture_channels: int = 16,
        flow_skips: bool = True,
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
            DFTNetGenerator(channels, blocks, texture_channels, flow_skips=flow_skips),
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
            0.995,  # a face that is only moved needs little texture
            "the flow has no effect; raise model.weights.attention or model.weights.teacher_flow",
            "the texture has no effect; lower model.weights.attention",
        )

    def mask_terms(self, output: GeneratorOutput) -> dict[str, Tensor]:
        """Equations 9 and 10."""
        assert output.flow is not None
        return {
            "attention": -losses.attention_mean(output.attention),
            "smoothness": losses.total_variation(output.flow),
        }

    def teacher_terms(self, batch: ExpressionBatch, output: GeneratorOutput) -> dict[str, Tensor]:
        """Differences from the teacher's picture and from its flow."""
        terms = super().teacher_terms(batch, output)
        if self.weights.teacher_flow > 0 and batch.flow is not None and batch.edited is not None:
            assert output.flow is not None
            with torch.no_grad():
                trust = losses.flow_trust(warp(batch.image, batch.flow), batch.edited)
            terms["teacher_flow"] = losses.teacher_flow_loss(
                output.flow, batch.flow, trust, batch.has_teacher
            )
        return terms
