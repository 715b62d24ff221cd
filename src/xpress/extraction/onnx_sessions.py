"""Exported networks in ONNX Runtime, as the frame loop runs them."""

from __future__ import annotations

import os
from pathlib import Path

import onnxruntime

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
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    # a spinning worker would take the core that the renderer needs
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no common base
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: not a readable ONNX {name} ({reason})") from error
