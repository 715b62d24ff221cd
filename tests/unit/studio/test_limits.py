"""What is refused before it is decoded."""

import struct
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from xpress import InputError
from xpress.studio.limits import Limits, check_upload

LIMITS = Limits(frames=40, seconds=2)


def png_of(width, height):
    """A header that promises as many pixels, and no pixel."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def test_kinds_are_told_by_content(tmp_path, portrait, clip):
    photo, video = tmp_path / "photo.mp4", tmp_path / "video.jpg"
    photo.write_bytes(portrait)
    video.write_bytes(clip)
    recording = tmp_path / "params.npz"
    np.savez(recording, expression=np.zeros((2, 53)))
    found = [check_upload(path, LIMITS) for path in (photo, video, recording)]
    assert found == ["photo", "video", "recording"]


@pytest.mark.parametrize("kind", ["png", "webp", "bmp", "tiff", "gif"])
def test_pictures_of_every_format_are_photos(tmp_path, kind):
    path = tmp_path / f"photo.{kind}"
    Image.new("RGB", (40, 30), "red").save(path)
    assert check_upload(path, LIMITS) == "photo"


def test_a_picture_with_too_many_pixels_is_not_decoded(tmp_path):
    path = tmp_path / "wide.png"
    path.write_bytes(png_of(8000, 4000))
    with pytest.raises(InputError, match="8000×4000 pixels"):
        check_upload(path, LIMITS)
    path.write_bytes(png_of(60000, 60000))  # beyond Pillow's own bound, too
    with pytest.raises(InputError, match=r"60000×60000|too many pixels"):
        check_upload(path, LIMITS)


def test_a_recording_that_unpacks_to_much_is_not_unpacked(tmp_path):
    path = tmp_path / "params.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("expression.npy", bytes(80 << 20))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(InputError, match="80 MB unpacked"):
        check_upload(path, LIMITS)


def test_length_and_size_of_videos_are_bounded(tmp_path, clip):
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip)
    with pytest.raises(InputError, match="longer than"):
        check_upload(path, Limits(frames=5))
    with pytest.raises(InputError, match="longer than"):
        check_upload(path, Limits(seconds=0))
    with pytest.raises(InputError, match="512×512 pixels"):
        check_upload(path, Limits(frame_pixels=1000))


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{}'\n",
        "just a text about {}",
    ],
)
def test_lists_that_name_other_files_are_no_videos(tmp_path, clip, text):
    """FFmpeg would open what a playlist names; the file it names is a good video."""
    inside = tmp_path / "secret.mp4"
    inside.write_bytes(clip)
    path = tmp_path / "upload.mp4"
    path.write_text(text.format(inside))
    with pytest.raises(InputError, match="neither a photo nor a video"):
        check_upload(path, LIMITS)


def test_programs_that_pictures_start_are_not_asked(tmp_path):
    path = tmp_path / "drawing.jpg"
    path.write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\nshowpage\n"
    )
    with pytest.raises(InputError, match="neither a photo nor a video"):
        check_upload(path, LIMITS)


def test_nothing_else_loads_the_server():
    script = "import xpress.cli, xpress.commands.live, xpress.editing.expression_editor, sys; "
    script += "print({'fastapi', 'starlette', 'uvicorn', 'xpress.studio'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr
