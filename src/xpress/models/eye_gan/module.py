"""Training of the eye GAN (Lightning, manual optimisation)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from pydantic import PositiveFloat
from torch import Tensor
from torch.nn import functional as F

from xpress.batches import EyeBatch
from xpress.errors import InputError
from xpress.models.eye_gan.losses import EyeLossWeights, total_variation
from xpress.models.eye_gan.networks import EyeGenerator, edited, flowed
from xpress.models.painting.discriminator import PatchDiscriminator
from xpress.models.painting.losses import (
    discriminator_loss,
    feature_difference,
    generator_loss,
    weighted_l1,
)
from xpress.models.painting.metrics import FIGURES, hole_figures, telea
from xpress.models.painting.module import AdversarialPainter, channels_last
from xpress.models.painting.pictures import sample_grid

RIM = -0.5
"""Value of the map of the lids from which a pixel counts to the opening and its rim."""
BOX = (slice(8, 40), slice(8, 56))
"""Rows and columns around the region: what LPIPS and the discriminator look at."""
ENLARGED = 1.5
"""LPIPS looks at the box enlarged: AlexNet's first layer sees every fourth pixel."""


class EyeGAN(AdversarialPainter):
    """A generator that moves and paints eyes, against a discriminator.

    Args:
        channels: see `MobileUNet`.
        repeats: see `MobileUNet`.
        expansion: see `MobileUNet`.
        discriminator_channels: of the discriminator.
        adversarial: "lsgan" or "hinge".
        weights: of the losses, or what makes them.
        lpips: file of LPIPS's weights, see `load_lpips`; needed where `weights.perceptual` is
            above zero, and by itself for the figure.
        learning_rate: of the generator.
        discriminator_learning_rate: of the discriminator.
        betas: of Adam.
        decay_from: share of the epochs after which learning rates fall linearly to zero.
        ema_decay: of the generator's moving average, which is validated and exported.
        init_from: a checkpoint or safetensors whose generator to start from.
    """

    def __init__(
        self,
        channels: Sequence[int] = (8, 24, 48, 96),
        repeats: Sequence[int] = (1, 2, 3),
        expansion: int = 3,
        discriminator_channels: Sequence[int] = (24, 48, 96),
        adversarial: str = "lsgan",
        weights: EyeLossWeights | Callable[[], EyeLossWeights] = EyeLossWeights,
        lpips: str | None = None,
        learning_rate: PositiveFloat = 1.5e-3,
        discriminator_learning_rate: PositiveFloat = 4e-4,
        betas: Sequence[float] = (0.5, 0.99),
        decay_from: float = 0.5,
        ema_decay: float = 0.995,
        init_from: str | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["weights", "lpips"])
        self.weights = weights if isinstance(weights, EyeLossWeights) else weights()
        if self.weights.perceptual > 0 and lpips is None:
            raise InputError(
                "model.lpips: name the file of LPIPS's weights, or set model.weights.perceptual=0"
            )
        generator = EyeGenerator(channels, repeats, expansion)
        judge = PatchDiscriminator(3 + 2, discriminator_channels)
        self.take(generator, {"eye": judge}, lpips)

    def forward(self, batch: EyeBatch) -> Float[Tensor, "B 3 H W"]:
        """The averaged generator's painting of whole crops."""
        self.average.eval()
        edit = self.average(*_inputs(batch))
        return edited(edit, batch.reference, batch.flow)[0]

    @property
    def judges(self) -> list[str]:
        """The discriminator, where some loss asks for it."""
        return ["eye"] if self.weights.adversarial + self.weights.features > 0 else []

    def paint(self, batch: EyeBatch) -> Float[Tensor, "B 6 H W"]:
        """The generator's edit of the crops."""
        return self.generator(*_inputs(batch))

    def generator_terms(self, batch: EyeBatch, painted: Tensor) -> dict[str, Tensor]:
        """Every active loss of the generator, not yet weighted."""
        weights, kind = self.weights, self.hparams["adversarial"]
        image, added, mask = edited(painted, batch.reference, batch.flow)
        opening = (batch.maps[:, 2:3] > RIM).float()
        where = batch.region * (1 + weights.opening * opening)
        terms = {"l1": weighted_l1(image, batch.image, where)}
        if weights.smoothness > 0:
            terms["smoothness"] = total_variation(added)
        if weights.mask > 0:
            terms["mask"] = (mask * batch.region).mean()
        composite = batch.composite(image)
        if weights.perceptual > 0:
            terms["perceptual"] = self._distance(composite, batch.image).mean()
        if self.judges:
            logits, fake = self._judge(composite, batch)
            terms["adversarial"] = generator_loss(logits, kind)
            with torch.no_grad():
                _, real = self._judge(batch.image, batch)
            terms["features"] = feature_difference(real, fake)
        return terms

    def discriminator_terms(self, batch: EyeBatch, painted: Tensor) -> dict[str, Tensor]:
        """The discriminator's loss."""
        composite = batch.composite(edited(painted, batch.reference, batch.flow)[0])
        real, _ = self._judge(batch.image, batch)
        fake, _ = self._judge(composite, batch)
        return {"discriminator": discriminator_loss(real, fake, self.hparams["adversarial"])}

    def _judge(self, image: Tensor, batch: EyeBatch) -> tuple[Tensor, list[Tensor]]:
        wanted = (batch.maps[:, 2:] + 1) / 2
        picture = torch.cat([image, wanted], dim=1)[..., BOX[0], BOX[1]]
        return self.discriminators["eye"](channels_last(picture))

    def _distance(self, output: Tensor, truth: Tensor) -> Float[Tensor, " B"]:
        """LPIPS of the box around the region."""
        assert self.lpips is not None
        boxes = [
            F.interpolate(
                x[..., BOX[0], BOX[1]], scale_factor=ENLARGED, mode="bilinear", align_corners=False
            )
            for x in (output, truth)
        ]
        return self.lpips(*boxes)

    def validation_step(self, batch: EyeBatch, batch_index: int, dataloader_idx: int = 0) -> None:
        """Fixed pairs of one set, painted by the averaged generator."""
        truth = batch.image
        outputs = {"": batch.composite(self(batch))}
        if self._trainer is not None and self.trainer.testing:
            filled = telea(truth, (batch.region > 0).float())
            outputs |= {"telea": batch.composite(filled)}
        for name, output in outputs.items():
            figures = hole_figures(output, truth, batch.region)
            figures["lpips"] = torch.full_like(figures["l1"], torch.nan)
            if self.lpips is not None:
                figures["lpips"] = self._distance(output, truth)
            values = torch.stack([figures[n] for n in FIGURES], dim=1)
            self.collect(dataloader_idx, batch.row, values, method=name)

    def badness(self, figures: Mapping[str, float], method: str) -> float | None:
        """Of the generator; LPIPS counts where it is measured."""
        lpips = figures["lpips"] if math.isfinite(figures["lpips"]) else 0.0
        return None if method else figures["l1"] * 10 + lpips

    def picture_grid(self, batch: EyeBatch, rows: int = 8) -> UInt8[np.ndarray, "H W 3"]:
        """Reference, input, wanted lids and iris, output and truth of some rows."""
        some = batch.map(lambda tensor: tensor[:rows])
        with torch.no_grad():
            composite = some.composite(self(some))
        lids, iris = ((some.maps[:, n : n + 1] + 1) / 2 for n in (2, 3))
        return sample_grid([some.reference, some.around, lids, iris, composite, some.image])


def _inputs(batch: EyeBatch) -> tuple[Tensor, ...]:
    """What the generator is given."""
    moved = flowed(batch.reference, batch.flow)
    return channels_last(batch.around), batch.reference, moved, batch.maps
