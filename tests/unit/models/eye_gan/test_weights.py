import pytest
import torch

from xpress.errors import InputError
from xpress.models.eye_gan.networks import EyeGenerator
from xpress.models.eye_gan.weights import load_generator
from xpress.models.mouth_gan.networks import MouthGenerator


def test_a_checkpoint_gives_the_average(tiny, tmp_path):
    module = tiny()
    with torch.no_grad():
        module.average.module.paint[1].bias.fill_(0.25)
    torch.save({"state_dict": module.state_dict()}, tmp_path / "last.ckpt")
    generator = EyeGenerator((4, 8, 16), (1, 1), 2)
    load_generator(generator, tmp_path / "last.ckpt")
    assert (generator.paint[1].bias == 0.25).all()


def test_other_files_are_refused(tmp_path):
    other = MouthGenerator((4, 8, 16), (1, 1), 2).state_dict()
    torch.save({"state_dict": other}, tmp_path / "mouth.ckpt")
    with pytest.raises(InputError, match="no eye generator"):
        load_generator(EyeGenerator((4, 8, 16), (1, 1), 2), tmp_path / "mouth.ckpt")
    larger = EyeGenerator((4, 12, 16), (1, 1), 2).state_dict()
    torch.save({"state_dict": larger}, tmp_path / "larger.ckpt")
    with pytest.raises(InputError, match="another generator"):
        load_generator(EyeGenerator((4, 8, 16), (1, 1), 2), tmp_path / "larger.ckpt")
