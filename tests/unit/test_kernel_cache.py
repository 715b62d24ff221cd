"""Compiled kernels find a place where the installation and the home take no file."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from xpress import kernel_cache

KERNEL = """
from numba import njit

@njit(cache=True)
def double(x):
    return 2 * x
"""
USE = """
import sys
from pathlib import Path
from xpress import kernel_cache
kernel_cache._writable = lambda folder: False
if sys.argv[2] == "nowhere":
    kernel_cache._temporary = lambda: None
kernel_cache.prepare(Path(sys.argv[1]) / "package")
sys.path.insert(0, sys.argv[1])
from package.kernel import double
assert double(21) == 42
print(sum(double.stats.cache_hits.values()), sum(double.stats.cache_misses.values()))
"""


@pytest.fixture
def package(tmp_path) -> Path:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "kernel.py").write_text(KERNEL)
    (tmp_path / "tmp").mkdir()
    return tmp_path


def use(folder: Path, place: str = "somewhere") -> str:
    """Cache hits and misses of a process that can write to its temporary folder at most."""
    environment = {**os.environ, "TMPDIR": str(folder / "tmp")}
    environment.pop(kernel_cache.VARIABLE, None)
    done = subprocess.run(
        [sys.executable, "-c", USE, str(folder), place],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_kernels_are_kept_in_a_temporary_folder(package):
    assert use(package) == "0 1"
    assert use(package) == "1 0"
    (folder,) = (package / "tmp").iterdir()
    assert folder.stat().st_mode & 0o077 == 0
    assert not list((package / "package").rglob("*.nbc"))


def test_without_any_place_kernels_are_compiled_each_time(package):
    assert use(package, "nowhere").startswith("0 ")
    assert use(package, "nowhere").startswith("0 ")
    assert not list((package / "tmp").iterdir())


def test_what_an_image_was_made_with_is_taken_over(package):
    plain = (
        "import sys; sys.path.insert(0, sys.argv[1]); from package.kernel import double; double(1)"
    )
    subprocess.run([sys.executable, "-c", plain, str(package)], check=True)
    assert list((package / "package").rglob("*.nbc"))
    assert use(package) == "1 0"


def test_a_folder_that_others_can_write_to_is_not_used(monkeypatch, tmp_path):
    """What lies in it is run."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first = kernel_cache._temporary()
    assert first == kernel_cache._temporary()
    first.chmod(0o777)
    other = kernel_cache._temporary()
    assert other != first
    assert other.stat().st_mode & 0o077 == 0


def test_nothing_happens_where_files_can_be_written(monkeypatch, tmp_path):
    monkeypatch.delenv(kernel_cache.VARIABLE, raising=False)
    kernel_cache.prepare(tmp_path)
    assert kernel_cache.VARIABLE not in os.environ
