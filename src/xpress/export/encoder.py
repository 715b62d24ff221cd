"""The encoder as ONNX, for ONNX Runtime on any machine."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xpress.export.onnx import export_onnx_model
from xpress.models.face_autoencoder.code import CodeLayout
from xpress.models.face_autoencoder.networks import FaceEncoder
from xpress.whole_files import written_beside

TOLERANCE = 1e-3
"""Largest difference of a code's numbers between torch and ONNX Runtime; they are of order one."""


def export_onnx(
    encoder: FaceEncoder,
    layout: CodeLayout,
    path: str | os.PathLike,
    card: Mapping[str, Any] | None = None,
) -> float:
    """Write `path` and, beside it, its JSON card with the code's layout.

    The model has an input "image" (B, 3, size, size), RGB in [0, 1], and an output "code" (B, K);
    batch norms are folded into the convolutions.

    Args:
        encoder: in any mode; it is left as it was.
        layout: of its code.
        path: the `.onnx` file.
        card: more for the card, such as what the weights were trained on.

    Returns:
        Largest difference from torch on random crops.

    Raises:
        InputError: the export extra is missing, or the file cannot be written.
        ValueError: the exported model computes something else.
    """
    path = Path(path)
    size = layout.size
    difference = export_onnx_model(encoder, path, {"image": (3, size, size)}, "code", TOLERANCE)
    with written_beside(path.with_suffix(".json")) as partial:
        text = json.dumps({"layout": layout.as_dict(), **(card or {})}, indent=2)
        partial.write_text(text + "\n", encoding="utf-8")
    return difference
