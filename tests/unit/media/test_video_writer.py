from __future__ import annotations

import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from xpress.errors import InputError
from xpress.media.video import VideoReader, VideoWriter
from xpress.whole_files import PartialOutput

NTSC = Fraction(30000, 1001)


def _flat(color: tuple[int, int, int], size: tuple[int, int] = (64, 48)) -> np.ndarray:
    return np.full((size[1], size[0], 3), color, np.uint8)


def _write(path: Path, count: int = 12, fps: Fraction | float = Fraction(25), **options) -> Path:
    with VideoWriter(path, fps, (64, 48), **options) as writer:
        for number in range(count):
            writer.write(_flat((10 * (number % 20), 90, 120)))
    return path


def _packets(path: Path, kind: str) -> list[bytes]:
    with av.open(str(path)) as container:
        stream = container.streams.get(**{kind: 0})[0]
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


def _tone(path: Path) -> tuple[np.ndarray, int]:
    """The sound from the first picture on, decoded by FFmpeg alone."""
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0)).time
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    rate = frames[0].sample_rate
    blocks = [frame.to_ndarray().astype(float).mean(0) for frame in frames]
    samples = np.concatenate(blocks)
    late = round((frames[0].time - picture) * rate)
    return np.concatenate([np.zeros(max(late, 0)), samples[max(-late, 0) :]]), rate


def _lag(before: np.ndarray, after: np.ndarray) -> tuple[int, float]:
    """By how many samples `after` is late, and how alike the two then are (a cosine)."""
    count = min(len(before), len(after))
    a, b = before[:count], after[:count]
    spectrum = np.conj(np.fft.rfft(a, 2 * count)) * np.fft.rfft(b, 2 * count)
    likeness = np.fft.irfft(spectrum) / np.sqrt(np.dot(a, a) * np.dot(b, b))
    lag = int(likeness.argmax())
    return lag - 2 * count if lag > count else lag, float(likeness.max())


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("fps", [Fraction(25), NTSC, 29.97, 60, Fraction(15, 2)])
def test_count_rate_and_times(tmp_path: Path, suffix, fps):
    path = _write(tmp_path / f"out{suffix}", 31, fps)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        rate = Fraction(fps).limit_denominator(100_000)
        assert abs(stream.average_rate - rate) < Fraction(1, 1000)
        frames = list(container.decode(stream))
    assert len(frames) == 31
    times = np.array([float(frame.time - frames[0].time) for frame in frames])
    assert np.abs(times - np.arange(31) / float(rate)).max() < 0.001
    if suffix != ".mkv":  # Matroska counts milliseconds
        assert frames[0].time == 0
        assert VideoReader(path).fps == rate


def test_index_comes_first(tmp_path: Path):
    data = _write(tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


COLORS = [(220, 40, 30), (30, 190, 50), (40, 60, 210), (196, 146, 120), (128, 128, 128), (8, 8, 8)]


@pytest.mark.parametrize(("size", "matrix"), [((64, 48), 6), ((1280, 720), 1)])
@pytest.mark.parametrize("color", COLORS)
def test_colours_survive_and_tags_say_how(tmp_path: Path, size, matrix, color):
    path = tmp_path / "out.mp4"
    with VideoWriter(path, 25, size, crf=5) as writer:
        writer.write(_flat(color, size))
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_range) == (matrix, 1)
        assert (context.color_primaries, context.color_trc) == (1, 1)
        planes = next(container.decode(video=0)).to_ndarray()
    # ITU-R BT.601 / BT.709, limited range
    kr, kb = (0.299, 0.114) if matrix == 6 else (0.2126, 0.0722)
    luma = np.dot(color, [kr, 1 - kr - kb, kb]) / 255
    expected = [
        16 + 219 * luma,
        128 + 112 * (color[2] / 255 - luma) / (1 - kb),
        128 + 112 * (color[0] / 255 - luma) / (1 - kr),
    ]
    area = size[0] * size[1]
    flat = planes.reshape(-1)
    found = [flat[:area].mean(), flat[area : area * 5 // 4].mean(), flat[area * 5 // 4 :].mean()]
    assert found == pytest.approx(expected, abs=1.0)
    read = next(iter(VideoReader(path)))
    assert np.abs(read.reshape(-1, 3).mean(0) - color).max() <= 2.5


def test_many_generations_do_not_darken(tmp_path: Path):
    """A conversion that rounds downwards shows after a few copies."""
    y, x = np.mgrid[:48, :64]
    image = np.stack([60 + 2 * x, 50 + 3 * y, 90 + x + y], 2).astype(np.uint8)
    frame = image
    for generation in range(5):
        path = tmp_path / f"{generation}.mp4"
        with VideoWriter(path, 25, (64, 48), crf=3) as writer:
            writer.write(frame)
        frame = next(iter(VideoReader(path)))
    assert np.abs((frame.astype(float) - image).mean((0, 1))).max() < 0.6


def test_odd_sizes_repeat_the_border(tmp_path: Path):
    image = np.zeros((29, 37, 3), np.uint8)
    image[:, -3:] = (240, 240, 240)
    image[-3:] = (240, 240, 240)
    with VideoWriter(tmp_path / "out.mp4", 25, (37, 29), crf=5) as writer:
        writer.write(image)
    read = next(iter(VideoReader(tmp_path / "out.mp4")))
    assert read.shape == (30, 38, 3)
    assert read[:, 37].min() > 225
    assert read[29].min() > 225


def test_variable_rate_keeps_times(clip, tmp_path: Path):
    times = [0.0, 0.04, 0.08, 0.3, 0.31, 0.5, 1.0, 1.04]
    reader = VideoReader(clip(frames=8, times=times))
    with VideoWriter(tmp_path / "out.mp4", reader.fps, reader.size) as writer:
        for time, frame in reader.timed():
            writer.write(frame, time)
    with av.open(str(tmp_path / "out.mp4")) as container:
        found = [float(frame.time) for frame in container.decode(video=0)]
    assert np.abs(np.array(found) - times).max() <= 1e-4


def test_times_that_do_not_rise_still_give_every_frame(tmp_path: Path):
    with VideoWriter(tmp_path / "out.mp4", 25, (64, 48)) as writer:
        for time in (0, 0.1, 0.1, 0.05, 0.2):
            writer.write(_flat((9, 9, 9)), time)
    found = [time for time, _ in VideoReader(tmp_path / "out.mp4").timed()]
    assert len(found) == 5
    assert found == sorted(set(found))


@pytest.mark.parametrize(
    ("codec", "origin", "suffix", "kept"),
    [
        ("aac", ".mp4", ".mp4", "aac"),
        ("aac", ".mp4", ".mov", "aac"),
        ("aac", ".mov", ".mkv", "aac"),
        ("libmp3lame", ".mp4", ".mp4", "mp3float"),
        ("libmp3lame", ".avi", ".mp4", "mp3float"),
        ("libopus", ".mkv", ".mp4", "libopus|opus"),
        ("pcm_s16le", ".mov", ".mov", "pcm_s16le"),
        ("pcm_s16le", ".mov", ".mp4", None),
        ("flac", ".mkv", ".mp4", None),
        ("flac", ".mkv", ".mkv", "flac"),
    ],
)
def test_sound_is_kept(clip, tmp_path: Path, codec, origin, suffix, kept):
    source = clip(f"source{origin}", frames=50, audio=codec)
    path = _write(tmp_path / f"out{suffix}", 50, audio_from=source)
    with av.open(str(path)) as container:
        name = container.streams.audio[0].codec_context.name
    if kept is None:
        assert name == "aac"
    else:
        assert name in kept.split("|")
        copied, original = _packets(path, "audio"), _packets(source, "audio")
        # what sounds before the first picture goes: in AVI that is one frame late
        assert len(original) - len(copied) <= (2 if origin == ".avi" else 0)
        assert copied == original[-len(copied) :]
    (before, rate), (after, rate_after) = _tone(source), _tone(path)
    assert rate == rate_after
    assert abs(len(after) - len(before)) <= 2048
    lag, likeness = _lag(before, after)
    tick = 0.001 if ".mkv" in (origin, suffix) else 0.0001  # Matroska counts milliseconds
    assert abs(lag) / rate <= tick
    assert likeness > 0.97


@pytest.mark.parametrize("seconds", [0.6, 4.0])
def test_sound_of_another_length_is_kept_whole(clip, tmp_path: Path, seconds):
    source = clip(frames=50, audio="aac", audio_seconds=seconds)
    path = _write(tmp_path / "out.mp4", 50, audio_from=source)
    assert _packets(path, "audio") == _packets(source, "audio")
    assert VideoReader(path).frame_count == 50


def test_sound_counts_from_the_first_picture(clip, tmp_path: Path):
    """A source whose pictures begin 0.4 s after its sound loses those 0.4 s of sound."""
    times = 0.4 + np.arange(50) / 25
    source = clip("late.mkv", frames=50, times=times.tolist(), audio="pcm_s16le", audio_seconds=2.4)
    path = _write(tmp_path / "out.mkv", 50, audio_from=source)
    (before, rate), (after, _) = _tone(source), _tone(path)
    lag, likeness = _lag(before, after)
    assert abs(lag) / rate <= 0.001  # Matroska's tick
    assert likeness > 0.97


def test_sound_alone_and_no_sound(clip, tmp_path: Path):
    silent = _write(tmp_path / "out.mp4", audio_from=clip(frames=5))
    assert not VideoReader(silent).has_audio
    song = tmp_path / "song.wav"
    with av.open(str(song), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=11000, layout="stereo")
        samples = np.zeros((1, 2 * 11000), np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.sample_rate = 11000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    path = _write(tmp_path / "song.mp4", 25, audio_from=song)  # AAC has no rate of 11000 Hz
    with av.open(str(path)) as container:
        sound = container.streams.audio[0]
        assert (sound.codec_context.name, sound.rate) == ("aac", 48000)
        assert float(sound.duration * sound.time_base) == pytest.approx(1.0, abs=0.05)


def test_sound_runs_in_step_with_the_pictures(clip, tmp_path: Path):
    source = clip(frames=200, audio="aac")
    path = _write(tmp_path / "out.mp4", 200, audio_from=source)
    with av.open(str(path)) as container:
        reached = {"video": 0.0, "audio": 0.0}
        for packet in container.demux():
            if packet.dts is not None:
                reached[packet.stream.type] = float(packet.dts * packet.time_base)
                assert abs(reached["video"] - reached["audio"]) < 1.5


def test_an_error_leaves_nothing(tmp_path: Path):
    def broken() -> None:
        with VideoWriter(tmp_path / "out.mp4", 25, (64, 48)) as writer:
            writer.write(_flat((1, 2, 3)))
            (partial,) = tmp_path.iterdir()
            assert partial.name.startswith(".out.")
            assert partial.suffix == ".mp4"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_the_old_file(tmp_path: Path):
    before = _write(tmp_path / "out.mp4").read_bytes()
    writer = VideoWriter(tmp_path / "out.mp4", 25, (64, 48))
    writer.write(_flat((1, 2, 3)))
    writer.abort()
    writer.abort()
    assert (tmp_path / "out.mp4").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_no_frame_is_an_error(tmp_path: Path):
    with pytest.raises(InputError, match="no frame"):
        _write(tmp_path / "out.mp4", 0)
    assert list(tmp_path.iterdir()) == []


def test_may_replace_its_own_source(clip):
    source = clip(frames=30, audio="aac")
    sound = _packets(source, "audio")
    reader = VideoReader(source)
    with VideoWriter(source, reader.fps, reader.size, audio_from=source) as writer:
        for time, frame in reader.timed():
            writer.write(255 - frame, time)
    assert VideoReader(source).frame_count == 30
    assert _packets(source, "audio") == sound


def test_refuses(tmp_path: Path):
    (tmp_path / "file").touch()
    for path, words in [
        (tmp_path / "out.avi", r"\.mp4, \.mov, \.mkv"),
        (tmp_path / "out", "without suffix"),
        (tmp_path / "file" / "out.mp4", "no folder"),
        (Path("/proc/none/out.mp4"), "cannot be written"),
    ]:
        with pytest.raises(InputError, match=words):
            VideoWriter(path, 25, (64, 48))
    with pytest.raises(InputError, match=r"missing\.mp4: no such file"):
        VideoWriter(tmp_path / "out.mp4", 25, (64, 48), audio_from=tmp_path / "missing.mp4")
    (tmp_path / "text.mp4").write_text("hello\n" * 100)
    with pytest.raises(InputError, match=r"text\.mp4: not a video or sound file"):
        VideoWriter(tmp_path / "out.mp4", 25, (64, 48), audio_from=tmp_path / "text.mp4")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "text.mp4"]
    writer = VideoWriter(tmp_path / "out.mp4", 25, (64, 48))
    with pytest.raises(ValueError, match="size"):
        writer.write(_flat((0, 0, 0), (32, 48)))
    writer.abort()


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")

    def on_a_full_disk(partial: PartialOutput):
        (tmp_path / ".full.mkv").symlink_to("/dev/full")
        return tmp_path / ".full.mkv", None

    monkeypatch.setattr(PartialOutput, "_claim", on_a_full_disk)
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)

    def fill() -> None:
        with VideoWriter(tmp_path / "out.mkv", 25, (640, 480)) as writer:
            for _ in range(40):
                writer.write(noise)

    with pytest.raises(InputError, match="No space left"):
        fill()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_memory_does_not_grow(clip, tmp_path: Path):
    """Python's own memory; FFmpeg's queues are bounded by its thread and lookahead counts."""

    def peak(count: int) -> int:
        source = clip(f"{count}.mp4", frames=min(count, 100), audio="aac")
        tracemalloc.start()
        with VideoWriter(tmp_path / "out.mp4", 25, (64, 48), audio_from=source) as writer:
            for _ in range(max(count // 100, 1)):
                for frame in VideoReader(source):
                    writer.write(frame)
        high = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return high

    peak(100)
    assert peak(1500) < peak(100) + 500_000


def test_real_clip_with_its_sound(samples: Path, tmp_path: Path):
    source = samples / "talking_man.mp4"
    reader = VideoReader(source)
    with VideoWriter(tmp_path / "out.mp4", reader.fps, reader.size, audio_from=source) as writer:
        for time, frame in reader.timed():
            writer.write(frame, time)
    copy = VideoReader(tmp_path / "out.mp4")
    assert (copy.fps, copy.frame_count, copy.duration) == (25, 125, reader.duration)
    assert _packets(tmp_path / "out.mp4", "audio") == _packets(source, "audio")
    for a, b in zip(reader, copy, strict=True):
        assert np.abs(a.astype(np.int16) - b).mean() < 2.5
