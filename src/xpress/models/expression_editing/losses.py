"""Losses of GANimation and DFT-Net; pure functions.

Equations are those of Wang et al., "DFT-Net", ICIP 2019; GANimation's are the same but for the
masks. Expectations are means over the batch. Norms of pictures and masks (equations 8 and 10) are
means over their elements, as both papers' weights take them; equations 7 and 9 are sums as written.
Pictures are RGB in [0, 1] unless said otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from xpress.models.gather import mean_count

CHARBONNIER = 0.1
"""Pixels below which a difference of flows counts by its square."""
SAME_COLOR = 0.05
"""Difference of colours at which a teacher's flow counts 1/e: there it does not say what its
picture shows, as inside a mouth."""


@dataclass(frozen=True)
class ExpressionLossWeights:
    """Weight of each term; zero switches it off and saves its cost.

    The published condition weight is 4000, but the authors' code divides the mean of the 17
    squared differences by the batch size, 25, once more: 160 for the mean over units, or
    160 / 17 = 9.4 for the squared norm of equation 7, whatever the batch. The published cycle
    weight 10 is for colours in [-1, 1]: 20 for colours in [0, 1].

    Attributes:
        adversarial: the critic's verdict, equation 6.
        gradient_penalty: of the critic's own loss, equation 6.
        condition: action units that the critic sees, equation 7.
        cycle: the way back to the picture, equation 8.
        smoothness: equation 9 of DFT-Net's flow in pixels, or of GANimation's attention mask.
        attention: DFT-Net rewards its mean (equation 10, published 1.0), GANimation punishes it
            (published 0.1): both keep the generator from leaving the input as it is.
        teacher: difference from the teacher's picture.
        teacher_focus: how much more the pixels count that the teacher changes.
        teacher_flow: difference from the teacher's flow; DFT-Net only.
        reader: action units that the frozen face encoder reads in the result.
    """

    adversarial: float = 1.0
    gradient_penalty: float = 10.0
    condition: float = 9.4
    cycle: float = 20.0
    smoothness: float = 1e-4
    attention: float = 0.1
    teacher: float = 0.0
    teacher_focus: float = 4.0
    teacher_flow: float = 0.0
    reader: float = 0.0


def critic_loss(real: Float[Tensor, " B"], fake: Float[Tensor, " B"]) -> Float[Tensor, ""]:
    """First line of equation 6, which the critic minimises: its values of both kinds."""
    return fake.mean() - real.mean()


def generator_loss(fake: Float[Tensor, " B"]) -> Float[Tensor, ""]:
    """What the generator minimises: equation 6 with the sign turned, without its constants."""
    return -fake.mean()


def gradient_penalty(
    value: Float[Tensor, " B"], picture: Float[Tensor, "B 3 H W"]
) -> Float[Tensor, ""]:
    """Second line of equation 6, without its weight.

    Args:
        value: the critic's, of each picture; has to depend on that picture alone.
        picture: what they were computed from, with gradients; see `critic.interpolates`.
    """
    (gradient,) = torch.autograd.grad(value.sum(), picture, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square().mean()


def conditional_loss(seen: Float[Tensor, "B U"], units: Float[Tensor, "B U"]) -> Float[Tensor, ""]:
    """Either half of equation 7: squared distance of action units."""
    return (seen - units).square().sum(1).mean()


def cycle_loss(
    image: Float[Tensor, "B 3 H W"], back: Float[Tensor, "B 3 H W"]
) -> Float[Tensor, ""]:
    """Equation 8 for a picture and what became of it and back; the norm is a mean."""
    return (image - back).abs().mean()


def total_variation(field: Float[Tensor, "B C H W"]) -> Float[Tensor, ""]:
    """Equation 9: squared differences of neighbours, summed over the picture."""
    down = (field[:, :, 1:] - field[:, :, :-1]).square().sum((1, 2, 3))
    right = (field[:, :, :, 1:] - field[:, :, :, :-1]).square().sum((1, 2, 3))
    return (down + right).mean()


def attention_mean(attention: Float[Tensor, "B 1 H W"]) -> Float[Tensor, ""]:
    """Mean of a mask: the attention loss of GANimation, and equation 10 with the sign turned."""
    return attention.abs().mean()


def teacher_loss(
    image: Float[Tensor, "B 3 H W"],
    edited: Float[Tensor, "B 3 H W"],
    source: Float[Tensor, "B 3 H W"],
    rows: Bool[Tensor, " B"],
    focus: float,
) -> Float[Tensor, ""]:
    """Mean absolute difference from a teacher's pictures.

    Args:
        image: results.
        edited: the teacher's.
        source: the pictures that were edited.
        rows: which have a teacher.
        focus: added to the weight of pixels that the teacher changes by a tenth or more.
    """
    changed = ((edited - source).abs().mean(1) * 10).clamp(max=1)
    difference = (image - edited).abs().mean(1) * (1 + focus * changed)
    return _mean_of(difference.mean((1, 2)), rows)


def teacher_flow_loss(
    flow: Float[Tensor, "B 2 H W"],
    wanted: Float[Tensor, "B 2 H W"],
    trust: Float[Tensor, "B H W"],
    rows: Bool[Tensor, " B"],
) -> Float[Tensor, ""]:
    """Weighted mean of the Charbonnier distance of flows, pixels.

    Charbonnier et al., "Two deterministic half-quadratic regularization algorithms …", 1994.

    Args:
        flow: of the generator.
        wanted: the teacher's.
        trust: in the teacher's flow; see `flow_trust`.
        rows: which have a teacher.
    """
    squares = (flow - wanted).square().sum(1)
    distance = (squares + CHARBONNIER**2).sqrt() - CHARBONNIER
    weight = (0.1 + wanted.norm(dim=1).clamp(max=1)) * trust
    per_row = (distance * weight).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1e-6)
    return _mean_of(per_row, rows)


def flow_trust(
    aligned: Float[Tensor, "B 3 H W"], edited: Float[Tensor, "B 3 H W"]
) -> Float[Tensor, "B H W"]:
    """How well a teacher's flow, which makes `aligned` of the source, explains its picture."""
    return torch.exp(-(aligned - edited).abs().mean(1) / SAME_COLOR)


def _mean_of(values: Float[Tensor, " B"], rows: Bool[Tensor, " B"]) -> Float[Tensor, ""]:
    """Mean over some rows; what the others hold, numbers or not, does not matter."""
    return torch.where(rows, values, 0.0).sum() / mean_count(rows.sum())
