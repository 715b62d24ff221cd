"""Photographs in and out, as uint8 RGB arrays."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path
from typing import NoReturn

import cv2
import numpy as np
import simplejpeg
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo

from xpress.errors import InputError
from xpress.media.label import Label
from xpress.whole_files import local_path, written_beside

MIN_SIDE = 16
"""Pixels; a shorter side cannot show a face."""

_STRIP = 512  # rows
_JPEG_SUFFIXES = (".jpg", ".jpeg")
_SAVE_OPTIONS: dict[str, dict] = {
    ".png": {"format": "PNG", "compress_level": 4},
    ".webp": {"format": "WEBP", "quality": 95},
}
_STORED: dict[int, tuple[bool, int | None]] = {
    2: (False, 1),
    3: (False, -1),
    4: (False, 0),
    5: (True, None),
    6: (True, 1),
    7: (True, -1),
    8: (True, 0),
}
"""By EXIF's orientation: whether rows and columns are exchanged, and OpenCV's code of the flip."""
_XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"  # XMP Specification Part 3, 2016, 1.1.3
IMAGE_SUFFIXES = (*_JPEG_SUFFIXES, *_SAVE_OPTIONS)
"""Suffixes that `write_image` knows; it reads whatever Pillow reads."""


def read_image(path: str | os.PathLike) -> UInt8[np.ndarray, "H W 3"]:
    """Read a photograph as it is meant to be seen.

    The EXIF orientation is applied, an embedded colour profile is converted to sRGB, grey,
    palette, CMYK and 16-bit pictures become 8-bit RGB, and alpha is laid over white. Of an
    animation the first picture is read.

    Raises:
        InputError: missing, no picture, broken, or a side below `MIN_SIDE`.
    """
    path = local_path(path)
    try:
        with warnings.catch_warnings():
            # Pillow's doubled limit still raises; below it large photographs are legitimate.
            warnings.simplefilter("ignore")
            with Image.open(path) as opened:
                pixels = _jpeg_pixels(opened, path)
                if pixels is None:
                    opened.load()
                    ImageOps.exif_transpose(opened, in_place=True)
                    pixels = _pixels(_to_srgb(opened))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; check the path") from error
    except IsADirectoryError as error:
        raise InputError(f"{path}: is a folder; name a picture in it") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{path}: too many pixels; scale the picture down") from error
    except Image.UnidentifiedImageError as error:
        raise InputError(f"{path}: not a picture; give a JPEG, PNG or WebP file") from error
    except Exception as error:  # Pillow's decoders have no common base
        raise InputError(
            f"{path}: broken picture ({_one_line(error)}); save or download it again"
        ) from error
    if min(pixels.shape[:2]) < MIN_SIDE:
        height, width = pixels.shape[:2]
        raise InputError(
            f"{path}: {width}x{height} pixels are too few for a face; "
            f"give a picture of at least {MIN_SIDE}x{MIN_SIDE}"
        )
    return pixels


def as_rgb(image: object, name: str = "picture") -> UInt8[np.ndarray, "H W 3"]:
    """An array that a caller gives, as RGB: grey is repeated, alpha is laid over white.

    Args:
        image: `uint8`, (H, W, 3); (H, W), (H, W, 1) and (H, W, 4) are unambiguous, too.
        name: for messages.

    Raises:
        InputError: anything else, such as floats, whose range nobody knows.
    """
    told = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise InputError(f"{name}: is {told}; give an RGB array, uint8, (H, W, 3)")
    if image.ndim == 2:
        image = image[..., None]
    if image.shape[2] not in (1, 3, 4) or min(image.shape[:2]) < MIN_SIDE:
        raise InputError(
            f"{name}: is {told}; give an RGB array, uint8, (H, W, 3), "
            f"of at least {MIN_SIDE}x{MIN_SIDE} pixels"
        )
    if image.shape[2] == 4:
        return np.array(_to_srgb(Image.fromarray(np.ascontiguousarray(image))))
    return np.ascontiguousarray(image if image.shape[2] == 3 else np.repeat(image, 3, axis=2))


def write_image(
    path: str | os.PathLike, image: UInt8[np.ndarray, "H W 3"], label: Label | None = None
) -> None:
    """Write JPEG (quality 95, full chroma), PNG (lossless) or WebP (quality 95) by suffix.

    Missing folders are made; the file appears only when it is complete.

    Args:
        path: output.
        image: RGB.
        label: what the file says of itself.

    Raises:
        InputError: another suffix, or the output cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in IMAGE_SUFFIXES:
        raise InputError(
            f"{path}: pictures are not written as {path.suffix or 'a file without suffix'!r}; "
            f"use {', '.join(IMAGE_SUFFIXES)}"
        )
    image = np.ascontiguousarray(image)
    with written_beside(path) as partial:
        if suffix in _JPEG_SUFFIXES:
            _write_jpeg(partial, image, label)
        else:
            options = _SAVE_OPTIONS[suffix]
            with io.BufferedWriter(_Unnumbered(partial, "w")) as file:
                metadata = _metadata(options["format"], label)
                Image.fromarray(image).save(file, **options, **metadata)
        if label is not None and label.sign is not None:
            label.sign(partial)


def _write_jpeg(path: Path, image: UInt8[np.ndarray, "H W 3"], label: Label | None) -> None:
    """From the array's own memory: Pillow would hold a second, larger copy of it."""
    content = simplejpeg.encode_jpeg(image, 95, "RGB", "444", fastdct=False)
    start = 2  # after the start of the image, and JFIF's segment, which has to be the first
    if content[2:4] == b"\xff\xe0":
        start += 2 + int.from_bytes(content[4:6], "big")
    with path.open("wb") as file:
        file.write(content[:start])
        if label is not None:
            segment = _XMP_SEGMENT + label.xmp
            file.write(b"\xff\xe1" + (2 + len(segment)).to_bytes(2, "big") + segment)
        file.write(memoryview(content)[start:])


class _Unnumbered(io.FileIO):
    """A file whose descriptor Pillow does not get: its encoders write there past Python, and take
    it for success when a disk that becomes full accepts but a part of the last piece.
    """

    def fileno(self) -> NoReturn:
        raise io.UnsupportedOperation("fileno")


def _metadata(kind: str, label: Label | None) -> dict:
    """Pillow's options that put the XMP where the format has a place for it."""
    if label is None:
        return {}
    if kind != "PNG":
        return {"xmp": label.xmp}
    chunks = PngInfo()
    chunks.add_itxt("XML:com.adobe.xmp", label.xmp.decode())
    return {"pnginfo": chunks}


def is_image(path: str | os.PathLike) -> bool:
    """Whether Pillow knows the content as a still picture; GIF animations count as video."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                return not (image.format == "GIF" and getattr(image, "n_frames", 1) > 1)
    except Image.DecompressionBombError:
        return True
    except Exception:  # whatever its plugins stumble over is no picture
        return False


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _to_srgb(image: Image.Image) -> Image.Image:
    """Any Pillow mode to RGB."""
    if image.mode.startswith("I") or image.mode == "F":
        return _deep_grey(image)
    image = _apply_profile(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _jpeg_pixels(opened: Image.Image, path: Path) -> UInt8[np.ndarray, "H W 3"] | None:
    """An ordinary JPEG decoded where it stays, in a third of the memory that Pillow needs.

    None where it has other colours than sRGB's, or is damaged: what can be mended of that, Pillow
    mends.
    """
    if opened.format not in ("JPEG", "MPO") or opened.mode != "RGB" or _own_profile(opened):
        return None
    orientation = opened.getexif().get(ExifTags.Base.Orientation, 1)
    try:
        pixels = simplejpeg.decode_jpeg(path.read_bytes(), "RGB")
    except ValueError:
        return None
    if pixels.shape != (opened.height, opened.width, 3):
        return None
    return _upright(pixels, orientation)


def _upright(pixels: UInt8[np.ndarray, "H W 3"], orientation: int) -> UInt8[np.ndarray, "H2 W2 3"]:
    """Undo what a camera did, by EXIF's number (CIPA DC-008, 4.6.4)."""
    transposed, flip = _STORED.get(orientation, (False, None))
    if transposed:
        pixels = cv2.transpose(pixels)
    return pixels if flip is None else cv2.flip(pixels, flip)


def _pixels(image: Image.Image) -> UInt8[np.ndarray, "H W 3"]:
    """An RGB image as an array, in strips: Pillow would hold a second copy of all of it."""
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _STRIP):
        bottom = min(top + _STRIP, height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, width, bottom)))
    return pixels


def _deep_grey(image: Image.Image) -> Image.Image:
    """16-bit grey, or float grey in [0, 1] or [0, 255]: Pillow's own conversion would clip."""
    values = np.asarray(image).astype(np.float64)
    if image.mode == "F":
        scale = 255.0 if values.max(initial=0.0) <= 1.0 else 1.0
    else:
        scale = 255.0 / 65535.0
    grey = np.clip(np.nan_to_num(values) * scale + 0.5, 0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _apply_profile(image: Image.Image) -> Image.Image:
    """Convert from the embedded ICC profile unless that is sRGB already or unusable."""
    source = _own_profile(image)
    if source is None:
        return image
    try:
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode=mode
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return image if converted is None else converted


def _own_profile(image: Image.Image) -> ImageCms.ImageCmsProfile | None:
    """The embedded ICC profile; None where it is sRGB or cannot be used."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return None if "srgb" in ImageCms.getProfileDescription(source).lower() else source
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
