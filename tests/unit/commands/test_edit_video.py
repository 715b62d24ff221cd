"""A video with edited faces, in a world of discs."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from xpress.commands.edit import edit
from xpress.editing.expression_editor import ExpressionEditor
from xpress.editing.morphable import MorphableEditor
from xpress.media.video import VideoReader, VideoWriter


@pytest.fixture
def editor(reenactor) -> ExpressionEditor:
    return ExpressionEditor(
        reenactor, lambda: MorphableEditor(reenactor.geometry, reenactor.animators())
    )


def test_edits_come_and_go_with_the_face(editor, world, tmp_path, capsys):
    seen = [True] * 15 + [False] * 10 + [True] * 15
    frames = [world.frame((80.0, 80.0, 0.0, 0)) if here else world.frame() for here in seen]
    with VideoWriter(tmp_path / "in.mp4", Fraction(25), (160, 160), crf=1) as writer:
        for frame in frames:
            writer.write(frame)
    output = tmp_path / "out.mkv"
    options = {"smoothing": False, "progress": False, "loaded": editor}
    edit(tmp_path / "in.mp4", output, {"AU26": 1.0}, **options)
    jaw = np.array([frame[81, 80, 0] for frame in VideoReader(output)]) / 255
    assert len(jaw) == len(seen)
    assert jaw[5] == pytest.approx(jaw[-1], abs=0.03)
    assert jaw[5] > 0.5
    there = [i for i in range(len(seen)) if jaw[i] > 0.02 or seen[i]]
    steps = [abs(jaw[b] - jaw[a]) for a, b in pairwise(there) if b == a + 1]
    assert max(steps) < 0.35 * jaw[5]
    assert jaw[14] < 0.2 * jaw[5]
    assert "1 face found and edited" in capsys.readouterr().out
