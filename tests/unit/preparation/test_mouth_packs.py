from __future__ import annotations

import shutil
from importlib.resources import files
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from xpress.data_modules.mouths.data_module import MouthCropsDataModule

from xpress.errors import InputError
from xpress.media.images import read_image, write_image
from xpress.media.video import VideoReader, VideoWriter
from xpress.packs.media_files import is_media, media_files
from xpress.packs.records import decode
from xpress.preparation import media_packs, mouth_packs
from xpress.preparation.mouth_packs import PackSettings, made_pack, write_pack
from xpress.reenactment.reenactor import Reenactor

FRAMES, EVERY = 7, 3
LIPS = slice(48, 68)
INNER = (23, 64, 24, 25, 26, 3, 88, 87, 86, 125, 85, 94, 91, 122, 90, 4, 28, 61, 29, 32)
"""Rows of the inner lips among the contour points."""
CLIP, PORTRAIT = "clips/talking_man.mp4", "anna/portrait.jpg"


@pytest.fixture(scope="module", autouse=True)
def _one_reenactor():
    """Loaded once: it takes as long as all these tests."""
    if not (files("xpress") / "assets" / "encoder.onnx").is_file():
        pytest.skip("needs the encoder's weights in src/xpress/assets")
    loaded = Reenactor.from_pretrained()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Reenactor, "from_pretrained", lambda: loaded)
        yield


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def faces(samples: Path, noise: np.ndarray, tmp_path_factory) -> Path:
    """A clip, a photograph, a picture without a face, a broken one, and what is none of these."""
    folder = tmp_path_factory.mktemp("faces")
    for name in (CLIP, PORTRAIT, ".thumbnails/portrait.jpg"):
        (folder / name).parent.mkdir()
    with VideoWriter(folder / CLIP, VideoReader(samples / "talking_man.mp4").fps, (512, 512)) as w:
        for frame in islice(VideoReader(samples / "talking_man.mp4"), FRAMES):
            w.write(frame)
    for name in (PORTRAIT, ".thumbnails/portrait.jpg"):
        shutil.copy(samples / "portrait_woman.jpg", folder / name)
    write_image(folder / "wall.png", noise)
    (folder / "torn.jpg").write_bytes((samples / "portrait_man.jpg").read_bytes()[:2000])
    (folder / "readme.txt").write_text("faces")
    return folder


@pytest.fixture(scope="module")
def pack(faces: Path, tmp_path_factory) -> Path:
    return made_pack(faces, tmp_path_factory.mktemp("packs") / "new", PackSettings(EVERY))


@pytest.fixture(scope="module")
def rows(pack: Path) -> dict[str, dict]:
    return {row["key"]: row for row in pq.read_table(pack).to_pylist()}


def test_a_made_pack_has_the_columns_of_the_given_ones(packs: Path, pack: Path):
    given = pq.read_schema(packs / "mouths-val.parquet")
    made = pq.read_schema(pack)
    assert made.names == given.names
    assert [f.type for f in made] == [f.type for f in given]
    assert [file.name for file in pack.parent.iterdir()] == [pack.name]


def test_rows_are_every_nth_frame_and_the_pictures(rows: dict[str, dict]):
    frames = [f"{CLIP}/{number:06}" for number in range(0, FRAMES, EVERY)]
    assert sorted(rows) == sorted([*frames, PORTRAIT])
    assert {rows[key]["identity"] for key in frames} == {"clips"}
    assert rows[PORTRAIT]["identity"] == "anna"
    for row in rows.values():
        assert row["image"][:4] == b"RIFF"
        assert row["image"][8:12] == b"WEBP"
        assert decode(row["image"]).shape == (128, 128, 3)
        assert (len(row["landmarks68"]), len(row["contours"])) == (136, 276)


@pytest.mark.parametrize(
    ("key", "file", "truth", "frame"),
    [
        (f"{CLIP}/000000", CLIP, "talking_man", 0),
        (f"{CLIP}/000006", CLIP, "talking_man", 6),
        (PORTRAIT, PORTRAIT, "portrait_woman", 0),
    ],
)
def test_lips_are_where_another_tracker_sees_them(rows, faces, samples, key, file, truth, frame):
    if file == PORTRAIT:
        image = read_image(faces / file)
    else:
        image = next(islice(VideoReader(faces / file), frame, None))
    row = rows[key]
    # where the crop lies in the picture is looked for in the pixels
    side = round(128 / row["scale"])
    crop = cv2.resize(decode(row["image"]), (side, side), interpolation=cv2.INTER_LINEAR)
    likeness = cv2.matchTemplate(image, crop, cv2.TM_CCOEFF_NORMED)
    assert likeness.max() > 0.95
    corner = np.array(np.unravel_index(likeness.argmax(), likeness.shape)[::-1])
    with np.load(samples / f"{truth}.landmarks.npz") as tracked:
        points = (tracked["landmarks68"][frame] - corner + 0.5) * row["scale"] - 0.5
        contours = (tracked["contours"][frame] - corner + 0.5) * row["scale"] - 0.5
    found = np.array(row["landmarks68"]).reshape(68, 2)
    distance = np.linalg.norm(found - points, axis=1)[LIPS]
    assert np.median(distance) < 5.5  # the embedded encoder's: 5.0, 1.6 and 2.4
    assert distance.max() < 10
    distance = np.linalg.norm(np.array(row["contours"]).reshape(138, 2) - contours, axis=1)
    assert np.median(distance[list(INNER)]) < 5


def test_the_crop_is_two_lip_widths_wide(rows: dict[str, dict]):
    for row in rows.values():
        lips = np.array(row["landmarks68"]).reshape(68, 2)[48:60]
        left, right = lips[lips[:, 0].argmin()], lips[lips[:, 0].argmax()]
        assert np.hypot(*(right - left)) == pytest.approx(64, abs=0.01)
        np.testing.assert_allclose((lips.min(0) + lips.max(0)) / 2, 63.5, atol=0.01)


def test_a_pack_is_made_once(faces: Path, pack: Path, monkeypatch):
    def fail(*_):
        raise AssertionError("made again")

    monkeypatch.setattr(mouth_packs, "write_pack", fail)
    assert made_pack(faces, pack.parent, PackSettings(EVERY)) == pack
    with pytest.raises(AssertionError):
        made_pack(faces, pack.parent, PackSettings(EVERY + 1))
    with pytest.raises(AssertionError):
        made_pack(faces / "clips", pack.parent, PackSettings(EVERY))


def test_another_file_or_time_makes_another_pack(tmp_path: Path, monkeypatch):
    (tmp_path / "packs").mkdir()

    def write(source, output, *_):
        output.touch()
        return mouth_packs.PackCounts()

    monkeypatch.setattr(mouth_packs, "write_pack", write)
    (tmp_path / "a.png").write_bytes(b"1")
    first = made_pack(tmp_path, tmp_path / "packs")
    (tmp_path / "notes.txt").write_text("not a picture")
    assert made_pack(tmp_path, tmp_path / "packs") == first
    (tmp_path / "a.png").write_bytes(b"2")
    second = made_pack(tmp_path, tmp_path / "packs")
    (tmp_path / "b.png").write_bytes(b"1")
    third = made_pack(tmp_path, tmp_path / "packs")
    assert len({first, second, third}) == 3
    assert len(list((tmp_path / "packs").iterdir())) == 3


def test_what_was_left_out_is_told_in_one_line(faces: Path, tmp_path: Path, caplog, monkeypatch):
    monkeypatch.setattr(media_packs, "ROWS", 1)
    counts = write_pack(faces, tmp_path / "pack.parquet", PackSettings(FRAMES))
    assert str(counts) == (
        "2 mouths from 3 pictures; 1 without a face or with its mouth beyond the border; "
        "1 files could not be read to the end"
    )
    (record,) = [r for r in caplog.records if r.name == media_packs.__name__]
    assert "1 of 4 files" in record.message
    assert "torn.jpg" in record.message
    assert pq.ParquetFile(tmp_path / "pack.parquet").num_row_groups == 2


def test_nothing_is_left_where_no_face_is(noise: np.ndarray, tmp_path: Path):
    (tmp_path / "walls").mkdir()
    for name in ("a.png", "b.webp"):
        write_image(tmp_path / "walls" / name, noise)
    with pytest.raises(InputError, match="none of its 2 pictures shows a face") as error:
        made_pack(tmp_path / "walls", tmp_path / "packs")
    assert "\n" not in str(error.value)
    assert list((tmp_path / "packs").iterdir()) == []


def test_small_mouths_are_left_out(faces: Path, samples: Path, tmp_path: Path):
    with np.load(samples / "portrait_woman.landmarks.npz") as tracked:
        width = float(np.ptp(tracked["landmarks68"][0, 48:60, 0]))
    output = tmp_path / "pack.parquet"
    settings = PackSettings(least_width=1.2 * width)
    with pytest.raises(InputError, match=r"at least [\d.]+ pixels wide"):
        write_pack(faces / PORTRAIT, output, settings)
    assert write_pack(faces / PORTRAIT, output, PackSettings(least_width=0.8 * width)).small == 0


def test_files_that_cannot_be_used_are_named(tmp_path: Path):
    with pytest.raises(InputError, match="no such file or folder"):
        write_pack(tmp_path / "missing", tmp_path / "pack.parquet")
    with pytest.raises(InputError, match=r"no picture, no video and no \.parquet"):
        made_pack(tmp_path, tmp_path / "packs")
    (tmp_path / "clip.mp4").write_bytes(b"no video at all")
    with pytest.raises(InputError, match=r"clip\.mp4: not a video"):
        write_pack(tmp_path / "clip.mp4", tmp_path / "pack.parquet")
    for settings in ({"every": 0}, {"size": 32}):
        with pytest.raises(InputError, match="every=1 or more"):
            PackSettings(**settings)
    assert [file.name for file in tmp_path.iterdir()] == ["clip.mp4"]


def test_media_are_told_from_labelled_packs(tmp_path: Path, faces: Path):
    assert is_media(faces)
    assert is_media(faces / CLIP)
    assert [f.relative_to(faces).as_posix() for f in media_files(faces)] == [
        *(PORTRAIT, CLIP, "torn.jpg", "wall.png")
    ]
    (tmp_path / "pack.parquet").touch()
    for path in (tmp_path, tmp_path / "pack.parquet", tmp_path / "missing", "s3://bucket/faces"):
        assert not is_media(path)
    assert not is_media(f"{tmp_path}/*.parquet")


def test_training_reads_a_folder(faces: Path, tmp_path: Path):
    data = MouthCropsDataModule(
        train=[faces],
        val={"clip": faces / CLIP},
        size=64,
        batch_size=2,
        num_workers=0,
        holdout=0.0,
        least_opening=0.0,
        pack_folder=tmp_path,
        pack_every=EVERY,
    )
    data.prepare_data()
    made = sorted(tmp_path.iterdir())
    assert len(made) == 2
    data.setup("fit")
    assert len(data.train_set) == 4
    (first, *_) = data.train_dataloader()
    batch = data.on_after_batch_transfer(first)
    assert batch.image.shape == (2, 3, 64, 64)
    assert batch.hole.sum((1, 2, 3)).min() > 0
    data.setup("validate")
    assert data.val_names == ["clip"]
    assert len(data.val_dataloader()[0].dataset) == 3
    assert sorted(tmp_path.iterdir()) == made


def test_command_line(faces: Path, tmp_path: Path, capsys):
    output = tmp_path / "pack.parquet"
    mouth_packs.main([str(faces / CLIP), "--output", str(output), "--every", "4", "--size", "96"])
    assert capsys.readouterr().out == f"{output}: 2 mouths from 2 pictures\n"
    rows = pq.read_table(output).to_pylist()
    assert decode(rows[0]["image"]).shape == (96, 96, 3)
    assert rows[0]["identity"] == "talking_man"
    with pytest.raises(SystemExit) as ended:
        mouth_packs.main([str(tmp_path / "no"), "--output", str(output)])
    assert ended.value.code == 2
    assert (
        capsys.readouterr().err == f"error: {tmp_path}/no: no such file or folder; check the path\n"
    )
