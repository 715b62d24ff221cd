"""The site builds without a warning, and its reference has every public name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import xpress
import xpress.rendering

pytest.importorskip("mkdocs", reason="needs xpress[docs]")


@pytest.fixture(scope="module")
def site(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; strict: links, anchors and docstrings are sound."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=repository,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "WARNING" not in done.stderr
    return folder


@pytest.mark.parametrize("door", [xpress, xpress.rendering], ids=lambda door: door.__name__)
def test_the_reference_has_every_public_name(site: Path, door):
    pages = "".join(
        page.read_text(encoding="utf-8") for page in site.glob("reference/**/index.html")
    )
    missing = [name for name in door.__all__ if f'id="{door.__name__}.{name}"' not in pages]
    if door is xpress:
        missing = [n for n in missing if f'id="xpress.rendering.{n}"' not in pages]
    assert not missing


def test_shapes_and_errors_are_shown(site: Path):
    page = (site / "reference" / "rendering" / "index.html").read_text(encoding="utf-8")
    assert "B V 3" in page
    assert "Raises" in page


def test_every_page_and_model_card_is_in_the_navigation(site: Path, repository: Path):
    first = (site / "index.html").read_text(encoding="utf-8")
    cards = [card.parent.name for card in repository.glob("src/xpress/models/*/README.md")]
    pages = [page.stem for page in repository.glob("docs/*.md") if page.stem != "index"]
    assert len(cards) >= 4
    for path in [f"models/{card}/" for card in cards] + [f"{page}/" for page in pages]:
        assert f'href="{path}"' in first, path
        assert (site / path / "index.html").is_file()
