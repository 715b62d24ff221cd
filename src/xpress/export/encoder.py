"""The encoder as ONNX, for ONNX Runtime on any machine."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xpress.errors import InputError
from xpress.media.files import written_beside
from xpress.models.face_autoencoder.code import CodeLayout
from xpress.models.face_autoencoder.networks import FaceEncoder

OPSET = 18
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
    training = encoder.training
    encoder.eval()
    try:
        program = _export(encoder, layout.size)
        with written_beside(path) as partial:
            partial.write_bytes(_without_traces(program.model_proto).SerializeToString())
            difference = _difference(encoder, layout.size, partial)
            if difference > TOLERANCE:
                raise ValueError(f"ONNX Runtime differs from torch by {difference:.2g}")
    finally:
        encoder.train(training)
    with written_beside(path.with_suffix(".json")) as partial:
        text = json.dumps({"layout": layout.as_dict(), **(card or {})}, indent=2)
        partial.write_text(text + "\n", encoding="utf-8")
    return difference


def _export(encoder: FaceEncoder, size: int) -> Any:
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError("exporting needs the extra: pip install 'xpress[export]'") from error
    example = torch.zeros(2, 3, size, size, device=next(encoder.parameters()).device)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside the exporter
        program = torch.onnx.export(
            encoder,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["image"],
            output_names=["code"],
            dynamic_shapes={"image": {0: torch.export.Dim("batch", min=1, max=1024)}},
            verbose=False,
        )
        assert program is not None
        program.optimize()
    return program


def _without_traces(model: Any) -> Any:
    """The model without the exporter's notes: stack traces name the folders of this machine."""
    for part in (*model.graph.node, *model.graph.initializer, *model.graph.value_info):
        del part.metadata_props[:]
        part.doc_string = ""
    for value in (*model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    del model.graph.metadata_props[:], model.metadata_props[:]
    return model


def _difference(encoder: FaceEncoder, size: int, path: Path) -> float:
    """Largest difference of codes, for one crop and for several."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    device = next(encoder.parameters()).device
    largest = 0.0
    for batch in (1, 3):
        crops = torch.rand(batch, 3, size, size, generator=generator)
        with torch.no_grad():
            expected = encoder(crops.to(device)).cpu().numpy()
        (code,) = session.run(["code"], {"image": crops.numpy()})
        largest = max(largest, float(np.abs(code - expected).max()))
    return largest
