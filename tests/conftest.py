"""What every test may use."""

import os
from pathlib import Path

import pytest

# no look-ups on the network from tests
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
os.environ["WANDB_MODE"] = "offline"
# networks and callbacks that tests bring along
os.environ["XPRESS_TARGETS"] = "pytorch_lightning.demos:valley:frozen:accidents"

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout that the tests run in."""
    return ROOT


@pytest.fixture(scope="session")
def packs() -> Path:
    """The folder of data packs beside the checkout; skips where there is none."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the data packs in ../shared/data")
    return folder


@pytest.fixture(scope="session")
def samples(packs: Path) -> Path:
    """Short clips and photographs with tracked landmarks."""
    return packs / "samples"
