"""The page about a pack: what went in, what was left out and why, and faces to look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Float, Int

from xpress.morphable.action_units import ACTION_UNIT_NAMES
from xpress.packs.action_units import UNITS, units_of
from xpress.preparation.faces.merging import SPLIT, MergePlan
from xpress.preparation.faces.page import (
    grid,
    histogram,
    marked,
    picture,
    section,
    table,
    write_page,
)
from xpress.preparation.faces.parts import REJECTED

FACES = 18
"""Of a grid."""
MEASURES = {
    "size": "size of the face, pixels of the picture",
    "sharpness": "sharpness",
    "yaw": "yaw, degrees",
    "pitch": "pitch, degrees",
    "presence": "presence",
    "uncertainty": "uncertainty, eye distances",
}
CROPS = ("mouth", "right_eye", "left_eye")
_COLUMNS = ["key", "identity", SPLIT, *MEASURES, UNITS, *(f"{name}.scale" for name in CROPS)]


def write_report(page: Path, pack: Path, parts: Sequence[Path], plan: MergePlan) -> None:
    """Write the page.

    Args:
        page: `.html`.
        pack: the pack; it may be absent where no face was kept.
        parts: of its files.
        plan: what was decided of them.
    """
    sections = [_counts(plan), _files(plan)]
    if plan.kept:
        rows = _rows(pack)
        sections[1:1] = [_contents(rows), _people(rows), *_faces(pack, rows)]
    sections.append(_rejected(parts))
    write_page(page, pack.name, sections)


def _rows(pack: Path) -> pa.Table:
    """All columns but the pictures."""
    with pq.ParquetFile(pack) as file:
        return file.read(_COLUMNS)


def _counts(plan: MergePlan) -> str:
    stories = plan.stories
    rejected: dict[str, int] = {}
    for story in stories:
        for name, count in story.rejected.items():
            rejected[name] = rejected.get(name, 0) + count
    lines: list[tuple[str, int]] = [
        ("files", len(stories)),
        ("files not read to the end", sum(bool(s.error) for s in stories)),
        ("pictures and frames looked at", sum(s.frames for s in stories)),
        ("of these without a face", sum(s.empty for s in stories)),
        ("faces found", sum(s.faces for s in stories)),
        ("faces beyond the limits", sum(s.faces - s.kept for s in stories)),
        *((f"— against limits.{name}", count) for name, count in sorted(rejected.items())),
        ("near duplicates", plan.duplicates),
        ("faces in the pack", plan.kept),
        ("people", len(plan.rows)),
        ("people kept for validation", len(plan.held)),
    ]
    return section("Counts", table(["", "number"], lines), note=_NOTE if rejected else "")


_NOTE = "A face can be beyond several limits; it is counted for each."


def _contents(rows: pa.Table) -> str:
    figures = [histogram(title, _numbers(rows, name)) for name, title in MEASURES.items()]
    units = units_of(rows)
    units = units[np.isfinite(units).all(1)]
    strong = [
        histogram(name, units[:, n]) for n, name in enumerate(ACTION_UNIT_NAMES) if len(units)
    ]
    crops = [
        f"{len(rows) - rows[name].combine_chunks().null_count} {name.replace('_', ' ')}s"
        for name in CROPS
    ]
    note = f"{len(rows)} faces with {', '.join(crops)}."
    shown = f'<div class="row">{"".join(figures)}</div>'
    units_shown = f'<div class="row">{"".join(strong)}</div>'
    more = f"<details><summary>Action units</summary>{units_shown}</details>"
    return section("Histograms", shown, more, note=note)


def _people(rows: pa.Table) -> str:
    counted = rows.group_by(["identity", SPLIT]).aggregate([("key", "count")])
    counted = counted.sort_by([("key_count", "descending"), ("identity", "ascending")])
    lines = [(r["identity"], r[SPLIT], r["key_count"]) for r in counted.slice(0, 50).to_pylist()]
    note = f"The first 50 of {len(counted)}." if len(counted) > 50 else ""
    return section("People", table(["person", "split", "faces"], lines), note=note)


def _faces(pack: Path, rows: pa.Table) -> Iterator[str]:
    uncertain = np.argsort(-_numbers(rows, "uncertainty"), kind="stable")[:FACES]
    random = np.sort(np.random.default_rng(0).permutation(len(rows))[:FACES])
    groups = {
        "Worst": (_worst(rows), "The smallest, the most blurred, turned and least face-like."),
        "Uncertain": (uncertain, "Landmarks differ most from those of the mirrored picture."),
        "Random": (random, ""),
    }
    wanted = np.unique(np.concatenate([chosen for chosen, _ in groups.values()]))
    seen = dict(zip(wanted.tolist(), _pictures(pack, wanted), strict=True))
    for title, (chosen, note) in groups.items():
        faces = []
        for number in chosen.tolist():
            row = rows.slice(number, 1).to_pylist()[0]
            line = (
                f"{row['key']} · {row['size']:.0f} px, sharpness {row['sharpness']:.3f}, "
                f"yaw {row['yaw']:.0f}°, uncertainty {row['uncertainty']:.3f}"
            )
            faces.append((marked(*seen[number]), line))
        yield section(title, grid(faces), note=note)


def _worst(rows: pa.Table) -> Int[np.ndarray, " M"]:
    """Rows that are last in any measure."""
    ranks = []
    for name, sign in (("size", 1), ("sharpness", 1), ("yaw", -1), ("pitch", -1), ("presence", 1)):
        values = _numbers(rows, name)
        values = np.abs(values) if name in ("yaw", "pitch") else values
        ranks.append(np.argsort(np.argsort(sign * values, kind="stable"), kind="stable"))
    return np.argsort(np.min(ranks, 0), kind="stable")[:FACES]


def _pictures(
    pack: Path, numbers: Int[np.ndarray, " M"]
) -> Iterator[tuple[np.ndarray, Float[np.ndarray, "68 2"]]]:
    """Pictures and landmarks of some rows, ascending; only their row groups are read."""
    with pq.ParquetFile(pack) as file:
        start = 0
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            here = numbers[(numbers >= start) & (numbers < start + count)] - start
            if len(here):
                table_ = file.read_row_group(group, ["image", "landmarks68"]).take(pa.array(here))
                for row in table_.to_pylist():
                    points = np.array(row["landmarks68"], np.float64).reshape(68, 2)
                    yield picture(row["image"]), points
            start += count


def _rejected(parts: Sequence[Path]) -> str:
    """Some faces for each limit that they are beyond."""
    examples: dict[str, list[tuple[np.ndarray, str]]] = {}
    for part in parts:
        out = pc.greater(pc.list_value_length(pq.read_table(part, columns=[REJECTED])[REJECTED]), 0)
        if not pc.any(out).as_py():
            continue  # its pictures need not be read
        told = pq.read_table(part, columns=["image", REJECTED, "visible", *MEASURES])
        for row in told.filter(out).to_pylist():
            for name in row[REJECTED]:
                if len(examples.setdefault(name, [])) < FACES:
                    value = row[name.partition("_")[2]]
                    line = f"{value:.3g}, {name}"
                    examples[name].append((picture(row["image"]), line))
    grids = [f"<h3>{name}</h3>{grid(faces)}" for name, faces in sorted(examples.items())]
    return section("Left out", *grids) if grids else ""


def _files(plan: MergePlan) -> str:
    broken = [(story.name, story.told()) for story in plan.stories if story.error]
    whole = [(story.name, story.told()) for story in plan.stories if not story.error]
    parts = []
    if broken:
        parts += ["<h3>Not read to the end</h3>", table(["file", "why"], broken)]
    if whole:
        rest = table(["file", "what became of it"], whole)
        parts.append(f"<details open><summary>{len(whole)} files</summary>{rest}</details>")
    return section("Files", *parts)


def _numbers(rows: pa.Table, name: str) -> Float[np.ndarray, " N"]:
    return rows[name].to_numpy().astype(np.float64)
