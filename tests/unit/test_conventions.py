"""What CONTRIBUTING.md says of the code is true."""

import re
from pathlib import Path

import pytest

SOURCES = ("src", "data_modules", "benchmarks")


@pytest.fixture(scope="module")
def code(repository: Path) -> dict[str, str]:
    found = [file for root in SOURCES for file in (repository / root).rglob("*.py")]
    return {f.relative_to(repository).as_posix(): f.read_text(encoding="utf-8") for f in found}


def test_hydra_is_known_where_it_is_said(code: dict[str, str]):
    uses = re.compile(r"^\s*(from|import) (hydra|omegaconf)\b", re.MULTILINE)
    rooms = {
        name.removeprefix("src/xpress/").partition("/")[0]
        for name, text in code.items()
        if name.startswith("src/xpress/") and uses.search(text)
    }
    modules = {"cli.py", "validation.py", "allowed_targets.py", "sweeps.py"}
    assert rooms <= modules | {"configuration", "training", "loggers"}
    assert not any(uses.search(code[name]) for name in code if name.startswith("data_modules/"))


def test_nothing_that_a_file_brings_is_run(code: dict[str, str]):
    for name, text in code.items():
        for call in re.findall(r"torch\.load\([^)]*\)", text):
            assert "weights_only=True" in call, name
        assert "allow_pickle=True" not in text, name
        if re.search(r"^\s*(from|import) pickle\b", text, re.MULTILINE):
            assert name == "src/xpress/face_models/readers/pickled_arrays.py"
            assert "def find_class" in text
            assert "pickle.load" not in text


def test_who_reads_of_a_task_finds_its_page(repository: Path):
    pages = {page: (repository / page).read_text() for page in ("README.md", "docs/training.md")}
    assert all("action_units.md" in text and "sweeps.md" in text for text in pages.values())
    assert "action_units.md" in (repository / "docs/editing.md").read_text()
    assert "xpress.preparation.annotate" in pages["docs/training.md"]
