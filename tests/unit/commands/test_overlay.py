import numpy as np

from xpress.commands.overlay import POINT_COLOR, Overlay, contact_sheet


def test_mesh_and_points_lie_on_the_face(model, world):
    image = np.full((300, 260, 3), 100, np.uint8)
    face = world.sample(130.0, 140.0, scale=9.0)
    drawn = Overlay(model)(image, [face])
    assert (image == 100).all()
    changed = (drawn != 100).any(-1)
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    low, high = face.contours.min(0), face.contours.max(0)
    assert columns[0] > low[0] - 60
    assert columns[-1] < high[0] + 60
    assert rows[0] < low[1] + 5
    assert rows[-1] > high[1] - 5
    for x, y in face.landmarks68[[30, 36, 45, 8]]:
        np.testing.assert_allclose(drawn[round(y), round(x)], POINT_COLOR, atol=90)
    forehead = drawn[round(face.landmarks68[27, 1] - 12), round(face.landmarks68[27, 0])]
    assert forehead[2] > forehead[0]  # the mesh is blue


def test_face_partly_or_wholly_outside(model, world):
    image = np.full((80, 80, 3), 100, np.uint8)
    overlay = Overlay(model)
    assert (overlay(image, [world.sample(0.0, 0.0, scale=6.0)]) != image).any()
    assert (overlay(image, [world.sample(-500.0, 40.0, scale=3.0)]) == image).all()


def test_contact_sheet_fills_its_last_row_with_white():
    frames = [np.full((20, 40, 3), i, np.uint8) for i in range(5)]
    sheet = contact_sheet(frames, columns=3, width=20)
    assert sheet.shape == (20, 60, 3)
    assert sheet[5, 30].tolist() == [1, 1, 1]
    assert sheet[15, 30].tolist() == [4, 4, 4]
    assert sheet[15, 50].tolist() == [255, 255, 255]
