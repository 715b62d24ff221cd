import numpy as np
import pytest
import torch

from xpress.errors import InputError
from xpress.media.images import read_image
from xpress.preparation import show_colors
from xpress.preparation.show_colors import color_strip, draw_faces


def skin(picture):
    """Mean colour of a cheek's worth of pixels below the middle."""
    side = len(picture)
    return picture[side // 2 : side * 5 // 8, side * 3 // 8 : side * 5 // 8].reshape(-1, 3).mean(0)


def test_the_face_fills_the_picture_and_its_mean_looks_like_skin(model):
    (picture,) = draw_faces(model, torch.zeros(1, model.sizes[2]), 64)
    drawn = (picture < 250).any(2)
    assert 0.85 < drawn.any(1).mean() < 0.97
    assert not drawn[:3].any()
    assert not drawn[:, 0].any()
    red, green, blue = skin(picture)
    assert 250 > red > green > blue > 20


def test_both_ends_of_a_mode_lie_about_the_mean(model):
    ends = torch.zeros(3, model.sizes[2])
    ends[1, 0], ends[2, 0] = 1.0, -1.0
    mean, plus, minus = (skin(picture) for picture in draw_faces(model, ends, 64))
    np.testing.assert_allclose((plus + minus) / 2, mean, atol=2)
    assert np.abs(plus - minus).max() > 5


def test_the_strip_has_a_column_a_mode(model):
    strip = color_strip(model, 3, size=32)
    assert strip.shape == (64, 4 * 32, 3)
    columns = [strip[:, 32 * i : 32 * (i + 1)] for i in range(4)]
    assert not np.array_equal(columns[1][:32], columns[1][32:])
    assert (columns[0][:16] == 255).all()


def test_a_model_without_colours_is_told(sheets):
    sheets.color_basis = sheets.color_basis[:0]
    with pytest.raises(InputError, match="no colour basis"):
        color_strip(sheets)


def test_command(tmp_path, capsys):
    show_colors.main(["--output", str(tmp_path / "strip.png"), "--modes", "1", "--size", "24"])
    assert read_image(tmp_path / "strip.png").shape == (48, 48, 3)
    assert "strip.png" in capsys.readouterr().out
