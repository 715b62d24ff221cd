"""Where the teeth of labelled pictures are, and which pictures show the same person's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor
from xpress.data_modules.faces.dataset import FaceSource

from xpress.errors import InputError
from xpress.morphable.model import MorphableModel
from xpress.morphable.teeth import COUNT, teeth_rows
from xpress.packs import FaceRecords
from xpress.rendering.camera import project

USED = ("identity", "expression", "rotation", "translation", "scale")


def teeth_of(source: FaceSource) -> Float32[np.ndarray, "N 2 2 M 2"]:
    """The rows of teeth of every picture in its pixels, see `morphable.teeth`; NaN where unknown.

    Raises:
        InputError: the parameters belong to another face model.
    """
    rows = np.full((len(source.records), 2, 2, COUNT, 2), np.nan, np.float32)
    table = source.targets
    if table is None or not table.valid.any():
        return rows
    model = MorphableModel.default()
    sizes = table.identity.shape[1], table.expression.shape[1]
    if sizes != model.sizes[:2]:
        raise InputError(
            f"fits: {sizes[0]} identity and {sizes[1]} expression coefficients, the face model "
            f"has {model.sizes[0]} and {model.sizes[1]}; fit the packs anew"
        )
    given = (torch.from_numpy(getattr(table, name)[table.valid]) for name in USED)
    rows[table.valid] = projected_rows(model, *given).numpy()
    return rows


def projected_rows(
    model: MorphableModel,
    identity: Float[Tensor, "B Ki"],
    expression: Float[Tensor, "B Ke"],
    rotation: Float[Tensor, "B 3"],
    translation: Float[Tensor, "B 2"],
    scale: Float[Tensor, " B"],
) -> Float[Tensor, "B 2 2 N 2"]:
    """The rows' points of faces in pixels; the arguments are `FaceParameters`'."""
    rows = torch.from_numpy(teeth_rows(model))
    vertices = rows.flatten()
    points = model.mean[vertices]
    points = points + torch.einsum("bk,kvc->bvc", identity, model.identity_basis[:, vertices])
    points = points + torch.einsum("bk,kvc->bvc", expression, model.expression_basis[:, vertices])
    return project(points, rotation, translation, scale)[..., :2].reshape(-1, *rows.shape, 2)


def clips_of(
    records: Sequence[FaceRecords], known: Bool[np.ndarray, " N"]
) -> dict[int, Int[np.ndarray, " M"]]:
    """The rows of the same person and clip, for every row whose teeth are known.

    A clip is what comes before the last slash of a row's key.
    """
    clips: dict[tuple[str, str, str], list[int]] = {}
    number = 0
    for record in records:
        for person, key in zip(record.identities, record.keys, strict=True):
            if person and known[number]:
                name = record.name, person, key.rpartition("/")[0]
                clips.setdefault(name, []).append(number)
            number += 1
    return {row: np.array(rows) for rows in clips.values() for row in rows}
