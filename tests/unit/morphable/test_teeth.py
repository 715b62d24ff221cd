import numpy as np

from xpress.morphable.teeth import COUNT, teeth_rows


def test_rows_lie_on_their_teeth_from_right_to_left(model):
    rows = teeth_rows(model)
    assert rows.shape == (2, 2, COUNT)
    points = model.mean.numpy()[rows]
    for row, name in zip(rows, ("teeth_upper", "teeth_lower"), strict=True):
        part = model.parts[name]
        assert ((row >= part.vertex_start) & (row < part.vertex_stop)).all()
    assert (np.diff(points[:, 0, :, 0], axis=1) > 0).all()  # x towards the owner's left
    np.testing.assert_allclose(points[..., ::-1, 0], -points[..., 0], atol=0.05)
    # the biting edges meet, the gums lie outside of them
    edges, gums = points[:, 0, :, 1], points[:, 1, :, 1]
    assert np.abs(edges[0] - edges[1]).max() < 0.4
    assert (gums[0] - edges[0]).min() > 0.5
    assert (edges[1] - gums[1]).min() > 0.5
