"""A generator as files: weights in half precision, ONNX for the frame loop, and a card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import nn

from xpress.export.onnx import export_onnx_model
from xpress.whole_files import written_beside


def write_generator(
    generator: nn.Module,
    target: Path,
    name: str,
    inputs: Mapping[str, Sequence[int]],
    output: str | Sequence[str],
    tolerance: float,
    details: Mapping[str, Any],
) -> list[Path]:
    """Write three files; the ONNX model computes with the rounded weights.

    Args:
        generator: left as it was.
        target: folder, or a `.safetensors` file that gives all three their name.
        name: of the files in a folder.
        inputs: see `export_onnx_model`.
        output: likewise.
        tolerance: likewise.
        details: of the JSON card, to which the number of parameters and a hash are added.

    Returns:
        The files.

    Raises:
        InputError: the export extra is missing, or the folder cannot be written.
    """
    path = target if target.suffix == ".safetensors" else target / f"{name}.safetensors"
    generator = deepcopy(generator)
    state = generator.state_dict()
    rounded = {n: t.half() if t.is_floating_point() else t for n, t in state.items()}
    with written_beside(path) as partial:
        partial.write_bytes(save({n: t.contiguous() for n, t in rounded.items()}))
    generator.load_state_dict(rounded)
    export_onnx_model(generator, path.with_suffix(".onnx"), inputs, output, tolerance)
    counted = {
        "parameters": sum(p.numel() for p in generator.parameters()),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    with written_beside(path.with_suffix(".json")) as partial:
        card = json.dumps({**counted, **details}, indent=2)
        partial.write_text(card + "\n", encoding="utf-8")
    return [path, path.with_suffix(".onnx"), path.with_suffix(".json")]
