"""Several processes make the parts; one that is lost costs its file, not the pack."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from xpress.preparation.faces import workers
from xpress.preparation.faces.files import MediaFile
from xpress.preparation.faces.parts import part_path, read_story, write_told_part
from xpress.preparation.faces.settings import PrepareSettings
from xpress.preparation.faces.story import FileStory


def make_or_end(file: MediaFile, settings: PrepareSettings, folder: Path) -> None:
    """Stands for `write_parts` in the processes."""
    if "deadly" in file.name:
        os._exit(7)
    write_told_part(file, f"made by {os.getpid()}", folder)


@pytest.fixture
def files() -> list[MediaFile]:
    names = ["a.mp4", "deadly.mp4", "b.mp4", "c.mp4", "deadly too.mp4"]
    return [MediaFile(Path(name), name, f"{n:020x}") for n, name in enumerate(names)]


def test_files_that_end_their_process_are_told(files, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(workers, "write_parts", make_or_end)
    monkeypatch.syspath_prepend(Path(__file__).parents[4])  # the processes look for this module
    done = list(workers.make_parts(files, PrepareSettings(), tmp_path, 2))
    assert sorted(file.name for file in done) == sorted(file.name for file in files)
    errors = {file.name: read_story(part_path(tmp_path, file)).error for file in files}
    for name, error in errors.items():
        if "deadly" in name:
            assert error == f"{name}: {workers.CRASHED}"
        else:
            assert error.startswith("made by")
            assert error != f"made by {os.getpid()}"


def test_one_process_is_this_one(files, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(workers, "write_parts", make_or_end)
    harmless = [file for file in files if "deadly" not in file.name]
    assert list(workers.make_parts(harmless, PrepareSettings(), tmp_path, 1)) == harmless
    assert read_story(part_path(tmp_path, harmless[0])).error == f"made by {os.getpid()}"
    assert pq.read_table(part_path(tmp_path, harmless[0])).num_rows == 0


@pytest.mark.parametrize(
    ("story", "line"),
    [
        (FileStory("a", frames=3, empty=3), "no face in 3 pictures"),
        (FileStory("a", frames=3, faces=4, kept=4), "4 of 4 faces in 3 pictures"),
        (
            FileStory("a", frames=3, faces=4, kept=1, rejected={"yaw": 1, "size": 3}),
            "1 of 4 faces in 3 pictures (against the others: size 3, yaw 1)",
        ),
        (FileStory("a", error="a: broken"), "a: broken"),
        (
            FileStory("a", frames=1, faces=1, kept=1, error="a: cut"),
            "1 of 1 faces in 1 pictures; a: cut",
        ),
    ],
)
def test_the_line_about_a_file(story: FileStory, line: str):
    assert story.told() == line
    assert FileStory.from_json(story.to_json()) == story
