"""Training of GANimation."""

from __future__ import annotations

from typing import Annotated, Any

from torch import Tensor

from xpress.models.expression_editing.generator import GeneratorOutput
from xpress.models.expression_editing.losses import (
    attention_mean,
    total_variation,
)
from xpress.models.expression_editing.module import ExpressionGAN
from xpress.models.expression_editing.saturation import AttentionWatch
from xpress.models.expression_editing.settings import EditorSettings
from xpress.models.ganimation.networks import GANimationGenerator


class GANimation(ExpressionGAN):
    """Colour and attention masks against a critic.

    Args:
        channels: see `GANimationGenerator`.
        blocks: see `GANimationGenerator`.
        modulated: see `GANimationGenerator`.
        settings: see `EditorSettings`.
    """

    kind = "ganimation"

    def __init__(
        self,
        channels: int = 64,
        blocks: int = 6,
        modulated: bool = False,
        **settings: Annotated[Any, EditorSettings],
    ) -> None:
        generator = GANimationGenerator(channels, blocks, modulated=modulated)
        super().__init__(generator, EditorSettings(**settings))
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
