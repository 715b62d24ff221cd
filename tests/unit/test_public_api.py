"""What `from xpress import …` gives: complete, typed, and nothing before it is asked for."""

import ast
import importlib
import inspect
import os
import subprocess
import sys

import pytest

import xpress
import xpress.rendering

DOORS = ("xpress", "xpress.rendering")
HEAVY = ("torch", "numpy", "numba", "cv2", "onnxruntime", "pytorch_lightning", "hydra")


def _public(door):
    return [(door, name) for name in importlib.import_module(door).__all__]


@pytest.mark.parametrize(("door", "name"), [pair for door in DOORS for pair in _public(door)])
def test_every_name_can_be_had_and_is_documented(door, name):
    value = getattr(importlib.import_module(door), name)
    if inspect.isclass(value) or callable(value):
        assert value.__name__ == name
        assert value.__module__.startswith("xpress.")
        assert len(inspect.getdoc(value)) > 20


@pytest.mark.parametrize("door", DOORS)
def test_type_checkers_see_the_same_names(door):
    """The imports that only they read, against what is imported when asked for."""
    module = importlib.import_module(door)
    tree = ast.parse(inspect.getsource(module))
    typed = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {a.name: node.module for node in typed.body for a in node.names}
    assert seen == module._PLACES
    assert sorted(seen) == sorted(module.__all__)
    assert all(a.asname == a.name for node in typed.body for a in node.names)


@pytest.mark.parametrize("door", DOORS)
def test_names_are_listed_and_others_refused(door):
    module = importlib.import_module(door)
    assert set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match="wizard"):
        _ = module.wizard


def test_what_the_field_expects_is_there():
    expected = {
        "ExpressionEditor", "FaceParameters", "FaceReader", "InputError", "MorphableModel",
        "ReenactmentOptions", "Reenactor", "get_rasterizer", "project", "render", "write_obj",
    }  # fmt: skip
    assert expected <= set(xpress.__all__)
    assert xpress.render is xpress.rendering.render


def test_importing_loads_nothing_heavy():
    code = (
        "import sys, xpress, xpress.rendering\n"
        f"print([name for name in {HEAVY} if name in sys.modules])\n"
        "from xpress import *\n"
        "print(Reenactor.__name__, render.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines() == ["[]", "Reenactor render"], done.stderr


def test_nothing_is_told_to_the_makers_of_the_runtime(tmp_path):
    """ONNX Runtime leaves a device's number in the folder for temporary files if it tells them."""
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    environment |= {"TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    code = "from xpress.extraction import onnx_sessions; print(onnx_sessions.onnxruntime.__name__)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "onnxruntime\n"
    assert not [path for path in tmp_path.rglob("*") if "kernels" not in path.name]
