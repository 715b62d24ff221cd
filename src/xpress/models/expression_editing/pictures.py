"""Sample grids of edited faces: what the result is made of, one face a row."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from xpress.batches import ExpressionBatch
from xpress.models.expression_editing.generator import GeneratorOutput
from xpress.models.painting.pictures import sample_grid


def edit_grid(batch: ExpressionBatch, output: GeneratorOutput) -> UInt8[np.ndarray, "H W 3"]:
    """Source, aligned picture (where there is a flow), texture, attention, result, teacher's.

    The teacher's column is there where the batch has one; rows without are white in it. Dark
    attention is where the texture is taken, as in the figures of the DFT-Net paper.
    """
    columns: list[Tensor] = [batch.image]
    if output.flow is not None:
        columns.append(output.aligned)
    columns += [output.texture, output.attention, output.image]
    if batch.edited is not None:
        shown = batch.has_teacher[:, None, None, None]
        columns.append(torch.where(shown, batch.edited, 1.0))
    return sample_grid(columns)
