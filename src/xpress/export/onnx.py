"""What every exported network has in common: plain ONNX, checked against torch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from xpress.errors import InputError
from xpress.whole_files import written_beside

OPSET = 18


def export_onnx_model(
    network: nn.Module,
    path: Path,
    inputs: Mapping[str, Sequence[int]],
    output: str | Sequence[str],
    tolerance: float,
) -> float:
    """Write a network as ONNX with any batch size; batch norms are folded into convolutions.

    Args:
        network: in any mode; it is left as it was.
        path: the `.onnx` file.
        inputs: shape of each input without the batch, in the order of `forward`; values in [0, 1].
        output: name of the output, or of each of several.
        tolerance: largest difference from torch.

    Returns:
        Largest difference from torch on random inputs.

    Raises:
        InputError: the export extra is missing, or the file cannot be written.
        ValueError: the exported model computes something else.
    """
    outputs = [output] if isinstance(output, str) else list(output)
    training = network.training
    network.eval()
    try:
        program = _export(network, inputs, outputs)
        with written_beside(path) as partial:
            partial.write_bytes(_without_traces(program.model_proto).SerializeToString())
            difference = _difference(network, inputs, outputs, partial)
            if difference > tolerance:
                raise ValueError(f"ONNX Runtime differs from torch by {difference:.2g}")
    finally:
        network.train(training)
    return difference


def _export(network: nn.Module, inputs: Mapping[str, Sequence[int]], outputs: list[str]) -> Any:
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError("exporting needs the extra: pip install 'xpress[export]'") from error
    device = next(network.parameters()).device
    examples = tuple(torch.zeros(2, *shape, device=device) for shape in inputs.values())
    batch = torch.export.Dim("batch", min=1, max=1024)
    for library in ("onnx_ir", "onnxscript"):
        logging.getLogger(library).setLevel(logging.WARNING)  # a line for every constant otherwise
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside the exporter
        program = torch.onnx.export(
            network,
            examples,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=outputs,
            dynamic_shapes=tuple({0: batch} for _ in inputs),
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


def _difference(
    network: nn.Module, inputs: Mapping[str, Sequence[int]], outputs: list[str], path: Path
) -> float:
    """Largest difference of outputs, for one row and for several."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    device = next(network.parameters()).device
    largest = 0.0
    for batch in (1, 3):
        given: dict[str, Tensor] = {
            name: torch.rand(batch, *shape, generator=generator) for name, shape in inputs.items()
        }
        with torch.no_grad():
            expected = network(*(tensor.to(device) for tensor in given.values()))
        found = session.run(outputs, {n: t.numpy() for n, t in given.items()})
        several = expected if isinstance(expected, tuple) else (expected,)
        for one, other in zip(found, several, strict=True):
            largest = max(largest, float(np.abs(one - other.cpu().numpy()).max()))
    return largest
