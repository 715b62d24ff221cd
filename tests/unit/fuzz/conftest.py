"""How many inputs are tried, and real files to break."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

MUTATIONS = int(os.environ.get("XPRESS_FUZZ", "320"))
"""Broken files; `make fuzz` sets it."""

settings.register_profile(
    "xpress",
    max_examples=max(MUTATIONS // 8, 25),
    deadline=None,
    database=None,
    derandomize=True,  # the same inputs each time: a find is never lost
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("xpress")

SIDE, FRAMES = 96, 8
VIDEOS = {
    "h264.mp4": ("libx264", "aac", "yuv420p"),
    "h264.mkv": ("libx264", "aac", "yuv420p"),
    "h264.ts": ("libx264", "aac", "yuv420p"),
    "mpeg4.avi": ("mpeg4", "mp3", "yuv420p"),
    "vp9.webm": ("libvpx-vp9", "libopus", "yuv420p"),
    "mjpeg.mov": ("mjpeg", "pcm_s16le", "yuvj420p"),
}
PICTURES = ("a.jpg", "a.png", "a.webp", "a.gif", "a.tif", "a.bmp", "a.ppm")


def _frames(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        pictures = (f.to_image(width=SIDE, height=SIDE) for f in container.decode(video=0))
        return [np.array(picture) for picture, _ in zip(pictures, range(FRAMES), strict=False)]


def _video(path: Path, frames: list[np.ndarray]) -> None:
    video, audio, pixels = VIDEOS[path.name]
    with av.open(str(path), "w") as output:
        stream = output.add_stream(video, rate=25)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, pixels
        sound = output.add_stream(audio, rate=48000, layout="mono")
        for image in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        wave = np.sin(np.arange(48000 * FRAMES // 25) / 20)[None].astype(np.float32)
        tone = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        tone.sample_rate = 48000
        fifo = av.AudioFifo()
        fifo.write(tone)
        while (part := fifo.read(sound.codec_context.frame_size or 1024, partial=True)) is not None:
            output.mux(sound.encode(_as(part, sound.codec_context.format.name)))
        output.mux(stream.encode(None))
        output.mux(sound.encode(None))


def _as(part: av.AudioFrame, name: str) -> av.AudioFrame:
    if name == part.format.name:
        return part
    (converted,) = av.AudioResampler(format=name, layout="mono", rate=48000).resample(part)
    return converted


@pytest.fixture(scope="session")
def whole_files(samples: Path, repository: Path, tmp_path_factory) -> dict[str, bytes]:
    """Small copies of real clips and photographs in many formats, and the demo's recording."""
    folder = tmp_path_factory.mktemp("whole")
    frames = _frames(samples / "talking_man.mp4")
    for name in VIDEOS:
        _video(folder / name, frames)
    photo = Image.open(samples / "portrait_man.jpg").convert("RGB").resize((120, 100))
    photo.info.clear()
    for name in PICTURES:
        photo.save(folder / name)
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save(folder / "turned.jpg", exif=exif)
    photo.convert("RGBA").save(folder / "alpha.png")
    photo.convert("L").save(folder / "grey.png")
    photo.convert("CMYK").save(folder / "cmyk.jpg")
    recording = repository / "src" / "xpress" / "assets" / "demo" / "performance.npz"
    (folder / "demo.npz").write_bytes(recording.read_bytes())
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


Mutate = Callable[[bytes, np.random.Generator], bytes]


def _flip(data: bytes, generator: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for place in generator.integers(0, len(data), generator.integers(1, 40)):
        changed[place] = generator.integers(0, 256)
    return bytes(changed)


def _flip_header(data: bytes, generator: np.random.Generator) -> bytes:
    head = min(len(data), 400)
    return _flip(data[:head], generator) + data[head:]


def _cut(data: bytes, generator: np.random.Generator) -> bytes:
    return data[: generator.integers(0, len(data))]


def _remove(data: bytes, generator: np.random.Generator) -> bytes:
    start, stop = sorted(generator.integers(0, len(data), 2))
    return data[:start] + data[stop:]


def _repeat(data: bytes, generator: np.random.Generator) -> bytes:
    start, stop = sorted(generator.integers(0, len(data), 2))
    return data[:stop] + data[start:]


def _zeros(data: bytes, generator: np.random.Generator) -> bytes:
    start, stop = sorted(generator.integers(0, len(data), 2))
    return data[:start] + bytes(stop - start) + data[stop:]


def _extreme(data: bytes, generator: np.random.Generator) -> bytes:
    place = generator.integers(0, max(min(len(data), 2000) - 8, 1))
    values = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\1")
    return data[:place] + values[generator.integers(len(values))] + data[place + 4 :]


MUTATIONS_OF: tuple[Mutate, ...] = (_flip, _flip_header, _cut, _remove, _repeat, _zeros, _extreme)


@pytest.fixture(scope="session")
def broken_file(whole_files: dict[str, bytes]) -> Callable[[int], tuple[str, bytes]]:
    """The name and content of broken file number n: kinds of files and of damage take turns."""
    names = list(whole_files)

    def make(number: int) -> tuple[str, bytes]:
        name = names[number % len(names)]
        damage = MUTATIONS_OF[(number // len(names)) % len(MUTATIONS_OF)]
        return name, damage(whole_files[name], np.random.default_rng(number))

    return make
