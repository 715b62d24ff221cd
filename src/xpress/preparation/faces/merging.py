"""Parts become one pack: duplicates leave, people get names, and some are kept for validation."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Bool

from xpress.packs.parquet import points_of
from xpress.preparation.faces.duplicates import near_duplicates
from xpress.preparation.faces.identities import named, validation_people
from xpress.preparation.faces.parts import HASH, REJECTED, ROWS, read_story
from xpress.preparation.faces.rows import LABELS
from xpress.preparation.faces.settings import PrepareSettings
from xpress.preparation.faces.story import FileStory
from xpress.whole_files import written_beside

log = logging.getLogger(__name__)

SPLIT = "split"
PACK = LABELS.append(pa.field(SPLIT, pa.string()))
_SMALL = ("source", "track", "landmarks68", HASH, REJECTED)


@dataclass(frozen=True)
class MergePlan:
    """What is decided of all rows before a picture of them is read.

    Attributes:
        stories: of the files, in their order.
        keep: rows of each part that go into the pack.
        people: name of the person of each (file, track).
        held: people kept for validation.
        duplicates: rows that show what another one shows.
        rows: of each person.
    """

    stories: list[FileStory]
    keep: list[Bool[np.ndarray, " _"]]
    people: dict[tuple[str, int], str]
    held: set[str]
    duplicates: int
    rows: Counter[str]

    @property
    def kept(self) -> int:
        """Rows of the pack."""
        return sum(self.rows.values())


def planned(parts: Sequence[Path], settings: PrepareSettings) -> MergePlan:
    """Decide what becomes of the rows of parts, those of a file one after the other."""
    files: dict[str, list[FileStory]] = {}
    for part in parts:
        story = read_story(part)
        files.setdefault(story.name, []).append(story)
    stories = [FileStory.joined(stretches) for stretches in files.values()]
    tables = [pq.read_table(part, columns=list(_SMALL)) for part in parts]
    keep = [np.asarray(pc.equal(pc.list_value_length(t[REJECTED]), 0)) for t in tables]
    tables = [table.filter(pa.array(rows)) for table, rows in zip(tables, keep, strict=True)]
    joined = pa.concat_tables(tables)
    doubled = np.zeros(len(joined), bool)
    if len(joined) and not settings.duplicates:
        points = points_of(joined, "landmarks68", 68, "parts")[0]
        doubled = near_duplicates(np.asarray(joined[HASH]), points)
    ends = np.cumsum([len(table) for table in tables])[:-1]
    for rows, own in zip(keep, np.split(doubled, ends), strict=True):
        rows[np.flatnonzero(rows)[own]] = False
    tracks = [track for story in stories for track in story.tracks]
    names = named(tracks, settings.identities, settings.alike)
    people = {(t.file, t.number): name for t, name in zip(tracks, names, strict=True)}
    left = joined.filter(pa.array(~doubled))
    pairs = zip(left["source"].to_pylist(), left["track"].to_pylist(), strict=True)
    rows_of = Counter(people[pair] for pair in pairs)
    held = validation_people(dict(sorted(rows_of.items())), settings.val)
    return MergePlan(stories, keep, people, held, int(doubled.sum()), rows_of)


def write_pack(output: Path, parts: Sequence[Path], plan: MergePlan, recipe: str) -> None:
    """Write the pack that a plan describes.

    Args:
        output: `.parquet`.
        parts: in the order of the files.
        plan: for these parts.
        recipe: what the pack was made of, kept in its metadata.
    """
    schema = PACK.with_metadata({RECIPE: recipe})
    with written_beside(output) as partial, pq.ParquetWriter(partial, schema) as writer:
        for table in _grouped(_kept(parts, plan)):
            writer.write_table(table.cast(schema))


RECIPE = b"xpress.prepare"


def recipe_of(pack: Path) -> str | None:
    """What a pack was made of, as `write_pack` was told; None where it is none of these."""
    try:
        return (pq.read_schema(pack).metadata or {}).get(RECIPE, b"").decode() or None
    except (OSError, pa.ArrowException):
        return None


def _kept(parts: Sequence[Path], plan: MergePlan) -> Iterator[pa.Table]:
    for part, keep in zip(parts, plan.keep, strict=True):
        with pq.ParquetFile(part) as file:
            start = 0
            for number in range(file.num_row_groups):
                table = file.read_row_group(number, LABELS.names)
                rows = keep[start : start + len(table)]
                start += len(table)
                yield _completed(table.filter(pa.array(rows)), plan)


def _completed(table: pa.Table, plan: MergePlan) -> pa.Table:
    pairs = zip(table["source"].to_pylist(), table["track"].to_pylist(), strict=True)
    people = [plan.people[pair] for pair in pairs]
    split = ["val" if person in plan.held else "train" for person in people]
    place = table.column_names.index("identity")
    table = table.set_column(place, "identity", pa.array(people, pa.string()))
    return table.append_column(SPLIT, pa.array(split, pa.string()))


def _grouped(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in row groups of `ROWS`."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        while sum(map(len, waiting)) >= ROWS:
            joined = pa.concat_tables(waiting)
            yield joined.slice(0, ROWS).combine_chunks()
            waiting = [joined.slice(ROWS)]
    rest = pa.concat_tables(waiting) if waiting else None
    if rest is not None and len(rest):
        yield rest.combine_chunks()
