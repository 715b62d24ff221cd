"""Media files written with PyAV alone, so that they can judge our reader and writer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

Clip = Callable[..., Path]


def quadrants(number: int, width: int = 64, height: int = 48) -> np.ndarray:
    """Red, green, blue and white quarters (no symmetry); the red one darkens with `number`."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = (max(220 - 2 * number, 0), 30, 30)
    image[: height // 2, width // 2 :] = (30, 200, 40)
    image[height // 2 :, : width // 2] = (40, 50, 210)
    image[height // 2 :, width // 2 :] = (235, 235, 235)
    return image


def sweep(seconds: float, rate: int) -> list[av.AudioFrame]:
    """A mono tone rising from 300 Hz by 300 Hz a second, so that no two moments sound alike."""
    time = np.arange(int(seconds * rate)) / rate
    tone = (0.4 * np.sin(2 * np.pi * (300 + 150 * time) * time)).astype(np.float32)
    frames = []
    for start in range(0, len(tone), 1024):
        block = tone[None, start : start + 1024]
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        frames.append(frame)
    return frames


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    """Return a function that writes a video of `quadrants`."""

    def write(
        name: str = "clip.mp4",
        frames: int = 20,
        fps: Fraction = Fraction(25),
        size: tuple[int, int] = (64, 48),
        times: Sequence[float] | None = None,
        audio: str | None = None,
        audio_seconds: float | None = None,
        rotation: float | None = None,
        flip: bool = False,
        options: dict[str, str] | None = None,
        matrix: int | None = None,
        audio_rate: int = 48000,
    ) -> Path:
        path = tmp_path / name
        # AVI knows nothing but a constant rate
        tick = 1 / fps if path.suffix == ".avi" else Fraction(1, fps.numerator * 1000)
        with av.open(str(path), "w", options=options or {}) as container:
            stream = container.add_stream("libx264", rate=fps, options={"crf": "10"})
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            stream.codec_context.time_base = tick
            if matrix is not None:
                stream.codec_context.colorspace = matrix
            if rotation is not None:
                stream.set_display_rotation(rotation, hflip=flip)
            sound = None
            if audio is not None:
                sound = container.add_stream(audio, rate=audio_rate, layout="mono")
                for block in sweep(audio_seconds or frames / float(fps), audio_rate):
                    container.mux(sound.encode(block))
            for number in range(frames):
                time = Fraction(times[number]) if times is not None else number / fps
                frame = av.VideoFrame.from_ndarray(quadrants(number, *size), format="rgb24")
                frame = frame.reformat(format="yuv420p", dst_colorspace=1 if matrix == 1 else 5)
                frame.pts, frame.time_base = round(time / tick), tick
                frame.duration = round(1 / fps / tick)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
            if sound is not None:
                container.mux(sound.encode(None))
        return path

    return write


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of real clips, which does not travel with the package."""
    folder = Path(__file__).parents[4] / "shared" / "data" / "samples"
    if not folder.is_dir():
        pytest.skip("the sample clips are not on this machine (../shared/data/samples)")
    return folder
