from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from xpress.errors import InputError
from xpress.media.video import VideoReader

NTSC = Fraction(30000, 1001)


def _corners(image: np.ndarray) -> list[str]:
    """Names of the colours in the four quarters, row by row."""
    height, width = image.shape[:2]
    names = []
    for y in (height // 4, 3 * height // 4):
        for x in (width // 4, 3 * width // 4):
            pixel = image[y, x].astype(int)
            names.append("white" if pixel.min() > 150 else ("red", "green", "blue")[pixel.argmax()])
    return names


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi"])
def test_every_frame_in_order(clip, suffix):
    path = clip(f"clip{suffix}", frames=23, size=(64, 48))
    reader = VideoReader(path)
    frames = list(reader)
    assert (reader.size, reader.fps, reader.has_audio) == ((64, 48), 25, False)
    assert reader.frame_count == len(frames) == 23
    reds = [int(frame[:20, :28, 0].mean().round()) for frame in frames]
    assert np.abs(np.array(reds) - (220 - 2 * np.arange(23))).max() <= 3
    assert frames[0].dtype == np.uint8
    assert frames[0].flags.c_contiguous
    frames[0][:] = 0  # callers draw into frames
    assert len(list(reader)) == 23, "a reader can be iterated again"


@pytest.mark.parametrize("fps", [NTSC, Fraction(24000, 1001), Fraction(60), Fraction(25, 2)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_fractional_rates_and_times(clip, fps, suffix):
    reader = VideoReader(clip(f"clip{suffix}", frames=31, fps=fps))
    assert reader.fps == fps
    assert [time for time, _ in reader.timed()] == [n / fps for n in range(31)]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_variable_rate_keeps_times(clip, suffix):
    times = [0.0, 0.04, 0.08, 0.3, 0.31, 0.5, 1.0, 1.04]
    reader = VideoReader(clip(f"clip{suffix}", frames=8, times=times))
    found = [float(time) for time, _ in reader.timed()]
    assert np.abs(np.array(found) - times).max() <= 0.0011


TURNED = {
    # degrees anticlockwise that a player turns the stored picture by
    0: ["red", "green", "blue", "white"],
    90: ["green", "white", "red", "blue"],
    180: ["white", "blue", "green", "red"],
    270: ["blue", "red", "white", "green"],
}


@pytest.mark.parametrize("degrees", list(TURNED))
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_rotation_flag_is_applied(clip, degrees, suffix):
    path = clip(f"clip{suffix}", frames=3, rotation=degrees)
    with av.open(str(path)) as container:  # FFmpeg's own reading of the flag
        flag = next(container.decode(video=0)).rotation
    assert flag % 360 == degrees
    reader = VideoReader(path)
    frame = next(iter(reader))
    assert _corners(frame) == TURNED[degrees]
    assert reader.size == ((48, 64) if degrees in (90, 270) else (64, 48))
    assert frame.shape[1::-1] == reader.size
    assert frame.flags.c_contiguous


def test_matrix_bytes_of_a_phone(clip):
    """The `tkhd` matrix that phones held upright write: (0, 1, -1, 0), clockwise by 90°."""
    path = clip(frames=3)
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40  # version 0 layout, ISO 14496-12
    one, zero = (65536).to_bytes(4, "big"), bytes(4)
    minus = (-65536).to_bytes(4, "big", signed=True)
    height = (48 * 65536).to_bytes(4, "big")
    unity = (1 << 30).to_bytes(4, "big")
    data[matrix : matrix + 36] = b"".join([zero, one, zero, minus, zero, zero, height, zero, unity])
    path.write_bytes(data)
    assert _corners(next(iter(VideoReader(path)))) == ["blue", "red", "white", "green"]


def test_mirrored_flag(clip):
    assert _corners(next(iter(VideoReader(clip(frames=3, rotation=0, flip=True))))) == [
        "green",
        "red",
        "white",
        "blue",
    ]


@pytest.mark.parametrize(("size", "matrix"), [((64, 48), None), ((64, 48), 1), ((1280, 720), None)])
def test_colours_follow_the_matrix(clip, size, matrix):
    """Tagged or, by the size, assumed; the picture was made with the one that applies."""
    path = clip(frames=1, size=size, matrix=1 if size[0] == 1280 else matrix)
    frame = next(iter(VideoReader(path)))
    green = frame[size[1] // 4, 3 * size[0] // 4].astype(int)
    assert np.abs(green - [30, 200, 40]).max() <= 4


def test_odd_sizes_and_square_pixels(tmp_path: Path):
    path = tmp_path / "dv.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 37, 29, "yuv444p"
        stream.codec_context.sample_aspect_ratio = Fraction(2, 1)
        image = np.zeros((29, 37, 3), np.uint8)
        image[:, :18] = (250, 10, 10)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    reader = VideoReader(path)
    frame = next(iter(reader))
    assert reader.size == (74, 29)
    assert frame.shape == (29, 74, 3)
    assert frame[10, 20].tolist() == pytest.approx([250, 10, 10], abs=6)
    assert frame[10, 60].max() <= 6


def _refused(path: Path, words: str) -> str:
    with pytest.raises(InputError, match=words) as caught:
        list(VideoReader(path))
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_refuses_what_is_no_video(tmp_path: Path):
    _refused(tmp_path / "missing.mp4", "no such file")
    _refused(tmp_path, "folder")
    (tmp_path / "text.mp4").write_text("hello world\n" * 500)
    _refused(tmp_path / "text.mp4", "not a video")
    (tmp_path / "text.txt").write_text("hello world\n" * 500)
    _refused(tmp_path / "text.txt", "not a video|text file")
    (tmp_path / "empty.mp4").touch()
    _refused(tmp_path / "empty.mp4", "not a video")


def test_refuses_sound_alone(tmp_path: Path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    _refused(path, "no video stream")


def _cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    cut = path.with_name(f"cut{path.suffix}")
    cut.write_bytes(data[: int(len(data) * share)])
    return cut


def test_refuses_a_cut_mp4_without_index(clip):
    _refused(_cut(clip(frames=50), 0.6), "cut off before its index")


@pytest.mark.parametrize("share", [0.5, 0.9, 0.995])
def test_refuses_a_cut_mp4_with_index_at_once(clip, share):
    path = clip(frames=50, audio="aac", options={"movflags": "+faststart"})
    cut = _cut(path, share)
    with pytest.raises(InputError, match=r"cut off or corrupt after \d\.\d\d s.* download"):
        VideoReader(cut)


def test_refuses_cut_fragments(clip):
    path = clip(frames=50, options={"movflags": "frag_keyframe+empty_moov", "frag_duration": "1"})
    _refused(_cut(path, 0.6), "cut off")


def test_tells_where_a_stream_breaks_off(clip):
    path = clip("clip.mkv", frames=100)
    reader = VideoReader(_cut(path, 0.6))
    times: list[Fraction] = []
    with pytest.raises(InputError, match="cut off or corrupt after") as caught:
        times.extend(time for time, _ in reader.timed())
    told = float(str(caught.value).split("after ")[1].split(" s;")[0])
    assert 0 < len(times) < 100
    assert told == pytest.approx(float(times[-1]), abs=0.01)


def test_refuses_garbage_in_the_middle(clip):
    path = clip(frames=100, options={"movflags": "+faststart"})
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    middle = start + (len(data) - start) // 2
    data[middle : middle + 3000] = bytes([255]) * min(3000, len(data) - middle)
    path.write_bytes(data)
    _refused(path, "cut off or corrupt after")


def test_real_clips(samples: Path):
    for name, count, fps, sound in [
        ("talking_man.mp4", 125, 25, True),
        ("expressive_woman.mp4", 240, 30, False),
    ]:
        reader = VideoReader(samples / name)
        times = [time for time, _ in reader.timed()]
        assert (len(times), reader.frame_count) == (count, count)
        assert (reader.fps, reader.has_audio) == (fps, sound)
        assert times == [Fraction(n, fps) for n in range(count)]
