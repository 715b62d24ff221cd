"""Audit the pinned dependencies: `python tools/audit.py`, `--renew` after constraints.txt changed.

pip-audit asks the advisory database about constraints.txt. Where the database cannot be reached,
the package index is asked instead whether the file that would be installed for each pin still has
the hash in constraints.sha256: a package that was replaced shows, a new advisory does not.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import tomllib
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

PINS, HASHES = Path("constraints.txt"), Path("constraints.sha256")
PYTHON = (3, 11)
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in range(35, 4, -1)] + [
    "manylinux2014_x86_64",
    "manylinux1_x86_64",
    "linux_x86_64",
]
"""Hashes are those of Linux on x86-64, where the tests run."""


def advisories() -> int | None:
    """pip-audit's status, after its report; None where it cannot look anything up."""
    command = ["pip-audit", "--strict", "--no-deps", "--disable-pip", "--requirement", str(PINS)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0 or "known vulnerabilit" in done.stdout + done.stderr:
        print(done.stdout or done.stderr)
        return done.returncode
    reason = done.stderr.strip().splitlines() or ["no answer"]
    print(f"the advisory database cannot be reached: {reason[-1]}")
    return None


def served_hashes() -> dict[str, str]:
    """SHA-256 by `name==version`, of the file that the index offers for this platform today."""
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder) / "pylock.toml"
        command = ["uv", "pip", "compile", "--quiet", "--no-config", "--no-deps", "--no-header"]
        command += ["--format", "pylock.toml", "--python-version", "3.11.5", "-o", str(lock)]
        done = subprocess.run([*command, str(PINS)], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"error: the package index cannot be read: {done.stderr.strip()}")
        packages = tomllib.loads(lock.read_text(encoding="utf-8"))["packages"]
    return {f"{p['name']}=={p['version']}": _preferred(p) for p in packages}


def compare(pinned: dict[str, str], served: dict[str, str]) -> int:
    """Print what differs; the number of differences."""
    different = sorted(
        name for name in pinned.keys() | served.keys() if pinned.get(name) != served.get(name)
    )
    for name in different:
        print(f"{name}: pinned {pinned.get(name)}, served {served.get(name)}")
    print(f"{len(pinned) - sum(n in pinned for n in different)} of {len(pinned)} hashes agree")
    return len(different)


def _preferred(package: dict) -> str:
    """The hash of the wheel that pip takes on Linux, else of the source."""
    rank: dict[Tag, int] = {}
    for tag in [
        *cpython_tags(PYTHON, platforms=PLATFORMS),
        *compatible_tags(PYTHON, "cp311", PLATFORMS),
    ]:
        rank.setdefault(tag, len(rank))
    found = []
    for wheel in package.get("wheels", []):
        name = urlsplit(wheel["url"]).path.rpartition("/")[2]
        tags = parse_wheel_filename(name)[3]
        if known := [rank[tag] for tag in tags if tag in rank]:
            found.append((min(known), wheel["hashes"]["sha256"]))
    return min(found)[1] if found else package["sdist"]["hashes"]["sha256"]


def main() -> int:
    """Audit, or write the hashes anew."""
    if "--renew" in sys.argv[1:]:
        lines = [f"{name} {digest}" for name, digest in sorted(served_hashes().items())]
        HASHES.write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{HASHES}: {len(lines)} hashes")
        return 0
    status = advisories()
    if status is not None:
        return status
    pinned = dict(line.split() for line in HASHES.read_text(encoding="utf-8").splitlines())
    return min(compare(pinned, served_hashes()), 1)


if __name__ == "__main__":
    sys.exit(main())
