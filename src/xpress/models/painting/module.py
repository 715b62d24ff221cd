"""What painting GANs share: two sides, a moving average, and a step of each (Lightning)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from xpress.errors import InputError
from xpress.losses.lpips import load_lpips
from xpress.models.generator_weights import load_generator
from xpress.models.painting.losses import ADVERSARIAL
from xpress.models.painting.metrics import figure_table, summarize
from xpress.models.set_figures import SetFigures


class AdversarialPainter(SetFigures):
    """A generator against discriminators, by manual optimisation; see `MouthGAN` and `EyeGAN`.

    What a subclass saves as hyperparameters: `adversarial`, "lsgan" or "hinge", `learning_rate`,
    `discriminator_learning_rate`, `betas` of Adam, `decay_from`: the share of the epochs after
    which learning rates fall linearly to zero, `ema_decay` of the generator's moving average, which
    is validated and exported, and `init_from`. It calls `take` once and gives `paint`,
    `generator_terms`, `discriminator_terms` and `judges`.
    """

    generator: nn.Module
    weights: Any
    """Of the losses, by their names."""

    def take(
        self, generator: nn.Module, discriminators: Mapping[str, nn.Module], lpips: str | None
    ) -> None:
        """Hold the networks.

        Args:
            generator: starts from `init_from`, where that is given.
            discriminators: by name; one optimiser trains them all.
            lpips: file of LPIPS's weights, see `load_lpips`.

        Raises:
            InputError: weights that cannot be used, or an unknown kind of adversarial loss.
        """
        settings = self.hparams
        if settings["adversarial"] not in ADVERSARIAL:
            choices = " or ".join(ADVERSARIAL)
            raise InputError(f"model.adversarial={settings['adversarial']}: choose {choices}")
        if settings["init_from"]:
            load_generator(generator, settings["init_from"])
        self.automatic_optimization = False
        self.generator = generator
        self.average = AveragedModel(
            generator, multi_avg_fn=partial(move_averages, settings["ema_decay"]), use_buffers=True
        ).requires_grad_(False)
        self.discriminators = nn.ModuleDict(discriminators)
        # Held in a list: published weights are neither checkpointed nor averaged.
        self._lpips = [load_lpips(lpips) if lpips else None]
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def lpips(self) -> nn.Module | None:
        """On this module's device."""
        return None if self._lpips[0] is None else self._lpips[0].to(self.device)

    @property
    def judges(self) -> Sequence[str]:
        """Discriminators that some loss asks for."""
        raise NotImplementedError

    def paint(self, batch: Any) -> Tensor:
        """What the generator, as it is trained, makes of a batch."""
        raise NotImplementedError

    def generator_terms(self, batch: Any, painted: Tensor) -> dict[str, Tensor]:
        """Every active loss of the generator, not yet weighted."""
        raise NotImplementedError

    def discriminator_terms(self, batch: Any, painted: Tensor) -> dict[str, Tensor]:
        """The loss of each discriminator in `judges`."""
        raise NotImplementedError

    def training_step(self, batch: Any, batch_index: int) -> None:
        """One step of the generator, then one of the discriminators."""
        optimizer_g, optimizer_d = self.optimizers()  # type: ignore[attr-defined]
        with self.toggled_optimizer(optimizer_g):
            painted = self.paint(batch)
            terms = self.generator_terms(batch, painted)
            self._step(optimizer_g, self._total(terms), terms)
        self.average.update_parameters(self.generator)
        if self.judges:
            with self.toggled_optimizer(optimizer_d):
                terms = self.discriminator_terms(batch, painted.detach())
                self._step(optimizer_d, torch.stack(list(terms.values())).sum(), terms)

    def figures(self, *columns: Tensor) -> dict[str, float]:
        """Of what was painted; see `metrics.summarize`."""
        row, values = columns
        return summarize([(row, values)])

    def figure_table(self, metrics: Mapping[str, Tensor], stage: str) -> str:
        """See `metrics.figure_table`."""
        return figure_table(metrics, stage)

    def _total(self, terms: dict[str, Tensor]) -> Tensor:
        return torch.stack([getattr(self.weights, n) * v for n, v in terms.items()]).sum()

    def _step(self, optimizer: Any, loss: Tensor, terms: dict[str, Tensor]) -> None:
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        self.log_dict({f"train/{name}": value.detach() for name, value in terms.items()})

    def on_train_epoch_end(self) -> None:
        """Schedules are stepped by hand: Lightning leaves them alone here."""
        generator, judges = self.lr_schedulers()  # type: ignore[misc]
        for schedule in (generator, judges) if self.judges else (generator,):
            schedule.step()

    def configure_optimizers(self):
        """Adam for the generator and Adam for the discriminators, constant and then linear."""
        betas = tuple(self.hparams["betas"])
        judges = self.discriminators.parameters()
        optimizers = [
            torch.optim.Adam(self.generator.parameters(), self.hparams["learning_rate"], betas),
            torch.optim.Adam(judges, self.hparams["discriminator_learning_rate"], betas),
        ]
        epochs = max(self.trainer.max_epochs or 1, 1)
        start = self.hparams["decay_from"]

        def factor(epoch: int) -> float:
            return min(1.0, max(0.0, (1 - epoch / epochs) / max(1 - start, 1e-6)))

        schedules = [torch.optim.lr_scheduler.LambdaLR(o, factor) for o in optimizers]
        return optimizers, schedules


@torch.no_grad()
def move_averages(decay: float, averages: Any, values: Any, count: Tensor | int) -> None:
    """An exponential moving average for `AveragedModel` that forgets its start.

    The decay of update n is at most (1 + n) / (10 + n): else the first, random weights would
    make up half of the average for hundreds of steps.
    """
    share = 1 - min(decay, (1 + int(count)) / (10 + int(count)))
    if averages[0].is_floating_point():
        torch._foreach_lerp_(averages, values, share)
    else:
        torch._foreach_copy_(averages, values)


def channels_last(image: Tensor) -> Tensor:
    """The layout in memory that convolutions are fastest with."""
    return image.contiguous(memory_format=torch.channels_last)
