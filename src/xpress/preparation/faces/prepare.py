"""From videos and pictures to a pack: the whole way, to be ended and begun again at any moment."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from xpress.errors import InputError
from xpress.preparation.annotations.mediapipe import landmarker
from xpress.preparation.faces.files import MediaFile, listed
from xpress.preparation.faces.merging import MergePlan, planned, recipe_of, write_pack
from xpress.preparation.faces.parts import is_done, parts_of
from xpress.preparation.faces.report import write_report
from xpress.preparation.faces.settings import PrepareSettings
from xpress.preparation.faces.workers import make_parts
from xpress.whole_files import check_writable, held_alone, local_path

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Spread:
    """How the work is shared out.

    Attributes:
        processes: of this job; 0 takes as many as there are processors.
        shard: number of this job from 0 on.
        shards: jobs that make one pack together.
    """

    processes: int = 0
    shard: int = 0
    shards: int = 1

    def __post_init__(self) -> None:
        if self.processes < 0 or self.shards < 1 or not 0 <= self.shard < self.shards:
            raise InputError("prepare: give processes=0 or more and a shard below shards")

    @property
    def workers(self) -> int:
        """Processes to start."""
        if self.processes:
            return self.processes
        can = getattr(os, "sched_getaffinity", None)
        return len(can(0)) if can else os.cpu_count() or 1


def prepare(
    inputs: Sequence[str | os.PathLike],
    output: str | os.PathLike,
    settings: PrepareSettings | None = None,
    spread: Spread | None = None,
    report: bool = True,
    progress: bool = True,
) -> str:
    """Make a pack of faces.

    Each file's faces are kept in a folder beside the output until the pack is whole. Ended at any
    moment and begun again, only what is missing is done, and the pack comes out the same.

    Args:
        inputs: folders, searched recursively, files, and patterns.
        output: `.parquet`.
        settings: of the pack.
        spread: over processes and jobs; the last job to end puts the pack together.
        report: write a page about the pack beside it, `.html`.
        progress: show a progress bar.

    Returns:
        A line about what was done.

    Raises:
        InputError: nothing to read or nothing found, or the output cannot be written.
    """
    settings, spread, output = settings or PrepareSettings(), spread or Spread(), local_path(output)
    if output.suffix != ".parquet":
        raise InputError(f"{output}: give a name that ends in .parquet")
    check_writable(output)
    if settings.annotations == "mediapipe":
        landmarker(settings.annotator)  # or every file would tell what is missing
    files = listed(inputs, settings)
    work = _Work(output, files, settings, report)
    if work.complete:
        return f"{output}: is complete already; remove it to make it anew"
    if spread.shards > 1:
        made, waiting = work.make(spread, progress)
        if waiting:
            return f"{output}: {made} files done; {waiting} are left to other shards"
        with held_alone(work.lock, wait=True):
            return f"{output}: put together by another shard" if work.complete else work.join()
    with held_alone(work.lock) as alone:
        if not alone:
            raise InputError(f"{output}: is being made by another process; wait for it to end")
        work.make(spread, progress)
        return work.join()


class _Work:
    """What is done for one pack.

    Args:
        output: the pack.
        files: it is made of.
        settings: of the pack.
        report: whether a page is written.
    """

    def __init__(
        self, output: Path, files: Sequence[MediaFile], settings: PrepareSettings, report: bool
    ) -> None:
        self.output, self.files, self.settings = output, files, settings
        self.recipe = _recipe(files, settings)
        self.page = output.with_suffix(".html") if report else None
        self.folder = output.with_name(f"{output.stem}.parts")
        self.lock = self.folder / ".lock"

    @property
    def complete(self) -> bool:
        """Whether it is there already, made of the same files."""
        told = self.page is None or self.page.exists()
        return told and recipe_of(self.output) == self.recipe

    def make(self, spread: Spread, progress: bool) -> tuple[int, int]:
        """Make the parts of this job; how many files it has, and how many of others are missing."""
        mine = self.files[spread.shard :: spread.shards]
        missing = [file for file in mine if not is_done(self.folder, file)]
        done = len(mine) - len(missing)
        if done:
            log.info("%s: %d of %d files were done before", self.output, done, len(mine))
        shown = None if progress else True  # None shows it on terminals only
        with tqdm(total=len(mine), initial=done, unit="file", disable=shown) as bar:
            for _ in make_parts(missing, self.settings, self.folder, spread.workers):
                bar.update()
        others = set(self.files) - set(mine)
        return len(mine), sum(not is_done(self.folder, file) for file in others)

    def join(self) -> str:
        """Put the pack together of its parts; a line about it."""
        parts = [part for file in self.files for part in parts_of(self.folder, file)]
        plan = planned(parts, self.settings)
        if plan.kept:
            write_pack(self.output, parts, plan, self.recipe)
        if self.page is not None:
            write_report(self.page, self.output, parts, plan)
        _remove(self.folder)
        _check(self.output, plan)
        return f"{self.output}: {told(plan)}"


def kept_pack(
    source: str | os.PathLike, folder: str | os.PathLike, settings: PrepareSettings
) -> Path:
    """The pack of a folder of media among kept ones, made unless that was done before.

    Args:
        source: folder or file of videos and pictures.
        folder: keeps packs; the name of each tells what it was made of.
        settings: of the pack.

    Raises:
        InputError: see `prepare`.
    """
    recipe = _recipe(listed([source], settings), settings)
    path = Path(folder) / f"{Path(source).stem}-{recipe}.parquet"
    if not path.is_file():
        log.info("%s", prepare([source], path, settings))
    return path


def told(plan: MergePlan) -> str:
    """A line about the pack."""
    stories, kept = plan.stories, plan.kept
    frames, empty = sum(s.frames for s in stories), sum(s.empty for s in stories)
    line = f"{kept} faces of {len(plan.rows)} people from {frames} pictures of {len(stories)} files"
    rejected = sum(s.faces - s.kept for s in stories)
    broken = sum(bool(s.error) for s in stories)
    notes = [
        (empty, "pictures without a face"),
        (rejected, "faces beyond the limits"),
        (plan.duplicates, "near duplicates"),
        (broken, "files not read to the end"),
    ]
    return "; ".join([line, *(f"{count} {what}" for count, what in notes if count)])


def _recipe(files: Sequence[MediaFile], settings: PrepareSettings) -> str:
    content = json.dumps([asdict(settings), [file.digest for file in files]])
    return hashlib.sha256(content.encode()).hexdigest()[:20]


def _check(output: Path, plan: MergePlan) -> None:
    if plan.kept:
        return
    errors = [story.error for story in plan.stories if story.error]
    if len(errors) == len(plan.stories):
        raise InputError(errors[0])
    beyond = sum(story.faces for story in plan.stories)
    if beyond:
        raise InputError(f"{output}: all {beyond} faces are beyond the limits; widen limits.…")
    frames = sum(story.frames for story in plan.stories)
    raise InputError(f"{output}: none of {frames} pictures shows a face; give others")


def _remove(folder: Path) -> None:
    """Take away the parts, those of former settings among them."""
    for file in folder.iterdir():
        if re.fullmatch(r"[0-9a-f]{20}-\d{5}\.parquet|\.lock", file.name):
            file.unlink(missing_ok=True)
    with suppress(OSError):  # not empty: something of the user's lies there
        folder.rmdir()
