"""Broken files give what is whole in them, or one clear line."""

from __future__ import annotations

import os
import traceback
from itertools import pairwise

import numpy as np
import pytest

from xpress.errors import InputError
from xpress.media.sources import ImageSource, ParameterSource, VideoSource, open_source
from xpress.media.video import VideoReader, VideoWriter

MUTATIONS = int(os.environ.get("XPRESS_FUZZ", "320"))
FOUND = (3671,)
"""Numbers beyond those of `make test` that once ended badly."""
PARTS = 8
SOUNDING = ("h264", "mpeg4", "vp9", "mjpeg")


def read_all(path) -> None:
    """Read a file as the commands do and check that what comes is what they expect."""
    with open_source(path) as source:
        if isinstance(source, ImageSource):
            assert source.image.dtype == np.uint8
            assert source.image.shape[2:] == (3,)
            assert source.image.shape[1::-1] == source.size
        elif isinstance(source, ParameterSource):
            assert all(np.isfinite(v).all() for v in vars(source.parameters).values())
            assert source.fps > 0
        else:
            assert isinstance(source, VideoSource)
            times = []
            for time, frame in source.timed():
                assert frame.shape == (*source.size[::-1], 3)
                times.append(time)
            assert times[0] == 0
            assert all(a < b for a, b in pairwise(times))


def copy_sound(path) -> None:
    """Keep a file's sound beside a picture of our own."""
    output = path.with_name("sound.mp4")
    with VideoWriter(output, 25, (32, 32), audio_from=path) as writer:
        writer.write(np.zeros((32, 32, 3), np.uint8))
    assert len(list(VideoReader(output))) == 1
    output.unlink()


@pytest.mark.filterwarnings("default")  # decoders may warn of what they mend
@pytest.mark.parametrize("part", range(PARTS))
def test_broken_files_are_read_or_told(broken_file, tmp_path, part):
    failed = []
    more = [number for number in FOUND if number >= MUTATIONS and number % PARTS == part]
    for number in (*range(part, MUTATIONS, PARTS), *more):
        name, content = broken_file(number)
        path = tmp_path / name
        path.write_bytes(content)
        for attempt in (
            (read_all, copy_sound) if name.partition(".")[0] in SOUNDING else (read_all,)
        ):
            try:
                attempt(path)
            except InputError as error:
                if len(str(error).splitlines()) != 1 or name not in str(error):
                    failed.append(f"{number}, {attempt.__name__} {name}: told {error}")
            except BaseException as error:
                last = traceback.extract_tb(error.__traceback__)[-1]
                failed.append(f"{number}, {attempt.__name__} {name}: {error!r} at {last}")
        path.unlink()
        failed += [f"{number}, {name}: left {place.name}" for place in tmp_path.iterdir()]
        for place in tmp_path.iterdir():
            place.unlink()
    assert not failed, "\n".join(failed)


def test_whole_files_are_read(whole_files, tmp_path):
    """So that the others are refused for their damage."""
    for name, content in whole_files.items():
        (tmp_path / name).write_bytes(content)
        read_all(tmp_path / name)
