"""Training of the mouth GAN (Lightning, manual optimisation)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import UInt8
from pydantic import PositiveFloat
from torch import Tensor

from xpress.batches import MouthBatch
from xpress.errors import InputError
from xpress.media.mouth_crop import SIZE
from xpress.models.mouth_gan.losses import MouthLossWeights, boundary_weight
from xpress.models.mouth_gan.networks import MouthGenerator, crop_boxes
from xpress.models.painting import losses
from xpress.models.painting.discriminator import PatchDiscriminator
from xpress.models.painting.metrics import FIGURES, hole_figures, telea
from xpress.models.painting.module import AdversarialPainter, channels_last
from xpress.models.painting.pictures import sample_grid

LOOK = (64, 96)
"""Height and width at which LPIPS looks at the box around the hole."""


class MouthGAN(AdversarialPainter):
    """A generator that paints the inside of mouths, against two discriminators.

    The global discriminator judges the whole crop, the local one the box tight around the hole;
    both see the hole mask and the composite: painted inside, real outside. One optimiser trains
    both of them.

    Args:
        size: pixels of the crop's side.
        channels: see `MouthGenerator`.
        repeats: see `MouthGenerator`.
        expansion: see `MouthGenerator`.
        discriminator_channels: of the global discriminator.
        local_channels: of the local one.
        local_size: (height, width) to which the local box is resampled.
        adversarial: "lsgan" or "hinge".
        weights: of the losses, or what makes them.
        boundary_reach: pixels over which the boundary's weight falls to 1/e.
        learning_rate: of the generator.
        discriminator_learning_rate: of both discriminators.
        betas: of Adam.
        decay_from: share of the epochs after which learning rates fall linearly to zero.
        ema_decay: of the generator's moving average, which is validated and exported.
        init_from: a checkpoint or safetensors whose generator to start from.
        trained: parts of the generator that are trained (`down`, `reduce`, `up`, `shuffle`,
            `paint`), with its batch norms as they are; all of it where empty. The last two cost
            a quarter of a step.
        lpips: weights of LPIPS, see `losses.lpips.load_lpips`; without them there is neither the
            perceptual loss nor that figure.
    """

    def __init__(
        self,
        size: int = SIZE,
        channels: Sequence[int] = (8, 20, 40, 96, 192),
        repeats: Sequence[int] = (1, 2, 3, 3),
        expansion: int = 3,
        discriminator_channels: Sequence[int] = (24, 48, 96, 192),
        local_channels: Sequence[int] = (32, 64, 128),
        local_size: Sequence[int] = (32, 64),
        adversarial: str = "lsgan",
        weights: MouthLossWeights | Callable[[], MouthLossWeights] = MouthLossWeights,
        boundary_reach: float = 3.0,
        learning_rate: PositiveFloat = 1e-3,
        discriminator_learning_rate: PositiveFloat = 4e-4,
        betas: Sequence[float] = (0.5, 0.99),
        decay_from: float = 0.6,
        ema_decay: float = 0.998,
        init_from: str | None = None,
        trained: Sequence[str] = (),
        lpips: str | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["weights"])
        self.weights = weights if isinstance(weights, MouthLossWeights) else weights()
        generator = MouthGenerator(channels, repeats, expansion)
        if size % generator.stride:
            raise InputError(f"model.size={size}: give a multiple of {generator.stride}")
        if unknown := set(trained) - {name for name, _ in generator.named_children()}:
            raise InputError(f"model.trained: the generator has no {', '.join(sorted(unknown))}")
        for name, part in generator.named_children():
            part.requires_grad_(not trained or name in trained)
        discriminators = {
            "global": PatchDiscriminator(4, discriminator_channels),
            "local": PatchDiscriminator(4, local_channels),
        }
        self.take(generator, discriminators, lpips)
        perceptual = self.weights.perceptual > 0 and lpips
        if not (self.judges or self.weights.l1 > 0 or perceptual):
            raise InputError("model.weights: every loss is off; give at least l1 a weight")

    def forward(self, *given: Tensor) -> Tensor:
        """The averaged generator's painting; see `MouthGenerator.forward`."""
        self.average.eval()
        return self.average(channels_last(given[0]), *given[1:])[:, :3]

    @property
    def judges(self) -> list[str]:
        """Discriminators that some loss asks for."""
        active = {
            "global": self.weights.adversarial_global + self.weights.features_global,
            "local": self.weights.adversarial_local + self.weights.features_local,
        }
        return [name for name, weight in active.items() if weight > 0]

    def paint(self, batch: MouthBatch) -> Tensor:
        """The generator's painting of the crops."""
        if self.hparams["trained"]:
            self.generator.eval()
        filled, *others = batch.given
        return self.generator(channels_last(filled), *others)[:, :3]

    def generator_terms(self, batch: MouthBatch, painted: Tensor) -> dict[str, Tensor]:
        """Every active loss of the generator, not yet weighted."""
        weights, kind = self.weights, self.hparams["adversarial"]
        terms = {}
        if weights.l1 > 0:
            reach = self.hparams["boundary_reach"]
            weight = boundary_weight(
                batch.hole, batch.distance, weights.boundary, weights.surroundings, reach
            )
            terms["l1"] = losses.weighted_l1(painted, batch.image, weight)
        composite = batch.composite(painted)
        for name in self.judges:
            logits, fake = self._judge(name, composite, batch)
            if getattr(weights, f"adversarial_{name}") > 0:
                terms[f"adversarial_{name}"] = losses.generator_loss(logits, kind)
            if getattr(weights, f"features_{name}") > 0:
                with torch.no_grad():
                    _, real = self._judge(name, batch.image, batch)
                terms[f"features_{name}"] = losses.feature_difference(real, fake)
        if weights.perceptual > 0 and self.lpips is not None:
            near = (crop_boxes(image, batch.box, LOOK) for image in (composite, batch.image))
            terms["perceptual"] = self.lpips(*near).mean()
        return terms

    def discriminator_terms(self, batch: MouthBatch, painted: Tensor) -> dict[str, Tensor]:
        """The loss of each discriminator that is in use."""
        composite = batch.composite(painted)
        terms = {}
        for name in self.judges:
            real, _ = self._judge(name, batch.image, batch)
            fake, _ = self._judge(name, composite, batch)
            kind = self.hparams["adversarial"]
            terms[f"discriminator_{name}"] = losses.discriminator_loss(real, fake, kind)
        return terms

    def _judge(self, name: str, image: Tensor, batch: MouthBatch) -> tuple[Tensor, list[Tensor]]:
        picture = torch.cat([image, batch.hole], dim=1)
        if name == "local":
            picture = crop_boxes(picture, batch.box, tuple(self.hparams["local_size"]))
        return self.discriminators[name](channels_last(picture))

    def validation_step(self, batch: MouthBatch, batch_index: int, dataloader_idx: int = 0) -> None:
        """Canonical crops of one set, painted by the averaged generator."""
        truth, hole = batch.image, batch.hole
        filled, _, teeth, reference = batch.given
        nothing = torch.zeros_like(reference)
        outputs = {"": self(filled, hole, teeth, reference)}
        outputs["alone"] = self(filled, hole, teeth, nothing)
        if self._trainer is not None and self.trainer.testing:
            outputs |= {"telea": telea(truth, hole)}
            mean = getattr(self.trainer, "datamodule", None)
            if mean is not None:
                outputs["mean"] = mean.mean_mouth.to(truth).expand_as(truth)
        for name, output in outputs.items():
            composite = batch.composite(output)
            figures = hole_figures(composite, truth, hole)
            figures["lpips"] = self._looks(composite, truth)
            values = torch.stack([figures[n] for n in FIGURES], dim=1)
            self.collect(dataloader_idx, batch.row, values, method=name)

    def _looks(self, composite: Tensor, truth: Tensor) -> Tensor:
        if self.lpips is None:
            return torch.full_like(truth[:, 0, 0, 0], torch.nan)
        return self.lpips(composite, truth)

    def badness(self, figures: Mapping[str, float], method: str) -> float | None:
        """Of the generator, with its reference and without one."""
        if method not in ("", "alone"):
            return None
        return figures["l1"] * 10 + 1 - figures["ssim"] + abs(figures["sharpness"] - 1) / 2

    def picture_grid(self, batch: MouthBatch, rows: int = 8) -> UInt8[np.ndarray, "H W 3"]:
        """Some rows, the most open mouths first.

        Input, rows of teeth and hole, both layers of the reference, output, output without
        reference, truth.
        """
        order = batch.hole.sum((1, 2, 3)).argsort(descending=True)[:rows].cpu()
        some = batch.map(lambda tensor: tensor[order.to(tensor.device)])
        with torch.no_grad():
            composite = some.composite(self(*some.given))
            filled, hole, teeth, reference = some.given
            alone = some.composite(self(filled, hole, teeth, torch.zeros_like(reference)))
        where = torch.cat([teeth, hole], dim=1)
        upper, lower = (layer[:, :3] for layer in reference.split(4, dim=1))
        return sample_grid([filled, where, upper, lower, composite, alone, some.image])
