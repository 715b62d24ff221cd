"""Action units of blendshape activations in torch, for losses."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from xpress.morphable.action_units import ACTION_UNITS, SIDES, action_unit_matrix


class ActionUnitLayer(nn.Module):
    """`ActionUnits` in torch, differentiable where it does not clip.

    Args:
        expression_names: of the model's expression basis.
    """

    matrix: Tensor

    def __init__(self, expression_names: Sequence[str]) -> None:
        super().__init__()
        matrix = torch.from_numpy(action_unit_matrix(expression_names)).float()
        self.register_buffer("matrix", matrix, persistent=False)
        self._blinks = [expression_names.index(f"eyeBlink{side}") for side in SIDES]

    def forward(self, expression: Float[Tensor, "B Ke"]) -> Float[Tensor, "B 17"]:
        """Intensities in [0, 1] in the order of `ACTION_UNITS`."""
        units = expression @ self.matrix.T
        blink = expression[:, self._blinks].amax(1, keepdim=True)
        number = ACTION_UNITS.index(45)
        return torch.cat([units[:, :number], blink, units[:, number + 1 :]], dim=1).clamp(0, 1)
