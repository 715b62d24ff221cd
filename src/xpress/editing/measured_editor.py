"""The editor that needs no training, measured as the trained ones are (Lightning)."""

from __future__ import annotations

import os

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from xpress.batches import ExpressionEdit
from xpress.editing.morphable import MorphableEditor
from xpress.errors import InputError
from xpress.media.crop import Crop
from xpress.models.expression_editing.evaluated import EvaluatedEditor
from xpress.reenactment.reenactor import Reenactor


class MorphableEditing(EvaluatedEditor):
    """Edits crops one by one with `editing.morphable.MorphableEditor`; it has no weights.

    Args:
        weights: of the encoder and the mouth generator, see `load_pretrained`.
        mouth: what fills an opened mouth: generator, model or none.
    """

    def __init__(self, weights: str | os.PathLike = "default", mouth: str = "generator") -> None:
        super().__init__()
        self.save_hyperparameters()
        reenactor = Reenactor.from_pretrained(weights, mouth=mouth)
        self.extractor, self.size = reenactor.extractor, reenactor.size
        self.editor = MorphableEditor(reenactor.geometry, reenactor.animators())

    def edit(
        self, image: Float[Tensor, "B 3 H W"], target_units: Float[Tensor, "B 17"]
    ) -> ExpressionEdit:
        """Edit canonical crops, RGB in [0, 1]; unchanged pixels stay as they are given."""
        pictures = (image * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        units = target_units.double().cpu().numpy()
        edits = [self._edit(*row) for row in zip(pictures, units, strict=True)]
        drawn, changed = (torch.from_numpy(np.stack(column)) for column in zip(*edits, strict=True))
        changed = changed[:, None].to(image)
        drawn = drawn.permute(0, 3, 1, 2).to(image) / 255
        return ExpressionEdit(torch.where(changed > 0, drawn, image), changed)

    def _edit(self, picture: np.ndarray, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        side = picture.shape[0]
        middle = (side - 1) / 2
        picture = np.ascontiguousarray(picture)
        face = self.extractor(picture, Crop((middle, middle), float(side), self.size))
        edited = self.editor.edit_units(picture, face, units)
        return edited.image, edited.changed

    def configure_optimizers(self):
        """There is nothing to train.

        Raises:
            InputError: always.
        """
        raise InputError("task=morphable_editor: nothing to train; give mode=test")

    def training_step(self, *_) -> None:
        """There is nothing to train; see `configure_optimizers`."""
        self.configure_optimizers()
