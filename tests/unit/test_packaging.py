"""The wheel carries configurations, weights and data modules, and works outside the checkout."""

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


def python(*arguments: str, cwd: Path) -> str:
    result = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


def tracked(repository: Path, *patterns: str) -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", *patterns], cwd=repository, capture_output=True, text=True
    )
    if listed.returncode or not listed.stdout:
        pytest.skip("needs the git checkout")
    return set(listed.stdout.splitlines())


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the tracked files alone."""
    source = tmp_path_factory.mktemp("source")
    for name in tracked(repository):
        if (repository / name).is_file() and not name.startswith(("tests/", "docs/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((repository / name).read_bytes())
    python("-m", "build", "--wheel", "--no-isolation", "--outdir", "dist", cwd=source)
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.mark.parametrize(
    ("checkout", "inside"),
    [
        ("conf", "xpress/conf"),
        ("data_modules", "xpress/data_modules"),
        ("src/xpress", "xpress"),
    ],
)
def test_every_tracked_file_travels(checkout: str, inside: str, repository: Path, wheel: Path):
    expected = {
        f"{inside}/{Path(name).relative_to(checkout).as_posix()}"
        for name in tracked(repository, checkout)
    }
    with zipfile.ZipFile(wheel) as archive:
        missing = expected - set(archive.namelist())
    assert expected
    assert not missing


def test_nothing_lands_outside_the_package(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"xpress"}


def test_metadata_names_commands_licences_and_extras(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        texts = {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}
    assert "xpress-train = xpress.cli:train" in texts["entry_points.txt"].decode()
    assert "xpress-infer = xpress.cli:infer" in texts["entry_points.txt"].decode()
    assert b"USC Institute for Creative Technologies" in texts["licenses/NOTICE"]
    assert b"Permission is hereby granted" in texts["licenses/LICENSE"]
    metadata = texts["METADATA"].decode()
    offered = set(re.findall(r"^Provides-Extra: (.+)$", metadata, re.MULTILINE))
    assert {"export", "pytorch3d", "sweeps", "dev"} <= offered
    for extra in offered:  # one that brings nothing is a promise that nobody keeps
        assert re.search(rf"^Requires-Dist: .*extra == .{extra}.$", metadata, re.MULTILINE), extra
    assert "Classifier: Typing :: Typed" in metadata
    core = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:")]
    core = [line for line in core if "extra ==" not in line]
    assert not any(name in line for line in core for name in ("torchvision", "pytorch3d"))


def test_the_description_leads_nowhere_into_the_repository(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        text = archive.read(name).decode().partition("\n\n")[2]
    assert "Real-time facial reenactment" in text
    targets = re.findall(r"\]\(([^)]*)\)", text)
    assert [target for target in targets if not target.startswith("https://")] == []


def test_the_wheel_composes_outside_the_checkout(unpacked: Path, tmp_path: Path):
    code = (
        f"import sys; sys.path.insert(0, {str(unpacked)!r})\n"
        "import xpress, xpress.conf, xpress.data_modules\n"
        "from xpress.configuration import compose_config\n"
        "config = compose_config('infer', ['task=demo'])\n"
        "print(xpress.__file__, xpress.conf.__file__, xpress.data_modules.__file__)\n"
        "print(config.job._target_)\n"
    )
    places, target = python("-c", code, cwd=tmp_path).splitlines()
    assert all(place.startswith(str(unpacked)) for place in places.split())
    assert target == "xpress.commands.demo.demo"


def test_constraints_lock_what_setup_asks_for(repository: Path, wheel: Path):
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    lines = (repository / "constraints.txt").read_text(encoding="utf-8").splitlines()
    locked = [Requirement(line) for line in lines if line and not line.startswith("#")]
    versions = {canonicalize_name(r.name): next(iter(r.specifier)).version for r in locked}
    assert versions["torch"] == "2.13.0"
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("METADATA"))
        metadata = archive.read(name).decode()
    for line in metadata.splitlines():
        if line.startswith("Requires-Dist:"):
            wanted = Requirement(line.removeprefix("Requires-Dist:"))
            if wanted.marker is None or any(
                wanted.marker.evaluate({"extra": extra}) for extra in ("dev", "export")
            ):
                assert wanted.specifier.contains(versions[canonicalize_name(wanted.name)]), line


def test_a_bill_of_materials_lists_libraries_and_weights(repository, wheel, tmp_path):
    pytest.importorskip("cyclonedx")
    place = tmp_path / "xpress.cdx.json"
    python(str(repository / "tools" / "sbom.py"), str(wheel), str(place), cwd=tmp_path)
    bill = json.loads(place.read_text())
    assert bill["bomFormat"] == "CycloneDX"
    root = bill["metadata"]["component"]
    assert root["name"] == "xpress"
    assert root["hashes"][0]["content"] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    listed = {component["name"]: component for component in bill["components"]}
    locked = {
        line.partition("==")[0]: line.partition("==")[2]
        for line in (repository / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    assert listed["torch"]["purl"] == f"pkg:pypi/torch@{locked['torch']}"
    assert "typing-extensions" in listed  # not asked for, but brought along
    assert "pytest" not in listed
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read("xpress/assets/encoder.onnx")
    weights = listed["xpress/assets/encoder.onnx"]
    assert weights["type"] == "machine-learning-model"
    assert weights["hashes"][0]["content"] == hashlib.sha256(content).hexdigest()
    needed = {item["ref"]: item.get("dependsOn", []) for item in bill["dependencies"]}
    assert listed["torch"]["bom-ref"] in needed[root["bom-ref"]]
