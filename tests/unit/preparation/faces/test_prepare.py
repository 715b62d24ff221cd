"""From a folder of media to a pack, and what trainings read of it."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from xpress.data_modules.expressions.rows import read_units
from xpress.data_modules.eyes.rows import read_eyes
from xpress.data_modules.mouths.data_module import MouthCropsDataModule

from xpress.errors import InputError
from xpress.extraction.face_reader import FaceReader
from xpress.media.images import read_image, write_image
from xpress.media.video import VideoReader, VideoWriter
from xpress.packs import read_records
from xpress.packs.openface import COLUMNS
from xpress.packs.prepared import crop_placement, splits_of
from xpress.packs.records import decode
from xpress.preparation.faces import parts
from xpress.preparation.faces import prepare as module
from xpress.preparation.faces.prepare import Spread, kept_pack, prepare
from xpress.preparation.faces.settings import PrepareSettings, QualityLimits
from xpress.whole_files import held_alone

FRAMES, EVERY = 7, 3
CLIP, PORTRAIT = "clips/talking_man.mp4", "anna/portrait.jpg"
LIPS = slice(48, 68)


@pytest.fixture(scope="module", autouse=True)
def _one_reader():
    """Loaded once: it takes as long as all these tests."""
    loaded = FaceReader.from_pretrained()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_reader", lambda weights: loaded)
        yield


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def media(samples: Path, noise: np.ndarray, tmp_path_factory) -> Path:
    """A clip, a photograph twice, two people, no face, a broken file, and what is none of these."""
    folder = tmp_path_factory.mktemp("media")
    for name in (CLIP, PORTRAIT, ".thumbnails/portrait.jpg"):
        (folder / name).parent.mkdir()
    with VideoWriter(folder / CLIP, 25, (512, 512)) as writer:
        for frame in islice(VideoReader(samples / "talking_man.mp4"), FRAMES):
            writer.write(frame)
    for name in (PORTRAIT, ".thumbnails/portrait.jpg"):
        shutil.copy(samples / "portrait_woman.jpg", folder / name)
    again = read_image(samples / "portrait_woman.jpg")
    write_image(folder / "copy.png", np.ascontiguousarray(again[::1, ::1]))
    shutil.copy(samples / "portrait_man.jpg", folder / "carl.jpg")
    write_image(folder / "wall.png", noise)
    (folder / "torn.jpg").write_bytes((samples / "portrait_man.jpg").read_bytes()[:2000])
    (folder / "readme.txt").write_text("faces")
    return folder


@pytest.fixture(scope="module")
def settings() -> PrepareSettings:
    return PrepareSettings(every=EVERY, val=0.3)


@pytest.fixture(scope="module")
def pack(media: Path, settings: PrepareSettings, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("packs") / "new" / "faces.parquet"
    told = prepare([media], path, settings, Spread(1), progress=False)
    assert told == (
        f"{path}: 5 faces of 3 people from 7 pictures of 6 files; 1 pictures without a face; "
        "1 near duplicates; 1 files not read to the end"
    )
    return path


@pytest.fixture(scope="module")
def rows(pack: Path) -> dict[str, dict]:
    return {row["key"]: row for row in pq.read_table(pack).to_pylist()}


def test_rows_are_every_nth_frame_and_the_pictures(rows: dict[str, dict], pack: Path):
    frames = [f"{CLIP}/{number:06}" for number in range(0, FRAMES, EVERY)]
    assert list(rows) == [PORTRAIT, "carl.jpg", *frames]
    assert {rows[key]["identity"] for key in frames} == {"clips"}
    assert (rows[PORTRAIT]["identity"], rows["carl.jpg"]["identity"]) == ("anna", "carl")
    assert rows[frames[1]]["frame"] == EVERY
    for row in rows.values():
        assert decode(row["image"]).shape == (192, 192, 3)
        assert decode(row["mouth"]["image"]).shape == (128, 128, 3)
        assert len(row["action_units"]) == 17
        assert row["color"]
    assert sorted(file.name for file in pack.parent.iterdir()) == ["faces.html", "faces.parquet"]


def test_a_person_is_kept_for_validation_as_a_whole(rows: dict[str, dict], pack: Path):
    splits = splits_of(pack)
    assert set(splits) == {"anna", "carl", "clips"}
    assert splits["clips"] == "train"  # it has most of the rows
    assert sorted(splits.values()).count("val") >= 1
    assert all(row["split"] == splits[row["identity"]] for row in rows.values())


@pytest.mark.parametrize(
    ("key", "truth", "frame"),
    [
        (f"{CLIP}/000000", "talking_man", 0),
        (f"{CLIP}/000006", "talking_man", 6),
        (PORTRAIT, "portrait_woman", 0),
    ],
)
def test_lips_are_where_another_tracker_sees_them(rows, media, samples, key, truth, frame):
    if key == PORTRAIT:
        image = read_image(media / PORTRAIT)
    else:
        image = next(islice(VideoReader(media / CLIP), frame, None))
    row = rows[key]["mouth"]
    # where the crop lies in the picture is looked for in the pixels
    pixels = decode(row["image"])
    side = round(pixels.shape[0] / row["scale"])
    shown = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_LINEAR)
    likeness = cv2.matchTemplate(image, shown, cv2.TM_CCOEFF_NORMED)
    assert likeness.max() > 0.95
    corner = np.array(np.unravel_index(likeness.argmax(), likeness.shape)[::-1])
    with np.load(samples / f"{truth}.landmarks.npz") as tracked:
        points = (tracked["landmarks68"][frame] - corner + 0.5) * row["scale"] - 0.5
    found = np.array(row["landmarks68"]).reshape(68, 2)
    distance = np.linalg.norm(found - points, axis=1)[LIPS]
    assert np.median(distance) < 5.5  # the embedded encoder's: 5.0, 1.6 and 2.4
    assert distance.max() < 10


def test_mouths_lie_in_the_faces_where_their_placement_says(pack: Path):
    faces, mouths = read_records(pack), read_records(pack, "mouth")
    assert faces.keys == mouths.keys
    placed = crop_placement(pack, "mouth", mouths)
    assert placed is not None
    points = np.einsum("nij,nkj->nki", placed[:, :, :2], faces.landmarks68) + placed[:, None, :, 2]
    np.testing.assert_allclose(points, mouths.landmarks68, atol=2e-3)
    for lips in mouths.landmarks68[:, 48:60]:
        left, right = lips[lips[:, 0].argmin()], lips[lips[:, 0].argmax()]
        assert np.hypot(*(right - left)) == pytest.approx(64, abs=0.01)


def test_every_reader_takes_the_pack(pack: Path, tmp_path: Path):
    records, units = read_units(pack, tmp_path / "cache")
    assert len(records) == 5
    assert np.isfinite(units).all()
    assert not (tmp_path / "cache").exists()  # they were in the pack
    eyes = read_eyes(pack)
    assert len(eyes) == 10
    assert eyes.left.sum() == 5
    width = np.linalg.norm(eyes.lids[:, 8] - eyes.lids[:, 0], axis=1)
    sides = np.array([image.shape[0] for image in eyes.images])
    np.testing.assert_allclose(sides / width, 2.2, atol=0.1)
    # the outer corner of the owner's right eye is on the left of the picture
    across = eyes.lids[:, 8, 0] - eyes.lids[:, 0, 0]
    assert ((across > 0) == ~eyes.left).all()


def test_training_reads_a_folder(media: Path, tmp_path: Path, settings: PrepareSettings):
    data = MouthCropsDataModule(
        train=[media],
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
    assert [file.suffix for file in made] == [".html", ".parquet"]
    data.setup("fit")
    assert len(data.train_set) == 5
    (first, *_) = data.train_dataloader()
    batch = data.on_after_batch_transfer(first)
    assert batch.image.shape == (2, 3, 64, 64)
    assert batch.hole.sum((1, 2, 3)).min() > 0
    assert kept_pack(media, tmp_path, data.pack_settings) in made
    assert sorted(tmp_path.iterdir()) == made


def test_the_pack_says_who_is_held_out(pack: Path):
    options = {"size": 64, "batch_size": 2, "num_workers": 0, "least_opening": 0.0}
    data = MouthCropsDataModule(train=[pack], holdout=0.05, **options)
    data.setup("fit")
    held = {name for name, split in splits_of(pack).items() if split == "val"}
    shown = {who for source in data.holdout_set.sources for who in source.people}
    assert shown == held
    streamed = MouthCropsDataModule(train=[pack], holdout=0.05, streaming=True, **options)
    streamed.setup("fit")
    assert streamed.holdout_set.rows == len(data.holdout_set)
    assert streamed.train_set.rows == len(data.train_set)


def test_one_file_after_the_other_or_in_shards_is_the_same_pack(
    media: Path, pack: Path, settings: PrepareSettings, tmp_path: Path
):
    path = tmp_path / "faces.parquet"
    first = prepare([media], path, settings, Spread(1, 1, 2), progress=False)
    assert first.endswith("3 files done; 3 are left to other shards")
    assert not path.exists()
    prepare([media], path, settings, Spread(1, 0, 2), progress=False)
    assert path.read_bytes() == pack.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["faces.html", "faces.parquet"]


def test_what_is_whole_is_not_made_again(media: Path, pack: Path, settings, monkeypatch):
    def fail(*_):
        raise AssertionError("made again")

    monkeypatch.setattr(module, "make_parts", fail)
    told = prepare([media], pack, settings, Spread(1), progress=False)
    assert "is complete already" in told
    with pytest.raises(AssertionError):
        prepare([media], pack, PrepareSettings(every=2), Spread(1), progress=False)


def test_limits_leave_faces_out_and_are_counted(media: Path, tmp_path: Path):
    limits = QualityLimits(min_size=400.0)
    with pytest.raises(InputError, match=r"all 1 faces are beyond the limits"):
        prepare(
            [media / PORTRAIT],
            tmp_path / "small.parquet",
            PrepareSettings(limits=limits),
            Spread(1),
            progress=False,
        )
    page = (tmp_path / "small.html").read_text()
    assert "— against limits.min_size" in page
    assert [file.name for file in tmp_path.iterdir()] == ["small.html"]


def test_what_cannot_be_used_is_named_in_one_line(media: Path, noise: np.ndarray, tmp_path: Path):
    output = tmp_path / "pack.parquet"
    with pytest.raises(InputError, match="no such file or folder"):
        prepare([tmp_path / "missing"], output)
    with pytest.raises(InputError, match="no file has such a name"):
        prepare([f"{media}/*.mp3"], output)
    with pytest.raises(InputError, match=r"ends in \.parquet"):
        prepare([media], tmp_path / "pack.zip")
    with pytest.raises(InputError, match=r"torn\.jpg: broken picture"):
        prepare([media / "torn.jpg"], output, spread=Spread(1), report=False, progress=False)
    write_image(tmp_path / "walls" / "a.png", noise)
    with pytest.raises(InputError, match="none of 1 pictures shows a face"):
        prepare([tmp_path / "walls"], output, spread=Spread(1), report=False, progress=False)
    shutil.copy(tmp_path / "walls" / "a.png", tmp_path / "walls" / "wall.png")
    with pytest.raises(InputError, match=r"is called wall\.png, too"):
        prepare([media, tmp_path / "walls"], output)
    assert [file.name for file in tmp_path.iterdir()] == ["walls"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"every": 0}, "every=1 or more"),
        ({"size": 32}, "size=64 or more"),
        ({"faces": "some"}, "choose all, largest"),
        ({"identities": "name"}, "choose folder, track, cluster"),
        ({"val": 1.0}, "below 1"),
    ],
)
def test_settings_are_checked(option: dict, message: str):
    with pytest.raises(InputError, match=message):
        PrepareSettings(**option)


def test_the_page_stands_alone_and_tells_each_file(pack: Path):
    page = pack.with_suffix(".html").read_text()
    assert "http" not in page
    for name in ("torn.jpg", "wall.png", CLIP, PORTRAIT):
        assert name in page
    assert "broken picture" in page
    assert page.count('src="data:image/webp;base64,') >= 15  # five rows in three grids


def test_annotations_beside_the_media_are_used(samples: Path, tmp_path: Path):
    truth = np.load(samples / "portrait_woman.landmarks.npz")["landmarks68"][0].astype(np.float64)
    folder = tmp_path / "media"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        shutil.copy(samples / "portrait_woman.jpg", folder / name)
    lines = "\n".join(f"{x + 1} {y + 1}" for x, y in truth)
    (folder / "a.pts").write_text(f"version: 1\nn_points: 68\n{{\n{lines}\n}}\n")
    header = ",".join(f"x{n},y{n}" for n in range(68))
    values = ",".join(map(str, (truth[:, [0, 1]] + 40).ravel()))  # beside the face
    (folder / "labels.csv").write_text(f"path,identity,{header}\nb.jpg,berta,{values}\n")
    path = tmp_path / "faces.parquet"
    settings = PrepareSettings(duplicates=True)
    prepare([folder], path, settings, Spread(1), progress=False)
    rows = {row["key"]: row for row in pq.read_table(path).to_pylist()}
    assert {key: row["annotation"] for key, row in rows.items()} == {
        "a.jpg": "pts",
        "c.jpg": "encoder",
    }
    assert "uncertainty 1" in path.with_suffix(".html").read_text()  # what is beside the face
    row = rows["a.jpg"]
    points = np.array(row["landmarks68"]).reshape(68, 2)
    scale = row["scale"]
    assert scale == pytest.approx(192 / 1.7 / np.ptp(truth, axis=0).max())
    middle = (truth.min(0) + truth.max(0)) / 2
    np.testing.assert_allclose(points, (truth - middle) * scale + 95.5, atol=1e-3)
    assert 0 < row["uncertainty"] < 0.1  # where the encoder sees them otherwise
    unused = PrepareSettings(duplicates=True, annotations="none")
    prepare([folder], path, unused, Spread(1), progress=False)
    assert set(pq.read_table(path)["annotation"].to_pylist()) == {"encoder"}


def test_action_units_of_openface_are_taken_frame_by_frame(media: Path, tmp_path: Path):
    folder = tmp_path / "media"
    folder.mkdir()
    shutil.copy(media / CLIP, folder)
    names = ["frame", "confidence", "success", *COLUMNS]
    lines = [[frame, 0.9, 1, *[0.5 * frame] * 17] for frame in range(1, FRAMES + 1)]
    text = "\n".join(",".join(map(str, line)) for line in [names, *lines])
    (folder / "talking_man.csv").write_text(text)
    path = tmp_path / "faces.parquet"
    prepare([folder], path, PrepareSettings(every=EVERY), Spread(1), progress=False)
    table = pq.read_table(path)
    expected = [0.1 * (frame + 1) for frame in table["frame"].to_pylist()]
    np.testing.assert_allclose(
        [row[0] for row in table["action_units"].to_pylist()], expected, rtol=1e-5
    )
    assert len(expected) == 3


def test_two_at_once_do_not_disturb_each_other(media: Path, tmp_path: Path):
    path = tmp_path / "faces.parquet"
    with (
        held_alone(tmp_path / "faces.parts" / ".lock"),
        pytest.raises(InputError, match="is being made by another process"),
    ):
        prepare([media / "carl.jpg"], path, spread=Spread(1), report=False, progress=False)
    assert not path.exists()
    prepare([media / "carl.jpg"], path, spread=Spread(1), report=False, progress=False)
    assert [file.name for file in tmp_path.iterdir()] == ["faces.parquet"]
