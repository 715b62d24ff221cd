import numpy as np
import torch

from xpress.models.face_autoencoder.module import FaceAutoencoder
from xpress.models.face_autoencoder.pictures import GREEN


def test_four_cells_a_face(faces):
    network = FaceAutoencoder(width=0.25, size=64).eval()
    batch = faces.replace(present=torch.arange(8) < 5)
    grid = network.picture_grid(batch, rows=3)
    assert grid.shape == (3 * 128, 4 * 128, 3)
    cells = grid.reshape(3, 128, 4, 128, 3).transpose(0, 2, 1, 3, 4)
    picture, points, render, overlay = cells[1]
    shown = faces.image[1].permute(1, 2, 0).numpy() * 255
    np.testing.assert_allclose(picture[::2, ::2].mean(), shown.mean(), atol=2)
    assert (points != picture).any()
    x, y = (faces.landmarks68[1, 30] * 2 + 0.5).round().int().tolist()
    near = points[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3).astype(int)
    assert (np.abs(near - GREEN).sum(1) < 60).any()
    # a new encoder renders the same mean face in every row
    np.testing.assert_array_equal(render, cells[0][2])
    assert (overlay != picture).any()


def test_no_face_gives_a_small_picture(faces):
    nobody = faces.replace(present=torch.zeros(8, dtype=torch.bool))
    assert FaceAutoencoder(width=0.25, size=64).eval().picture_grid(nobody).shape == (1, 1, 3)
