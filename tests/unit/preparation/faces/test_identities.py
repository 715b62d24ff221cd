"""Who is who, and who is kept for validation."""

from __future__ import annotations

import numpy as np
import pytest

from xpress.preparation.faces.identities import (
    Track,
    clusters,
    folder_name,
    main_tracks,
    named,
    validation_people,
)


def track(file: str, number: int, first: int, last: int, weight: float = 1.0, look=None) -> Track:
    seen = np.zeros(4, np.float32) if look is None else np.asarray(look, np.float32)
    return Track(file, number, first, last, weight, seen)


@pytest.mark.parametrize(
    ("file", "person"),
    [
        ("anna.jpg", "anna"),
        ("anna.mp4", "anna"),
        ("bert/1.jpg", "bert"),
        ("bert/2.mp4", "bert"),
        ("a/b/1.jpg", "a/b"),
    ],
)
def test_a_file_is_a_person_or_a_folder_is(file: str, person: str):
    assert folder_name(file) == person


def test_the_largest_faces_that_never_meet_are_the_files_person():
    tracks = [
        track("bert/1.mp4", 0, 0, 50, 10.0),
        track("bert/1.mp4", 1, 40, 90, 4.0),  # beside the first
        track("bert/1.mp4", 2, 60, 90, 8.0),  # after it
    ]
    assert main_tracks(tracks) == {0, 2}
    assert named(tracks, "folder", 0.5) == ["bert", "bert/1.mp4#1", "bert"]
    assert named(tracks, "track", 0.5) == [f"bert/1.mp4#{n}" for n in range(3)]


def test_clusters_join_who_looks_alike_but_none_that_meet():
    rng = np.random.default_rng(0)
    people = rng.standard_normal((3, 60)) * 2
    looks = [people[n] + 0.2 * rng.standard_normal(60) for n in (0, 1, 2, 0, 1, 0)]
    tracks = [track(f"{n}.mp4", 0, 0, 9, look=look) for n, look in enumerate(looks)]
    assert clusters(tracks, 0.5) == [0, 1, 2, 0, 1, 0]
    twins = [track("a.mp4", n, 0, 9, look=people[0]) for n in range(2)]
    assert clusters([*twins, track("b.mp4", 0, 0, 9, look=people[1])], 0.5) == [0, 1, 2]
    assert clusters(tracks[:1], 0.5) == [0]


def test_validation_takes_whole_people_and_never_most_of_the_rows():
    many = {f"person {n}": 10 for n in range(400)}
    held = validation_people(many, 0.1)
    assert 20 < len(held) < 60
    assert validation_people({**many, "new": 1}, 0.1) - {"new"} == held  # it stays as packs grow
    assert validation_people(many, 0.0) == set()
    few = {"a": 50, "b": 40, "c": 45}
    assert len(validation_people(few, 0.1)) == 1
    assert validation_people({"alone": 7}, 0.1) == set()
    assert "large" not in validation_people({"large": 90, "small": 10}, 0.3)
