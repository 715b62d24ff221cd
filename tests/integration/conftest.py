"""The commands as a user calls them, and short cuts of the sample clips."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import av
import pytest

Run = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="session")
def infer(repository: Path) -> Run:
    """Call `python infer.py` with arguments; the folder it runs in may be given."""
    if not (files("xpress") / "assets" / "encoder.onnx").is_file():
        pytest.skip("needs the encoder's weights in src/xpress/assets")

    def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default"}
        return subprocess.run(
            [sys.executable, str(repository / "infer.py"), *arguments],
            capture_output=True,
            text=True,
            timeout=300,
            cwd=cwd or repository,
            env=environment,
        )

    return run


@pytest.fixture(scope="session")
def short_clip(samples: Path, tmp_path_factory) -> Path:
    """The first 12 frames of a talking clip, re-encoded, with the sound of their time."""
    path = tmp_path_factory.mktemp("clips") / "short driver.mp4"
    with av.open(str(samples / "talking_man.mp4")) as source, av.open(str(path), "w") as output:
        picture = output.add_stream("libx264", rate=25, options={"crf": "12"})
        picture.width, picture.height, picture.pix_fmt = 512, 512, "yuv420p"
        sound = output.add_stream_from_template(source.streams.audio[0])
        packets = [p for p in source.demux(source.streams.audio[0]) if p.dts is not None]
        for packet in packets:
            if float(packet.pts * packet.time_base) < 0.48:
                packet.stream = sound
                output.mux(packet)
        source.seek(0)
        for number, frame in enumerate(source.decode(video=0)):
            if number == 12:
                break
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = number, picture.codec_context.time_base
            output.mux(picture.encode(frame))
        output.mux(picture.encode(None))
    return path
