"""Exported networks in ONNX Runtime, as the frame loop runs them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnxruntime
from jaxtyping import Float, UInt8

from xpress.errors import InputError


def open_session(path: str | os.PathLike, threads: int, name: str) -> onnxruntime.InferenceSession:
    """A session that several threads may call at the same time.

    Args:
        path: the `.onnx` file.
        threads: of ONNX Runtime inside one call; more than one pays only for batches.
        name: of the network, for messages.

    Raises:
        InputError: there is no such file, or it is no ONNX model.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such {name}; export one with train.py … export=DIR")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # 16 MB kept for mouths, 7 without
    options.log_severity_level = 3
    # a spinning worker would take the core that the renderer needs
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no common base
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: not a readable ONNX {name} ({reason})") from error


class LandmarkSession:
    """Reads crops of one part of the face; several threads may call it.

    Args:
        path: the `.onnx` file.
        part: eye or lip, for messages.
        threads: of ONNX Runtime inside one call.

    Raises:
        InputError: the file is missing or is no such network.
    """

    def __init__(self, path: str | os.PathLike, part: str, threads: int = 1) -> None:
        self._session = open_session(path, threads, f"{part} landmark network")

    def __call__(self, crops: UInt8[np.ndarray, "B H W 3"]) -> Float[np.ndarray, "B P 2"]:
        """The points of RGB crops, in widths of the eye or the lips from the crop's middle."""
        count, height, width, _ = crops.shape
        image = np.empty((count, 3, height, width), np.float32)
        np.multiply(crops.transpose(0, 3, 1, 2), np.float32(1 / 255), out=image)
        return self._session.run(["points"], {"image": image})[0].astype(np.float64)
