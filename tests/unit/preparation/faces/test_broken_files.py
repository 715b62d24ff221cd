"""Whatever lies in a folder: each file gets a line, and what shows a face gives it."""

from __future__ import annotations

import html
import re
import struct
import zlib
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from xpress.media.images import read_image
from xpress.media.video import VideoReader, VideoWriter
from xpress.preparation.faces.prepare import Spread, prepare
from xpress.preparation.faces.settings import PrepareSettings

SIDE = 256
GOOD = {
    "png named.jpg",
    "jpeg named.mp4",
    "deep grey.png",
    "deep colour.png",
    "cmyk.jpg",
    "animated.gif",
    "animated.webp",
    "variable rate.mp4",
    "rotated.jpg",
    "rotated.mp4",
    "palette.png",
    "grey.jpg",
    "float.tif",
    "profile.jpg",
    "half transparent.png",
}
"""They show a face, whatever is odd about them."""
TOLD = {
    "zero.jpg": "not a picture",
    "zero.mp4": "not a video",
    "cut.jpg": "broken picture",
    "cut.png": "broken picture",
    "cut.mp4": "cut off or corrupt",
    "no index.mp4": "not a video",
    "text.jpg": "not a picture",
    "text.mp4": "not a video",
    "noise.webp": "not a picture",
    "bomb.png": "too many pixels",
    "strip.png": "too few for a face",
    "dot.png": "too few for a face",
    "sound.mp4": "no video stream",
    "no face.png": "no face in 1 pictures",
    "small face.png": "size 1",
    "video named.jpg": "not a picture",
}
"""What the line of the others says."""


def write_clip(path: Path, frames: list[np.ndarray]) -> None:
    with VideoWriter(path, 25, (SIDE, SIDE)) as writer:
        for frame in frames:
            writer.write(frame)


def variable(path: Path, frames: list[np.ndarray]) -> None:
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=30)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, "rgb24")
            picture.pts, picture.time_base = number * number * 37, Fraction(1, 1000)
            output.mux(stream.encode(picture))
        output.mux(stream.encode())


def sound(path: Path) -> None:
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 44100, 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode())


def turned(clip: bytes) -> bytes:
    """With the track's display matrix of a quarter turn."""
    identity = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    quarter = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, SIDE << 16, 0, 1 << 30)
    track = clip.index(b"tkhd")
    place = clip.index(identity, track)
    return clip[:place] + quarter + clip[place + len(identity) :]


def png_header(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [header, b"IDAT" + zlib.compress(bytes(1000))]
    made = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)


@pytest.fixture(scope="module")
def folder(samples: Path, tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("odd")
    face = read_image(samples / "portrait_man.jpg")
    face = cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    picture, grey = Image.fromarray(face), Image.fromarray(face).convert("L")
    frames = [
        cv2.resize(f, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        for f in islice(VideoReader(samples / "talking_man.mp4"), 8)
    ]
    stills = [Image.fromarray(frame) for frame in frames[:4]]

    def name(text: str) -> Path:
        return place / text

    picture.save(name("png named.jpg"), "PNG")
    picture.save(name("jpeg named.mp4"), "JPEG")
    deep = np.asarray(grey).astype(np.uint16) * 257
    cv2.imwrite(str(name("deep grey.png")), deep)
    cv2.imwrite(str(name("deep colour.png")), face[..., ::-1].astype(np.uint16) * 257)
    picture.convert("CMYK").save(name("cmyk.jpg"))
    for odd in ("animated.gif", "animated.webp"):
        stills[0].save(name(odd), save_all=True, append_images=stills[1:], duration=40)
    variable(name("variable rate.mp4"), frames)
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.rotate(90, expand=True).save(name("rotated.jpg"), exif=exif)
    write_clip(name("straight.mp4"), [np.ascontiguousarray(np.rot90(f)) for f in frames[:4]])
    name("rotated.mp4").write_bytes(turned(name("straight.mp4").read_bytes()))
    name("straight.mp4").unlink()
    picture.convert("P").save(name("palette.png"), transparency=0)
    grey.save(name("grey.jpg"))
    Image.fromarray(np.asarray(grey, np.float32) / 255).save(name("float.tif"))
    picture.save(name("profile.jpg"), icc_profile=b"no profile")
    picture.putalpha(grey.point(lambda value: 255 - value // 4))
    picture.save(name("half transparent.png"))
    whole = {suffix: name(f"whole.{suffix}") for suffix in ("jpg", "png", "mp4")}
    Image.fromarray(face).save(whole["jpg"])
    Image.fromarray(face).save(whole["png"])
    write_clip(whole["mp4"], frames)
    for suffix, path in whole.items():
        content = path.read_bytes()
        name(f"cut.{suffix}").write_bytes(content[: len(content) * 2 // 3])
        path.unlink()
        if suffix == "mp4":
            name("no index.mp4").write_bytes(content[: content.index(b"moov")])
            name("video named.jpg").write_bytes(content)
    for suffix in ("jpg", "mp4"):
        name(f"zero.{suffix}").touch()
        name(f"text.{suffix}").write_text("my holidays")
    name("noise.webp").write_bytes(np.random.default_rng(0).bytes(5000))
    name("bomb.png").write_bytes(png_header(60_000, 60_000))
    Image.new("RGB", (10_000, 10)).save(name("strip.png"))
    Image.new("RGB", (1, 1)).save(name("dot.png"))
    sound(name("sound.mp4"))
    Image.effect_noise((SIDE, SIDE), 60).convert("RGB").save(name("no face.png"))
    small = Image.new("RGB", (SIDE, SIDE), (90, 120, 90))
    small.paste(Image.fromarray(face).resize((84, 84)), (80, 80))
    small.save(name("small face.png"))
    return place


@pytest.fixture(scope="module")
def lines(folder: Path, tmp_path_factory) -> dict[str, str]:
    """The page's line about each file."""
    output = tmp_path_factory.mktemp("pack") / "faces.parquet"
    settings = PrepareSettings(every=3, duplicates=True)
    prepare([folder], output, settings, Spread(1), progress=False)
    rows = re.findall(
        r"<tr><td>([^<]*)</td><td>([^<]*)</td></tr>", output.with_suffix(".html").read_text()
    )
    told = {html.unescape(file): html.unescape(line) for file, line in rows}
    told["pack"] = " ".join(sorted(set(pq.read_table(output)["source"].to_pylist())))
    return told


def test_there_are_enough_of_them(folder: Path):
    assert {path.name for path in folder.iterdir()} == GOOD | TOLD.keys()
    assert len(GOOD | TOLD.keys()) >= 25


@pytest.mark.parametrize("name", sorted(GOOD))
def test_odd_files_that_show_a_face_give_it(lines: dict[str, str], name: str):
    kept, found = map(int, re.match(r"(\d+) of (\d+) faces", lines[name]).groups())  # type: ignore[union-attr]
    assert kept == found > 0
    assert name in lines["pack"]


@pytest.mark.parametrize("name", sorted(TOLD))
def test_the_others_are_told_why_not(lines: dict[str, str], name: str):
    assert TOLD[name] in lines[name]
    assert "\n" not in lines[name]
