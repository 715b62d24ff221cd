"""A photograph that lives without a driver."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from xpress.commands.idle import idle
from xpress.errors import InputError
from xpress.media.images import write_image
from xpress.media.video import VideoReader, VideoWriter
from xpress.structures import FaceParameters


@pytest.fixture
def photo(tmp_path: Path, world) -> Path:
    path = tmp_path / "photo.png"
    write_image(path, world.frame((80.0, 90.0, 0.0, 0)))
    return path


@pytest.mark.parametrize("seconds", [0.0, -1.0, 0.02, 1e9])
def test_lengths_that_make_no_video_are_told(seconds, tmp_path, reenactor):
    with pytest.raises(InputError, match="seconds="):
        idle("photo.png", tmp_path / "out.mp4", seconds=seconds, reenactor=reenactor)
    assert not (tmp_path / "out.mp4").exists()


def test_a_driver_at_rest_does_nothing(reenactor):
    still = FaceParameters.resting(reenactor.model.sizes, 7)
    assert len(still) == 7
    assert not still.expression.any()
    assert not still.rotation.any()


def test_a_photograph_becomes_a_video_of_that_length_whose_head_moves(
    photo, tmp_path, reenactor, toys, model
):
    heads = []

    class Recording(toys.Animator):
        def render(self, expression, head=None):
            heads.append(head)
            return super().render(expression, head)

    reenactor.animators = lambda: Recording(model)
    idle(photo, tmp_path / "out.mp4", seconds=2.0, progress=False, reenactor=reenactor)
    assert VideoReader(tmp_path / "out.mp4").frame_count == 50
    turned = np.array([head.rotation for head in heads if head is not None])
    assert len(turned) > 40
    assert np.rad2deg(turned).std() > 0.1


def test_a_video_is_refused(photo, tmp_path, world, reenactor):
    clip = tmp_path / "clip.mp4"
    with VideoWriter(clip, Fraction(25), (160, 160)) as writer:
        for _ in range(3):
            writer.write(np.zeros((160, 160, 3), np.uint8))
    with pytest.raises(InputError, match=r"clip\.mp4: lives by itself"):
        idle(clip, tmp_path / "out.mp4", reenactor=reenactor)
