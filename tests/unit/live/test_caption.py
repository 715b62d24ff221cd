"""Words over a picture."""

import numpy as np
import pytest

from xpress.live.caption import captioned


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_words_can_be_read_on_any_picture_and_the_picture_stays(grey):
    image = np.full((300, 500, 3), grey, np.uint8)
    drawn = captioned(image, ["25 frames a second"], ["q quit"])
    assert (image == grey).all()
    changed = (drawn != grey).any(-1)
    assert changed[:60].any()
    assert changed[-60:].any()
    assert not changed[100:200].any()
    letters = drawn[:60][changed[:60]].astype(int).mean(-1)
    assert np.ptp([*letters, grey]) > 120


def test_the_rim_is_where_the_letters_are():
    drawn = captioned(np.full((100, 900, 3), 128, np.uint8), ["w" * 40])
    light = np.flatnonzero((drawn > 200).all(-1).any(0))
    dark = np.flatnonzero((drawn < 60).all(-1).any(0))
    assert abs(light.max() - dark.max()) <= 3
