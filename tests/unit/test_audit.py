"""The pinned hashes are those of the files that Linux takes, and a replaced file is noticed."""

import importlib.util
import re

import pytest

pytest.importorskip("tomllib")


@pytest.fixture(scope="module")
def audit(repository):
    spec = importlib.util.spec_from_file_location("audit", repository / "tools" / "audit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def file(name: str, digest: str) -> dict:
    return {"url": f"https://files/{name}", "hashes": {"sha256": digest}}


def test_every_pin_has_a_hash(repository):
    pins = {
        line.lower()
        for line in (repository / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    lines = (repository / "constraints.sha256").read_text().splitlines()
    assert all(re.fullmatch(r"\S+==\S+ [0-9a-f]{64}", line) for line in lines)
    hashed = {line.split()[0] for line in lines}
    assert {re.sub(r"[-_.]+(?=.*==)", "-", pin) for pin in pins} == hashed


def test_the_wheel_of_the_platform_is_preferred(audit):
    package = {
        "sdist": file("a-1.tar.gz", "source"),
        "wheels": [
            file("a-1-cp310-cp310-manylinux2014_x86_64.whl", "older python"),
            file("a-1-cp311-cp311-win_amd64.whl", "windows"),
            file("a-1-py3-none-any.whl", "pure"),
            file("a-1-cp311-cp311-manylinux_2_28_x86_64.whl", "linux"),
        ],
    }
    assert audit._preferred(package) == "linux"
    assert audit._preferred(package | {"wheels": package["wheels"][:3]}) == "pure"
    assert audit._preferred(package | {"wheels": package["wheels"][:2]}) == "source"


def test_a_replaced_file_is_told(audit, capsys):
    pinned = {"a==1": "x", "b==2": "y"}
    assert audit.compare(pinned, dict(pinned)) == 0
    assert "2 of 2 hashes agree" in capsys.readouterr().out
    assert audit.compare(pinned, {"a==1": "x", "b==2": "z"}) == 1
    assert "b==2: pinned y, served z" in capsys.readouterr().out
    assert audit.compare(pinned, {"a==1": "x"}) == 1


def test_an_unreachable_database_is_no_clean_bill(audit, monkeypatch, capsys):
    class Done:
        returncode, stdout, stderr = 1, "", "ERROR: no such host"

    monkeypatch.setattr(audit.subprocess, "run", lambda *_, **__: Done)
    assert audit.advisories() is None
    assert "cannot be reached: ERROR: no such host" in capsys.readouterr().out
    Done.stdout = "Found 1 known vulnerability in 1 package"
    assert audit.advisories() == 1
