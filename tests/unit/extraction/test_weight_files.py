"""Weights that a user names are used, or refused in one line."""

from pathlib import Path

import pytest

from xpress.errors import InputError
from xpress.extraction.action_unit_encoder import UnitEncoder
from xpress.extraction.face_reader import FaceReader
from xpress.extraction.weight_files import ENCODER, MOUTH, check_used
from xpress.reenactment.reenactor import Reenactor


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Weights of a mouth generator alone, which nobody gets to read."""
    (tmp_path / "mouth.onnx").write_bytes(b"")
    return tmp_path


def test_the_users_networks_among_those_used(folder: Path):
    assert check_used("default", ENCODER) == frozenset()
    assert check_used(folder, ENCODER, MOUTH) == {MOUTH}
    (folder / "encoder.onnx").write_bytes(b"")
    assert check_used(folder, ENCODER) == {ENCODER}


def test_weights_of_no_use_are_refused(folder: Path):
    message = r"holds mouth\.onnx, where encoder\.onnx( or \w+\.onnx)* would be used"
    with pytest.raises(InputError, match=message):
        check_used(folder, ENCODER)
    for read in (FaceReader.from_pretrained, UnitEncoder):
        with pytest.raises(InputError, match=message):
            read(folder)
    with pytest.raises(InputError, match=message):
        Reenactor.from_pretrained(folder, mouth="model")
