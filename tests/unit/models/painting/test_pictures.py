import numpy as np
import torch

from xpress.models.painting.pictures import sample_grid


def test_columns_stand_side_by_side_and_rows_below_each_other():
    color = torch.rand(3, 3, 5, 7)
    mask = torch.rand(3, 1, 5, 7).round()
    grid = sample_grid([color, mask], gap=2)
    assert grid.shape == (3 * 7, 2 * 9, 3)
    for row in range(3):
        top = grid[row * 7 : row * 7 + 7]
        assert np.array_equal(top[:5, :7], (color[row].permute(1, 2, 0) * 255).round().numpy())
        assert np.array_equal(top[:5, 9:16, 1], mask[row, 0].numpy() * 255)
        assert (top[5:] == 255).all()
        assert (top[:, 7:9] == 255).all()


def test_values_beyond_the_range_are_cut():
    grid = sample_grid([torch.tensor([-1.0, 2.0]).view(1, 1, 1, 2)], gap=0)
    assert grid[0, :, 0].tolist() == [0, 255]
