from __future__ import annotations

import errno
import resource
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from PIL import Image, ImageCms, ImageOps

from xpress.errors import InputError
from xpress.media.images import is_image, read_image, write_image


@pytest.fixture
def picture() -> np.ndarray:
    smooth = np.linspace(0, 255, 40 * 24 * 3).reshape(24, 40, 3)
    return np.ascontiguousarray(smooth[:, ::-1].astype(np.uint8))


# What a viewer must do for each EXIF orientation (CIPA DC-008, 4.6.4), written as what a camera
# did to the upright picture.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", list(STORED))
def test_exif_orientation_is_applied(tmp_path: Path, picture, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(STORED[orientation](picture))
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "a.png"), picture)


@pytest.mark.parametrize("orientation", list(STORED))
def test_jpegs_are_decoded_as_pillow_does(tmp_path: Path, samples, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    with Image.open(samples / "portrait_woman.jpg") as photo:
        photo.crop((0, 0, 400, 300)).save(tmp_path / "a.jpg", exif=exif, quality=90)
    with Image.open(tmp_path / "a.jpg") as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored))
    read = read_image(tmp_path / "a.jpg")
    assert read.flags.c_contiguous
    assert np.array_equal(read, expected)


def test_a_scratched_jpeg_is_mended_as_pillow_does(tmp_path: Path, samples):
    """The fast decoder takes whole files only."""
    content = bytearray((samples / "portrait_woman.jpg").read_bytes())
    content[len(content) // 2] ^= 0x55
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="JPEG"):
        simplejpeg.decode_jpeg(bytes(content), "RGB")
    with Image.open(path) as mended:
        assert np.array_equal(read_image(path), np.asarray(mended))


def test_the_profile_of_a_jpeg_is_converted(tmp_path: Path, picture):
    Image.fromarray(picture).save(tmp_path / "plain.jpg", quality=100, subsampling=0)
    Image.fromarray(picture).save(
        tmp_path / "swap.jpg", quality=100, subsampling=0, icc_profile=_swapped_profile()
    )
    plain, swapped = (read_image(tmp_path / f"{n}.jpg").astype(int) for n in ("plain", "swap"))
    assert np.abs(swapped - plain[..., [1, 0, 2]]).max() <= 3


def test_a_large_jpeg_takes_the_memory_of_its_pixels(tmp_path: Path):
    """In a process of its own, since peaks only rise: 48 megapixels are 144 MB."""
    path = tmp_path / "a.jpg"
    Image.new("RGB", (8000, 6000), "grey").save(path)
    code = (
        "import resource, sys; from xpress.media.images import read_image, write_image\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "before = peak(); image = read_image(sys.argv[1]); read = peak() - before\n"
        "write_image(sys.argv[1], image); print(read, peak() - before, image.nbytes >> 20)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    read, written, pixels = map(int, done.stdout.split())
    assert pixels == 137
    assert read < 1.3 * pixels
    assert written < 1.4 * pixels


def test_alpha_lies_over_white(tmp_path: Path, picture):
    alpha = np.zeros((24, 40, 1), np.uint8)
    alpha[:, 10:20], alpha[:, 20:] = 128, 255
    Image.fromarray(np.concatenate([picture, alpha], 2)).save(tmp_path / "a.png")
    read = read_image(tmp_path / "a.png").astype(float)
    expected = picture * (alpha / 255) + 255 * (1 - alpha / 255)
    assert np.abs(read - expected).max() <= 1


def test_transparent_palette(tmp_path: Path):
    image = Image.new("P", (20, 20), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(1, (10, 0, 20, 20))
    image.save(tmp_path / "a.png", transparency=0)
    read = read_image(tmp_path / "a.png")
    assert read[5, 5].tolist() == [255, 255, 255]
    assert read[5, 15].tolist() == [0, 0, 255]


@pytest.mark.parametrize("mode", ["L", "1", "LA", "CMYK"])
def test_other_modes_agree_with_rgb(tmp_path: Path, mode):
    grey = np.repeat(np.arange(24, dtype=np.uint8)[:, None] * 10, 40, 1)
    image = Image.fromarray(grey).convert("RGB" if mode == "CMYK" else "L").convert(mode)
    image.save(tmp_path / "a.tiff")
    read = read_image(tmp_path / "a.tiff")
    expected = np.asarray(image.convert("RGB"))
    assert read.shape == (24, 40, 3)
    assert np.abs(read.astype(int) - expected).max() <= 1


def test_deep_grey_keeps_its_levels(tmp_path: Path):
    deep = np.linspace(0, 65535, 24 * 40).reshape(24, 40).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "a.png")
    read = read_image(tmp_path / "a.png")
    assert np.abs(read[..., 0] - deep / 257.0).max() <= 0.51
    assert np.array_equal(read[..., 0], read[..., 2])


def test_float_grey(tmp_path: Path):
    values = np.linspace(0, 1, 24 * 40, dtype=np.float32).reshape(24, 40)
    Image.fromarray(values).save(tmp_path / "a.tiff")
    assert np.abs(read_image(tmp_path / "a.tiff")[..., 1] - values * 255).max() <= 0.51


def _swapped_profile() -> bytes:
    """SRGB with red and green primaries exchanged, under another name."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    places = {}
    for number in range(int.from_bytes(profile[128:132], "big")):
        entry = 132 + 12 * number
        places[bytes(profile[entry : entry + 4])] = slice(entry + 4, entry + 12)
    red, green = places[b"rXYZ"], places[b"gXYZ"]
    profile[red], profile[green] = profile[green], profile[red]
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be"))


def test_colour_profile_is_converted(tmp_path: Path, picture):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name, profile in [("srgb", srgb), ("swap", _swapped_profile()), ("broken", b"nothing")]:
        Image.fromarray(picture).save(tmp_path / f"{name}.png", icc_profile=profile)
    assert np.array_equal(read_image(tmp_path / "srgb.png"), picture)
    assert np.array_equal(read_image(tmp_path / "broken.png"), picture)
    swapped = read_image(tmp_path / "swap.png").astype(int)
    assert np.abs(swapped - picture[..., [1, 0, 2]]).max() <= 3


def _refused(path: Path, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_image(path)
    message = str(caught.value)
    assert path.name in message
    assert "\n" not in message


def test_refuses_what_is_no_photograph(tmp_path: Path, picture):
    _refused(tmp_path / "missing.jpg", "no such file")
    _refused(tmp_path, "folder")
    (tmp_path / "text.jpg").write_text("hello\n" * 100)
    _refused(tmp_path / "text.jpg", "not a picture")
    (tmp_path / "empty.png").touch()
    _refused(tmp_path / "empty.png", "not a picture")
    for size in [(1, 1), (15, 200)]:
        Image.new("RGB", size).save(tmp_path / "small.png")
        _refused(tmp_path / "small.png", f"{size[0]}x{size[1]}")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_refuses_a_truncated_picture(tmp_path: Path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    write_image(tmp_path / f"a{suffix}", noise)
    whole = (tmp_path / f"a{suffix}").read_bytes()
    (tmp_path / f"cut{suffix}").write_bytes(whole[: len(whole) // 2])
    _refused(tmp_path / f"cut{suffix}", "broken picture|not a picture")


def test_refuses_a_decompression_bomb(tmp_path: Path):
    side = 60_000
    content = b"\x89PNG\r\n\x1a\n"
    header = side.to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    for chunk in (b"IHDR" + header, b"IDAT" + zlib.compress(bytes(1000))):
        length = (len(chunk) - 4).to_bytes(4, "big")
        content += length + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(content)
    _refused(tmp_path / "bomb.png", "too many pixels")


@pytest.mark.parametrize(("suffix", "tolerance"), [(".png", 0), (".jpg", 4), (".webp", 6)])
def test_writes_what_it_was_given(tmp_path: Path, picture, suffix, tolerance):
    path = tmp_path / "new" / "folder" / f"out{suffix}"
    write_image(path, picture)
    with Image.open(path) as image:
        read = np.asarray(image.convert("RGB"))
    assert np.abs(read.astype(int) - picture).mean() <= tolerance
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_refuses_outputs(tmp_path: Path, picture):
    (tmp_path / "file").touch()
    for path, words in [
        (tmp_path / "a.bmp", r"\.jpg, \.jpeg, \.png, \.webp"),
        (tmp_path / "a", "without suffix"),
        (tmp_path / "file" / "a.png", "no folder"),
        (tmp_path, "not written as|folder"),
    ]:
        with pytest.raises(InputError, match=words):
            write_image(path, picture)
    (tmp_path / "dir.png").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        write_image(tmp_path / "dir.png", picture)
    with pytest.raises(InputError, match="cannot be written"):
        write_image("/proc/none/a.png", picture)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, picture, monkeypatch):
    write_image(tmp_path / "a.png", picture)
    before = (tmp_path / "a.png").read_bytes()

    def full(self, target, **_):
        target.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(InputError, match="No space left"):
        write_image(tmp_path / "a.png", picture[::-1])
    assert (tmp_path / "a.png").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_is_image_looks_at_the_content(tmp_path: Path):
    still, moving = Image.new("RGB", (20, 20)), Image.new("RGB", (20, 20), "red")
    still.save(tmp_path / "still.gif")
    still.save(tmp_path / "moving.gif", save_all=True, append_images=[moving])
    (tmp_path / "text.png").write_text("no")
    assert is_image(tmp_path / "still.gif")
    assert not is_image(tmp_path / "moving.gif")
    assert not is_image(tmp_path / "text.png")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_a_disk_that_fills_up_anywhere_is_told(tmp_path, suffix):
    """Also within the last piece, of which the system takes a part."""
    path = tmp_path / f"a{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    write_image(path, noise)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for missing in (1, 100, len(before) // 2, len(before)):
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) - missing, limits[1]))
        try:
            with pytest.raises(InputError, match="cannot be written"):
                write_image(path, noise)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert path.read_bytes() == before
        assert [file.name for file in tmp_path.iterdir()] == [path.name]
