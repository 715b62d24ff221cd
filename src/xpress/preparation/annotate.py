"""Adds action units to packs of faces.

    python -m xpress.preparation.annotate faces.parquet …                      replaces the packs
    python -m xpress.preparation.annotate faces.parquet --output labelled.parquet
    python -m xpress.preparation.annotate faces.parquet --openface faces.csv
    python -m xpress.preparation.annotate faces.parquet --ganimation aus.pkl

The column `action_units` holds the 17 intensities of GANimation and OpenFace in [0, 1], as the
package's encoder reads them, or as a file of OpenFace or of GANimation's authors has them. Packs of
pairs (`xpress.preparation.edit_pairs`) get those of both pictures; packs that
`python -m xpress.prepare` has made have the encoder's already. See `docs/action_units.md`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from xpress.command_line import one_line_errors
from xpress.errors import InputError
from xpress.extraction.action_unit_encoder import UnitEncoder
from xpress.packs.ganimation_labels import read_ganimation
from xpress.packs.media_files import is_media
from xpress.packs.named_units import NamedUnits
from xpress.packs.openface import read_openface
from xpress.packs.shards import shard_names
from xpress.preparation.annotate_packs import annotate_pack


def annotate(
    sources: Sequence[str | Path],
    output: Path | None = None,
    weights: str = "default",
    labels: NamedUnits | None = None,
    threads: int = 1,
) -> list[str]:
    """Annotate packs.

    Args:
        sources: packs (files, folders of shards, patterns).
        output: `.parquet`; packs are replaced without it.
        weights: of the encoder, see `load_pretrained`.
        labels: action units by name instead of the encoder's.
        threads: of the encoder.

    Returns:
        A line about each file written.

    Raises:
        InputError: a source or the output cannot be used.
    """
    lines = []
    encoder = None
    for source in sources:
        if is_media(source):
            raise InputError(
                f"{source}: no pack; make one of it with "
                f"python -m xpress.prepare input={source} output=faces.parquet"
            )
        shards = shard_names(source)
        if output is not None and len(shards) * len(sources) > 1:
            raise InputError(f"{output}: --output takes one pack; leave it out for several")
        for shard in shards:
            if labels is None:
                encoder = encoder or UnitEncoder(weights, threads)
            lines.append(f"{output or shard}: {annotate_pack(shard, output, encoder, labels)}")
    return lines


@one_line_errors()
def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sources", nargs="+", metavar="PACK")
    parser.add_argument("--output", type=Path, help="a .parquet file; packs are replaced without")
    parser.add_argument("--weights", default="default", help="folder of another encoder")
    parser.add_argument("--threads", type=int, default=1, help="of the encoder")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--openface", type=Path, metavar="CSV", help="labels of OpenFace")
    other.add_argument("--ganimation", type=Path, metavar="PKL", help="labels of GANimation")
    options = parser.parse_args(arguments)
    labels = None
    if options.openface:
        labels = read_openface(options.openface)
    elif options.ganimation:
        labels = read_ganimation(options.ganimation)
    settings = options.weights, labels, options.threads
    lines = annotate(options.sources, options.output, *settings)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
