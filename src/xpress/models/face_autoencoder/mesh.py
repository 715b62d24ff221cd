"""What the network reconstructs, as a mesh."""

from __future__ import annotations

import os

import torch

from xpress.batches import FaceBatch
from xpress.models.face_autoencoder.module import FaceAutoencoder
from xpress.morphable.io.obj import write_obj


def write_reconstruction(
    module: FaceAutoencoder, batch: FaceBatch, path: str | os.PathLike
) -> bool:
    """Write the batch's first face as OBJ, in model space and in the colours and light it has.

    Returns:
        False where the batch holds no face, and nothing was written.
    """
    rows = batch.present.nonzero()[:1, 0]
    if not len(rows):
        return False
    with torch.no_grad():
        parameters = module(batch.image[rows])
        decoder = module.decoder
        shape = decoder.model.vertices(parameters.identity, parameters.expression)
        colors = decoder.vertex_colors(shape, parameters)
    arrays = (tensor.cpu().numpy() for tensor in (shape[0], decoder.triangles, colors[0]))
    write_obj(path, *arrays)
    return True
