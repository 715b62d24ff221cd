"""Wavefront OBJ with vertex colours."""

from __future__ import annotations

import io
import os

import numpy as np
from jaxtyping import Float, Int

from xpress.whole_files import written_beside


def write_obj(
    path: str | os.PathLike,
    vertices: Float[np.ndarray, "V 3"],
    triangles: Int[np.ndarray, "F 3"],
    colors: Float[np.ndarray, "V 3"] | None = None,
) -> None:
    """Write a mesh; colours follow the coordinates on the `v` lines, as MeshLab and Blender read.

    Args:
        path: the file.
        vertices: in any frame; model space (y up) is what other programs expect.
        triangles: vertex indices from zero, counter-clockwise seen from outside.
        colors: RGB in [0, 1], clipped; None writes none.

    Raises:
        InputError: the file cannot be written.
    """
    columns = vertices if colors is None else np.hstack([vertices, np.clip(colors, 0, 1)])
    text = io.StringIO()
    np.savetxt(text, columns, fmt="v" + " %.5g" * columns.shape[1])
    np.savetxt(text, np.asarray(triangles) + 1, fmt="f %d %d %d")
    with written_beside(path) as partial:
        partial.write_text(text.getvalue(), encoding="ascii")
