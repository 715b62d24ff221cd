from __future__ import annotations

import cv2
import numpy as np
import pytest

from xpress.errors import InputError
from xpress.packs import read_records
from xpress.packs.pixels import DecodedPixels, EncodedPixels, load_pixels


def test_decoded_and_encoded_agree(write_pack):
    records = read_records(write_pack(count=4))
    decoded, encoded = (load_pixels(records, cache)[1] for cache in ("decoded", "encoded"))
    assert isinstance(decoded, DecodedPixels)
    assert isinstance(encoded, EncodedPixels)
    for row, image in enumerate(records.images):
        reference = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert np.array_equal(decoded[row], reference)
        assert np.array_equal(encoded[row], reference)


def test_pictures_of_any_sizes_share_one_array(write_pack):
    images = [np.full((8 + i, 20 - i, 3), 30 * i, np.uint8) for i in range(3)]
    encoded = [cv2.imencode(".png", image)[1].tobytes() for image in images]
    _, pixels = load_pixels(read_records(write_pack(count=3, image=encoded)), "decoded")
    for row, image in enumerate(images):
        assert np.array_equal(pixels[row], image)
        assert np.shares_memory(pixels[row], pixels.buffer)


def test_broken_pictures_are_dropped_and_named_once(write_pack, caplog):
    path = write_pack(count=4)
    good = read_records(path)
    images = [good.images[0], b"no picture", good.images[2][:40], good.images[3]]
    records, pixels = load_pixels(read_records(write_pack(count=4, image=images)), "auto")
    assert records.keys == ["row/0", "row/3"]
    assert np.array_equal(records.landmarks68[1], good.landmarks68[3])
    assert pixels[1].shape == (144, 144, 3)
    assert caplog.messages == ["pack: skipped 2 broken images (first: row/1)"]


def test_nothing_but_broken_pictures_is_refused(write_pack):
    with pytest.raises(InputError, match="none of its 2 images"):
        load_pixels(read_records(write_pack(count=2, image=[b"a", b"b"])), "decoded")


def test_an_unknown_cache_mode_is_refused(write_pack):
    with pytest.raises(InputError, match="choose auto, decoded or encoded"):
        load_pixels(read_records(write_pack(count=1)), "disk")
