import numpy as np
import pytest

from xpress.media.images import read_image


@pytest.fixture
def shown(face_sheet, encoders, samples):
    measured = encoders.open_encoder("default")
    return measured, face_sheet.of_picture(measured, samples / "portrait_man.jpg")


def test_without_photographs_no_pixel_of_the_picture_is_shown(face_sheet, shown):
    measured, faces = shown
    paint = face_sheet.Painter(measured, 48, photographs=False)
    cells = paint(faces[0])
    assert cells.shape == (48, 3 * 48, 3)
    other = face_sheet.PortrayedFace(np.zeros_like(faces[0].image), faces[0].face, None)
    np.testing.assert_array_equal(paint(other), cells)


def test_with_photographs_the_picture_comes_first_and_lies_below(face_sheet, shown):
    measured, faces = shown
    cells = face_sheet.Painter(measured, 48, photographs=True)(faces[0])
    assert cells.shape == (48, 4 * 48, 3)
    picture, landmarks, render, mesh = np.split(cells.astype(int), 4, axis=1)
    assert np.abs(picture - landmarks).mean() < 25
    for drawn in (render, mesh):
        same = (np.abs(drawn - picture).max(2) < 3).mean()
        assert 0.05 < same < 0.8


def test_faces_of_a_pack_are_of_different_people(face_sheet, encoders, packs):
    measured = encoders.open_encoder("default")
    faces = face_sheet.of_pack(measured, packs / "video-faces-val.parquet", 6)
    assert len(faces) == 6
    for face in faces:
        eye = np.linalg.norm(face.labels[36] - face.labels[45])
        assert np.linalg.norm(face.labels - face.face.landmarks68, axis=1).mean() < 0.15 * eye


def test_sheet_has_rows_and_columns(face_sheet, tmp_path):
    rows = [np.full((24, 72, 3), 10 * i, np.uint8) for i in range(5)]
    sheet = face_sheet.sheet(rows, 2)
    assert sheet.shape == (3 * 26, 2 * 74, 3)
    assert (sheet[26, 74] == 30).all()
    assert (sheet[-26:, 74:] == 255).all()


def test_command(face_sheet, samples, tmp_path, monkeypatch, capsys):
    out = tmp_path / "sheet.png"
    arguments = [str(samples / "two_people.jpg"), "--output", str(out), "--size", "32"]
    monkeypatch.setattr("sys.argv", ["face_sheet.py", *arguments, "--columns", "2"])
    face_sheet.main()
    assert read_image(out).shape == (34, 2 * 98, 3)
    assert "2 faces" in capsys.readouterr().out
