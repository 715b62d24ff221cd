"""Compare two annotations of one pack, and draw where they differ most.

    python -m xpress.prepare.check faces.parquet                        the encoder reads it anew
    python -m xpress.prepare.check faces.parquet --with given68         a column of its own
    python -m xpress.prepare.check faces.parquet --with other.parquet   the same rows elsewhere

Figures are printed, and a page is written beside the pack (`faces.check.html`).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from xpress.command_line import one_line_errors
from xpress.preparation.faces.comparison import ENCODER, compared, told, write_comparison
from xpress.whole_files import check_writable


@one_line_errors()
def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pack", help="a .parquet file, or a folder with labels")
    parser.add_argument(
        "--with", dest="other", default=ENCODER, help="a column, a pack, or encoder (default)"
    )
    parser.add_argument("--weights", default="default", help="of the encoder")
    parser.add_argument("--output", type=Path, help="the page; PACK.check.html without it")
    options = parser.parse_args(arguments)
    page = options.output or Path(options.pack).with_suffix(".check.html")
    check_writable(page)
    comparison = compared(options.pack, options.other, options.weights)
    write_comparison(page, comparison)
    print("\n".join([*told(comparison), str(page)]))


if __name__ == "__main__":
    main()
