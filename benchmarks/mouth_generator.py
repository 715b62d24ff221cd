"""Milliseconds of the mouth generator per crop, ONNX Runtime on one thread beside torch.

python benchmarks/mouth_generator.py
"""

from __future__ import annotations

import json
import tempfile
from importlib.resources import files
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from common import machine, measure
from torch.utils.flop_counter import FlopCounterMode

from xpress.export.onnx import export_onnx_model
from xpress.media.mouth_crop import INPUTS
from xpress.models.generator_weights import load_generator
from xpress.models.mouth_gan.networks import MouthGenerator

SIZES = (96, 128)


def main() -> None:
    """Time a batch of one at both sizes; the network is convolutional, its weights fit both."""
    torch.set_num_threads(1)
    print(machine())
    assets = files("xpress") / "assets"
    network = json.loads((assets / "mouth.json").read_text())["network"]
    generator = MouthGenerator(network["channels"], network["repeats"], network["expansion"])
    load_generator(generator, str(assets / "mouth.safetensors"))
    generator.eval()
    print(f"{sum(p.numel() for p in generator.parameters()):,} parameters")
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            _time(generator, size, Path(folder) / f"{size}.onnx")


def _time(generator: MouthGenerator, size: int, path: Path) -> None:
    shapes = {name: (channels, size, size) for name, channels in INPUTS.items()}
    export_onnx_model(generator, path, shapes, "painted", 1e-3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    given = {name: random.random((1, *shape), np.float32) for name, shape in shapes.items()}
    tensors = [torch.from_numpy(value) for value in given.values()]
    with torch.inference_mode():
        with FlopCounterMode(display=False) as counter:
            generator(*tensors)
        print(f"{size}x{size}: {counter.get_total_flops() / 2e6:.0f} million multiply-adds")
        print("  ONNX Runtime, one thread", measure(lambda: session.run(None, given)))
        print("  torch, one thread       ", measure(lambda: generator(*tensors)))


if __name__ == "__main__":
    main()
