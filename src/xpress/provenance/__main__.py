"""`python -m xpress.provenance check FILE …`: what files say about how they were made."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from xpress.errors import InputError
from xpress.provenance.inspection import inspect


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the findings.

    Returns:
        0 if every file carries a mark, 1 if one carries none, 2 if one cannot be read.
    """
    parser = argparse.ArgumentParser(prog="python -m xpress.provenance", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="say which marks pictures and videos carry")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    check.add_argument("--anchors", type=Path, help="PEM with root certificates to trust")
    options = parser.parse_args(arguments)
    status = 0
    for file in options.files:
        try:
            findings = inspect(file, options.anchors)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            status = 2
            continue
        print(f"{file}:", *findings.lines(), sep="\n  ")
        status = max(status, 0 if findings.any else 1)
    return status


if __name__ == "__main__":
    sys.exit(main())
