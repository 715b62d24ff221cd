"""The house: rooms import downwards only, stay small, and mean what they are called."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest
import tomllib

FILES = 16
"""Modules that a room may hold."""
FRAME_LOOP = ("animation", "reenactment")
"""Rooms of the frame loop, which training never imports."""


def _modules(repository: Path) -> dict[str, Path]:
    found = {}
    for base, prefix in (
        (repository / "src" / "xpress", ""),
        (repository / "data_modules", "data_modules"),
    ):
        for path in base.rglob("*.py"):
            parts = [prefix, *path.relative_to(base).with_suffix("").parts]
            found[".".join(part for part in parts if part and part != "__init__")] = path
    return {name: path for name, path in found.items() if name}


def _imports(path: Path, modules: dict[str, Path]) -> set[str]:
    """Modules of the package that a file names anywhere, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("xpress."):
            name = node.module.removeprefix("xpress.")
            found |= {
                f"{name}.{a.name}" if f"{name}.{a.name}" in modules else name for a in node.names
            }
        elif isinstance(node, ast.Import):
            found |= {
                a.name.removeprefix("xpress.") for a in node.names if a.name.startswith("xpress.")
            }
    return found & modules.keys()


@pytest.fixture(scope="module")
def rooms(repository: Path) -> list[str]:
    settings = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    return settings["tool"]["xpress"]["rooms"]


@pytest.fixture(scope="module")
def graph(repository: Path) -> dict[str, set[str]]:
    modules = _modules(repository)
    return {name: _imports(path, modules) for name, path in modules.items()}


def _room(module: str) -> str:
    return module.partition(".")[0]


def test_every_room_has_a_place_in_the_order(graph, rooms):
    assert {_room(module) for module in graph} == set(rooms)
    assert len(rooms) == len(set(rooms))


def test_rooms_import_downwards_only(graph, rooms):
    floor = {room: number for number, room in enumerate(rooms)}
    upwards = [
        f"{module} -> {other}"
        for module, others in graph.items()
        for other in sorted(others)
        if floor[_room(other)] > floor[_room(module)]
    ]
    assert not upwards


def test_training_does_not_import_the_frame_loop(graph):
    wrong = [
        f"{module} -> {other}"
        for module, others in graph.items()
        if _room(module) in ("data_modules", "models")
        for other in others
        if _room(other) in FRAME_LOOP
    ]
    assert not wrong


def test_no_two_folders_of_a_room_import_each_other(graph):
    """Between rooms the order forbids it; here it is forbidden inside."""
    edges = defaultdict(set)
    for module, others in graph.items():
        package = module.rpartition(".")[0] or module
        for other in others:
            to = other.rpartition(".")[0] or other
            if (
                to != package
                and not to.startswith(f"{package}.")
                and not package.startswith(f"{to}.")
            ):
                edges[package].add(to)
    circles = {
        tuple(sorted((a, b)))
        for a, others in edges.items()
        for b in others
        if a in edges.get(b, ())
    }
    assert not circles


def test_no_module_imports_itself_in_a_circle(graph):
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join([*way[way.index(module) :], module])
        if module not in done:
            for other in sorted(graph[module]):
                visit(other, (*way, module))
            done.add(module)

    for module in sorted(graph):
        visit(module, ())


def test_rooms_are_small(repository):
    count: dict[str, int] = defaultdict(int)
    for module in _modules(repository):
        count[module.rpartition(".")[0]] += 1
    crowded = {room: n for room, n in count.items() if room and n > FILES}
    assert not crowded


def test_the_documentation_shows_the_rooms_in_their_order(repository, rooms):
    text = (repository / "docs" / "architecture.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| `([a-z_]+)(?:/|\.py)`", text, re.MULTILINE)
    assert shown == rooms
