"""The pages' examples run as they stand, and their links lead somewhere."""

import re
import shutil
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytest
import torch

from xpress import project, read_image
from xpress.morphable.action_units import ACTION_UNIT_NAMES

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("src/xpress/models/*/README.md")),
    ROOT / "benchmarks" / "RESULTS.md",
]


def _blocks(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run blocks of a page in a folder with the demo's portrait; gives what they define."""
    monkeypatch.chdir(tmp_path)
    with as_file(files("xpress") / "assets" / "demo" / "target.jpg") as portrait:
        shutil.copy(portrait, "portrait.jpg")

    def run(*blocks):
        names: dict = {}
        for block in blocks:
            exec(compile(block, "page", "exec"), names)
        return names

    return run


def test_first_steps(run, capsys):
    names = run(*_blocks("index.md"))
    assert "(68, 2)" in capsys.readouterr().out
    pictures = [read_image(name) for name in ("portrait.jpg", "serious.png", "smiling.png")]
    portrait = pictures[0]
    assert all(picture.shape == portrait.shape for picture in pictures)
    before, after, back = (names["reader"].extract(picture).action_units for picture in pictures)
    lips = ACTION_UNIT_NAMES.index("AU25")
    assert after[lips] < before[lips] - 0.2
    assert back[lips] > after[lips] + 0.2
    drawn = np.abs(read_image("render.png").astype(int) - portrait)
    assert 1 < drawn.mean() < 25
    mesh = Path("face.obj").read_text(encoding="ascii").splitlines()
    assert sum(line.startswith("v ") for line in mesh) == len(names["model"].mean)
    assert all(read_image(f"frame{number}.png").shape == portrait.shape for number in range(2))


def test_landmark_fit(run):
    landmarks, _, _ = _blocks("rendering.md")
    assert len([line for line in landmarks.splitlines() if line]) <= 20
    names = run(landmarks)
    points = names["points"]
    shape = names["model"].vertices(names["identity"], names["expression"].sigmoid())
    placed = project(shape, names["rotation"], names["translation"], names["scale"])
    seen = names["model"].landmarks68(placed)[0, :, :2]
    error = (seen - points).norm(dim=1).mean() / (points[36] - points[45]).norm()
    assert error.item() < 0.025


def test_photometric_fit(run):
    _, photograph, _ = _blocks("rendering.md")
    names = run(photograph)
    errors = [error.item() for error in names["errors"]]
    assert errors[-1] < 0.85 * errors[0]
    assert names["drawn"].alpha.mean() > 0.1


def test_silhouette_fit(run):
    _, _, silhouette = _blocks("rendering.md")
    names = run(silhouette)
    torch.testing.assert_close(
        names["place"].detach(), torch.tensor([28.3, 21.9]), atol=0.1, rtol=0
    )
    assert names["radius"].item() == pytest.approx(12.4, abs=0.1)


def _anchors(text):
    """GitHub's anchors of the headings."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    heads = re.findall(r"^#+ +(.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_the_repository_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target.read_text(encoding="utf-8")), link
