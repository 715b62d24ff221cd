"""Milliseconds of the embedded encoder per crop, ONNX Runtime on one thread beside torch.

python benchmarks/encoder.py
"""

from __future__ import annotations

from importlib.resources import as_file, files

import numpy as np
import onnxruntime
import torch
from common import machine, measure

from xpress.models.face_autoencoder.code import CodeLayout
from xpress.models.face_autoencoder.networks import FaceEncoder
from xpress.morphable.model import MorphableModel


def main() -> None:
    """Time a batch of one."""
    torch.set_num_threads(1)
    print(machine())
    with as_file(files("xpress") / "assets" / "encoder.onnx") as path:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        print(f"encoder.onnx: {path.stat().st_size / 2**20:.2f} MiB")
    crop = np.random.default_rng(0).random((1, 3, 128, 128), np.float32)
    model = MorphableModel.default()
    layout = CodeLayout.of(model.sizes, model.expression_names)
    encoder = FaceEncoder(layout.outputs, gaze=layout.gaze_outputs, gaze_channels=16).eval()
    tensor = torch.from_numpy(crop)
    with torch.inference_mode():
        timings = {
            "ONNX Runtime, one thread": measure(lambda: session.run(None, {"image": crop})),
            "torch, one thread": measure(lambda: encoder(tensor)),
        }
    for name, timing in timings.items():
        print(f"{name:26} {timing} per crop")


if __name__ == "__main__":
    main()
