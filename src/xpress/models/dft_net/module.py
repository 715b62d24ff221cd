"""Training of DFT-Net."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor

from xpress.batches import ExpressionBatch
from xpress.models.dft_net.networks import DFTNetGenerator, warp
from xpress.models.expression_editing import losses
from xpress.models.expression_editing.generator import GeneratorOutput
from xpress.models.expression_editing.module import ExpressionGAN
from xpress.models.expression_editing.saturation import AttentionWatch
from xpress.models.expression_editing.settings import EditorSettings


class DFTNet(ExpressionGAN):
    """Flow, attention and texture against a critic.

    Args:
        channels: see `DFTNetGenerator`.
        blocks: see `DFTNetGenerator`.
        texture_channels: see `DFTNetGenerator`.
        flow_skips: see `DFTNetGenerator`.
        settings: see `EditorSettings`.
    """

    kind = "dft_net"

    def __init__(
        self,
        channels: int = 64,
        blocks: int = 6,
        texture_channels: int = 16,
        flow_skips: bool = True,
        **settings: Annotated[Any, EditorSettings],
    ) -> None:
        generator = DFTNetGenerator(channels, blocks, texture_channels, flow_skips=flow_skips)
        super().__init__(generator, EditorSettings(**settings))
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
