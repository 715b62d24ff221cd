"""The benchmarks' own helpers, which lie beside them and are no package."""

import importlib
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def benchmark_module(repository: Path):
    """Imports one by name."""
    sys.path.insert(0, str(repository / "benchmarks"))
    yield importlib.import_module
    sys.path.remove(str(repository / "benchmarks"))


@pytest.fixture(scope="session")
def figures(benchmark_module):
    return benchmark_module("face_figures")


@pytest.fixture(scope="session")
def encoders(benchmark_module):
    return benchmark_module("encoders")


@pytest.fixture(scope="session")
def face_sheet(benchmark_module):
    return benchmark_module("face_sheet")
