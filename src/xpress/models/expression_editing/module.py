"""Training that GANimation and DFT-Net share (Lightning, manual optimisation)."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from xpress.batches import ExpressionBatch, ExpressionEdit
from xpress.errors import InputError
from xpress.models.expression_editing import losses
from xpress.models.expression_editing.critic import ExpressionCritic, interpolates, score
from xpress.models.expression_editing.generator import ExpressionGenerator, GeneratorOutput
from xpress.models.expression_editing.pictures import edit_grid
from xpress.models.expression_editing.saturation import AttentionWatch
from xpress.models.expression_editing.settings import EditorSettings
from xpress.models.expression_editing.validation import ValidatedEditor
from xpress.models.generator_weights import load_generator
from xpress.models.painting.module import channels_last, move_averages

UNPAIRED = ("adversarial", "condition", "cycle")
"""Terms that are left out of a warm start."""

_log = logging.getLogger(__name__)


class ExpressionGAN(ValidatedEditor):
    """A generator of expressions against a critic that also reads action units.

    Every batch is one step of the critic, every `critic_steps`-th also one of the generator. In
    the first `warm_epochs`, and where neither `adversarial` nor `condition` has a weight, there is
    no critic: every batch is a step of the generator, towards its teacher.

    Subclasses give the generator, which has `stride` and `edit(image, units)`, and what is
    particular about its masks.

    Args:
        generator: of the subclass.
        settings: of the training.

    Raises:
        InputError: the settings do not fit together.
    """

    kind: str
    """Name of the network: that of its task and of the files it is exported to."""
    watch: AttentionWatch
    turns: Tensor

    def __init__(self, generator: ExpressionGenerator, settings: EditorSettings) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.settings, self.weights = settings, settings.loss_weights
        multiple = max(generator.stride, 2**settings.critic_depth)
        if settings.size % multiple:
            raise InputError(f"model.size={settings.size}: give a multiple of {multiple}")
        self.generator = generator
        if settings.init_from:
            load_generator(generator, settings.init_from)
        self.average = AveragedModel(
            generator, multi_avg_fn=partial(move_averages, settings.ema_decay), use_buffers=True
        ).requires_grad_(False)
        sizes = settings.size, settings.critic_channels, settings.critic_depth
        self.critic = ExpressionCritic(*sizes)
        self.register_buffer("turns", torch.tensor(0))  # batches that the critic has seen
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def mask_terms(self, output: GeneratorOutput) -> dict[str, Tensor]:
        """The subclass's `attention` and `smoothness`, as it minimises them."""
        raise NotImplementedError

    def forward(
        self, image: Float[Tensor, "B 3 H W"], units: Float[Tensor, "B U"]
    ) -> GeneratorOutput:
        """What the averaged generator makes of faces, with its layers.

        Args:
            image: RGB in [0, 1].
            units: wanted, in [0, 1]; where `relative`, the reader tells the picture's own.
        """
        self.average.eval()
        asked = self.asked(units, self.reader(image).units) if self.settings.relative else units
        return self.average.module.edit(channels_last(image), asked)  # type: ignore[operator]

    def asked(
        self, wanted: Float[Tensor, "B U"], own: Float[Tensor, "B U"]
    ) -> Float[Tensor, "B U"]:
        """What the generator is given; see `EditorSettings.relative`."""
        factor = self.settings.relative
        return factor * (wanted - own) if factor else wanted

    def edit(
        self, image: Float[Tensor, "B 3 H W"], target_units: Float[Tensor, "B 17"]
    ) -> ExpressionEdit:
        """The averaged generator's result; see `forward`."""
        return self(image, target_units).edit

    @property
    def judged(self) -> bool:
        """Whether the critic has a part in this epoch."""
        wanted = self.weights.adversarial > 0 or self.weights.condition > 0
        return wanted and not self.warming

    @property
    def warming(self) -> bool:
        """Whether this epoch learns from the teacher alone."""
        return self._trainer is not None and self.current_epoch < self.settings.warm_epochs

    def training_step(self, batch: ExpressionBatch, batch_index: int) -> None:
        """One step of the critic and, when it is its turn, one of the generator."""
        optimizer_g, optimizer_c = self.optimizers()  # type: ignore[attr-defined]
        judged, turn = self.judged, int(self.turns) % self.settings.critic_steps == 0
        if not judged or turn:
            with self.toggled_optimizer(optimizer_g):
                output = self._generate(batch.image, batch.target_units, batch.action_units)
        else:
            with torch.no_grad():
                output = self._generate(batch.image, batch.target_units, batch.action_units)
        if judged:
            with self.toggled_optimizer(optimizer_c):
                terms = self.critic_terms(batch, output.image.detach())
                self._step(optimizer_c, self._critic_total(terms), terms)
            self.turns += 1
        if not judged or turn:
            with self.toggled_optimizer(optimizer_g):
                terms = self.generator_terms(batch, output)
                self._step(optimizer_g, self._total(terms), terms)
            self.average.update_parameters(self.generator)
            self._watch(output.attention.detach())

    def critic_terms(self, batch: ExpressionBatch, fake: Tensor) -> dict[str, Tensor]:
        """Equation 6, and the half of equation 7 that is the critic's; not yet weighted."""
        real, fake = channels_last(batch.image * 2 - 1), channels_last(fake * 2 - 1)
        patches, units = self.critic(torch.cat([real, fake]))
        of_real, of_fake = score(patches).chunk(2)
        terms = {"critic": losses.critic_loss(of_real, of_fake)}
        if self.weights.gradient_penalty > 0:
            share = torch.rand(len(real), device=real.device)
            between = interpolates(real, fake, share)
            values = score(self.critic(between)[0])
            terms["gradient_penalty"] = losses.gradient_penalty(values, between)
        if self.weights.condition > 0:
            seen = units[: len(real)]
            terms["critic_condition"] = losses.conditional_loss(seen, batch.action_units)
        return terms

    def generator_terms(self, batch: ExpressionBatch, output: GeneratorOutput) -> dict[str, Tensor]:
        """Every active loss of the generator, not yet weighted."""
        terms = self.mask_terms(output) | self.teacher_terms(batch, output)
        weights = self.weights
        if self.judged:
            patches, seen = self.critic(channels_last(output.image * 2 - 1))
            if weights.adversarial > 0:
                terms["adversarial"] = losses.generator_loss(score(patches))
            if weights.condition > 0:
                terms["condition"] = losses.conditional_loss(seen, batch.target_units)
        if weights.cycle > 0 and not self.warming:
            back = self._generate(output.image, batch.action_units, batch.target_units)
            terms["cycle"] = losses.cycle_loss(batch.image, back.image)
        if weights.reader > 0:
            read = self.reader(output.image).units
            terms["reader"] = losses.conditional_loss(read, batch.target_units)
        return {name: value for name, value in terms.items() if getattr(weights, name) > 0}

    def teacher_terms(self, batch: ExpressionBatch, output: GeneratorOutput) -> dict[str, Tensor]:
        """Differences from the teacher, where the batch has one."""
        if self.weights.teacher == 0:
            return {}
        if batch.edited is None:
            raise InputError(
                "model.weights.teacher: the data has no teacher; give data.teacher=… or "
                "model.weights.teacher=0 model.warm_epochs=0"
            )
        focus = self.weights.teacher_focus
        loss = losses.teacher_loss(
            output.image, batch.edited, batch.image, batch.has_teacher, focus
        )
        return {"teacher": loss}

    def _generate(self, image: Tensor, wanted: Tensor, own: Tensor) -> GeneratorOutput:
        return self.generator.edit(channels_last(image), self.asked(wanted, own))

    def _critic_total(self, terms: dict[str, Tensor]) -> Tensor:
        weights = self.weights
        weight = {
            "critic": weights.adversarial,
            "gradient_penalty": weights.gradient_penalty,
            "critic_condition": weights.condition,
        }
        return torch.stack([weight[n] * v for n, v in terms.items()]).sum()

    def _total(self, terms: dict[str, Tensor]) -> Tensor:
        return torch.stack([getattr(self.weights, n) * v for n, v in terms.items()]).sum()

    def _step(self, optimizer: Any, loss: Tensor, terms: dict[str, Tensor]) -> None:
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        self.log_dict({f"train/{name}": value.detach() for name, value in terms.items()})

    def _watch(self, attention: Tensor) -> None:
        self.log_dict({f"train/{n}": v for n, v in self.watch.update(attention).items()})
        warning = self.watch.warning()
        if warning and self.trainer.is_global_zero:
            _log.warning("%s", warning)

    def on_train_epoch_end(self) -> None:
        """Schedules are stepped by hand: Lightning leaves them alone here."""
        generator, critic = self.lr_schedulers()  # type: ignore[misc]
        for schedule in (generator, critic) if self.judged else (generator,):
            schedule.step()

    def configure_optimizers(self):
        """Adam for the generator and Adam for the critic, constant and then linear."""
        settings, betas = self.settings, (self.settings.betas[0], self.settings.betas[1])
        optimizers = [
            torch.optim.Adam(self.generator.parameters(), settings.learning_rate, betas),
            torch.optim.Adam(self.critic.parameters(), settings.critic_learning_rate, betas),
        ]
        factor = partial(settings.rate_factor, epochs=max(self.trainer.max_epochs or 1, 1))
        generator, critic = optimizers
        schedules = [
            LambdaLR(generator, factor),
            # the critic's begins where the warm start ends
            LambdaLR(critic, lambda count: factor(settings.warm_epochs + count)),
        ]
        return optimizers, schedules

    def picture_grid(self, batch: ExpressionBatch, rows: int = 8) -> UInt8[np.ndarray, "H W 3"]:
        """Source, what the result is made of, the result and the teacher's, of some rows."""
        some = batch[:rows]
        with torch.no_grad():
            return edit_grid(some, self(some.image, some.target_units))
