import numpy as np

from xpress.packs.records import FaceRecords


def test_rows_of_unknown_people_are_people_of_their_own():
    zeros = np.zeros(3, np.int8), np.zeros((3, 68, 2), np.float32)
    contours = np.zeros((3, 138, 2), np.float32), np.zeros(3, bool)
    records = FaceRecords("pack", [b""] * 3, ["a", "b", "c"], ["", "Ann", ""], *zeros, *contours)
    assert records.people == ["a", "Ann", "c"]
    assert records.select(np.array([1, 0])).people == ["Ann", "a"]
