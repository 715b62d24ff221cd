"""Each format's landmarks are found again by picture and frame, in pixels of the picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from xpress.packs.openface import COLUMNS
from xpress.preparation.annotations.lookup import annotation_files, companions, faces_of_file
from xpress.preparation.annotations.wflw import TO_68


@pytest.fixture
def points() -> np.ndarray:
    return np.random.default_rng(0).uniform(20, 90, (68, 2)).round(2)


def write_pts(path: Path, points: np.ndarray) -> None:
    lines = "\n".join(f"{x:.3f} {y:.3f}" for x, y in points + 1)  # they count from one
    path.write_text(f"version: 1\nn_points: 68\n{{\n{lines}\n}}\n")


def write_csv(path: Path, points: np.ndarray) -> None:
    header = ",".join(f"x{n},y{n}" for n in range(68))
    values = ",".join(str(value) for value in points.ravel())
    path.write_text(f"path,identity,{header}\nsub/a.jpg,anna,{values}\n")


def write_wflw(path: Path, points: np.ndarray) -> None:
    whole = np.full((98, 2), 5.0)
    whole[TO_68] = points
    values = [*whole.ravel(), 1, 2, 3, 4, 0, 0, 0, 0, 0, 0]
    path.write_text(" ".join(map(str, values)) + " sub/a.jpg\n")


def write_openface(path: Path, points: np.ndarray) -> None:
    names = ["frame", " face_id", " confidence", " success"]
    names += [f" x_{n}" for n in range(68)] + [f" y_{n}" for n in range(68)]
    names += [f" {name}" for name in COLUMNS]
    values = [1, 0, 0.98, 1, *points[:, 0], *points[:, 1], *[2.5] * 17]
    path.write_text(",".join(names) + "\n" + ", ".join(map(str, values)) + "\n")


def write_coco(path: Path, points: np.ndarray, field: str = "keypoints", before: int = 0) -> None:
    marked = np.column_stack([points, np.full(68, 2)])
    filler = np.ones((before, 3)), np.ones((42 if before else 0, 3))
    whole = np.concatenate([filler[0], marked, filler[1]])
    content = {
        "images": [{"id": 7, "file_name": "sub/a.jpg"}, {"id": 8, "file_name": "b.jpg"}],
        "annotations": [
            {"image_id": 7, "category_id": 1, field: whole.ravel().tolist()},
            {"image_id": 8, "keypoints": [0] * (3 * 68)},
            {"image_id": 9},
        ],
    }
    path.write_text(json.dumps(content))


FORMATS = {
    "pts": ("sub/a.pts", write_pts),
    "csv": ("labels.csv", write_csv),
    "wflw": ("list.txt", write_wflw),
    "openface": ("processed/a.csv", write_openface),
    "coco": ("faces.json", write_coco),
    "coco face_kpts": ("faces.json", lambda path, p: write_coco(path, p, "face_kpts")),
    "coco whole body": ("faces.json", lambda path, p: write_coco(path, p, before=23)),
}


@pytest.mark.parametrize("form", FORMATS)
def test_points_come_back(form: str, points: np.ndarray, tmp_path: Path):
    name, write = FORMATS[form]
    picture = tmp_path / "sub" / "a.jpg"
    picture.parent.mkdir()
    picture.write_bytes(b"")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    write(tmp_path / name, points)
    (tmp_path / "notes.txt").write_text("not a list\n")
    (tmp_path / "other.csv").write_text("time,value\n1,2\n")
    (tmp_path / "other.json").write_text("[1, 2]")
    found = annotation_files(tmp_path)
    assert found == [tmp_path / name]
    ((frame, (entry,)),) = faces_of_file(picture, companions(picture, found)).items()
    assert (frame, entry.face, entry.format) == (0, 0, form.split()[0])
    np.testing.assert_allclose(entry.landmarks68, points, atol=1e-3)
    assert entry.person == ("anna" if form == "csv" else "")
    assert (entry.units is not None) == (form == "openface")
    if entry.units is not None:
        np.testing.assert_array_equal(entry.units, np.float32(0.5))
    assert faces_of_file(tmp_path / "sub" / "b.jpg", found) == {}


def test_openface_tells_frames_from_zero_faces_and_leaves_failures_out(points, tmp_path: Path):
    path = tmp_path / "clip.1.csv"
    write_openface(path, points)
    header, line = path.read_text().splitlines()
    second = line.replace("1, 0, 0.98, 1", "3, 1, 0.9, 1", 1)
    failed = line.replace("1, 0, 0.98, 1", "4, 0, 0.1, 0", 1)
    path.write_text("\n".join([header, line, second, failed, "broken,line"]) + "\n")
    faces = faces_of_file(tmp_path / "clip.1.mp4", [path])
    assert {frame: [e.face for e in entries] for frame, entries in faces.items()} == {
        0: [0],
        2: [1],
    }


def test_points_of_a_picture_of_the_same_name_elsewhere_are_not_taken(points, tmp_path: Path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    write_pts(tmp_path / "one" / "a.pts", points)
    found = annotation_files(tmp_path)
    assert companions(tmp_path / "one" / "a.jpg", found) == (tmp_path / "one" / "a.pts",)
    assert companions(tmp_path / "two" / "a.jpg", found) == ()


def test_wflw_points_are_those_of_the_same_places():
    # WFLW's symmetric pairs, taken to the 68, are the 68's symmetric pairs
    pairs = {n: 32 - n for n in range(33)}  # jaw
    pairs |= dict(zip(range(33, 42), (46, 45, 44, 43, 42, 50, 49, 48, 47), strict=True))
    pairs |= {n: n for n in range(51, 55)} | {n: 114 - n + 0 for n in range(55, 60)}
    pairs |= dict(zip(range(60, 68), (72, 71, 70, 69, 68, 75, 74, 73), strict=True))
    mirrored = {**pairs, **{b: a for a, b in pairs.items()}}
    from xpress.morphable.landmarks.landmark_names import MIRROR_68

    for row in range(48):
        assert mirrored[int(TO_68[row])] == int(TO_68[MIRROR_68[row]])
