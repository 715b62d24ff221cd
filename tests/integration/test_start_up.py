"""What the package loads: torch takes longer than a photograph, and only training needs it."""

import subprocess
import sys
from importlib.resources import as_file, files

import pytest


def loaded(script: str, *arguments: str) -> set[str]:
    """Names of the modules that a fresh process holds after a script."""
    script += "\nimport sys\nprint('loaded:', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("loaded:")[2].split())


@pytest.fixture(scope="module")
def demo():
    """The folder of the photograph and the recording in the package."""
    with as_file(files("xpress") / "assets" / "demo") as folder:
        yield folder


def test_importing_the_package_loads_no_library():
    assert not {"numpy", "torch", "cv2", "hydra"} & loaded("import xpress")


def test_reading_and_reenacting_load_no_torch(demo):
    script = """
import sys
from xpress import Reenactor
reenactor = Reenactor.from_pretrained()
face = reenactor.extract(sys.argv[1] + "/target.jpg").parameters
assert face.expression.max() > 0
frame = next(reenactor.reenact(sys.argv[1] + "/target.jpg", sys.argv[1] + "/performance.npz"))
assert frame.any()
"""
    modules = loaded(script, str(demo))
    assert "xpress.animation.animator" in modules
    assert "torch" not in modules


@pytest.mark.parametrize(
    ("task", "output", "options"), [("edit", "out.png", ["aus.AU12=0.8"]), ("extract", "out", [])]
)
def test_commands_load_no_torch(task, output, options, demo, tmp_path):
    files = [f"target={demo / 'target.jpg'}", f"output={tmp_path / output}"]
    script = "from xpress.cli import infer\ninfer()"
    modules = loaded(script, f"task={task}", *files, *options)
    assert (tmp_path / output).exists()
    assert f"xpress.commands.{task}" in modules
    assert "torch" not in modules
