"""`aus.AU12=0.8` passes Hydra's grammar without a plus and reaches the task."""

import pytest
from omegaconf import OmegaConf

from xpress import configuration
from xpress.errors import InputError

CALL = ["task=edit", "target=photo.jpg", "output=out.png"]


def job(*arguments: str) -> dict:
    config = configuration.compose_config("infer", [*CALL, *arguments])
    configuration.check("infer", config, [*CALL, *configuration.added_units(arguments)])
    found = OmegaConf.to_container(config.job, resolve=True, enum_to_str=True)
    assert isinstance(found, dict)
    return found


def test_units_are_options_without_being_listed():
    assert job("aus.AU12=0.8", "aus.AU45_L=1")["aus"] == {"AU12": 0.8, "AU45_L": 1}
    assert job("aus={AU12: 0.8}", "aus.random=3")["aus"] == {"AU12": 0.8, "random": 3}
    assert job("+aus.AU12=0.8")["aus"] == {"AU12": 0.8}
    assert job()["aus"] == {}


def test_only_units_are_added():
    arguments = ["aus.AU12=1", "task=edit", "target=aus.AU12=1.png", "austere=1", "+aus.AU1=1"]
    assert configuration.added_units(arguments) == ["++aus.AU12=1", *arguments[1:]]


def test_an_editor_is_one_of_three():
    assert job()["editor"] == "morphable"
    assert job("editor=dft_net")["editor"] == "dft_net"
    with pytest.raises(InputError, match=r"editor=gan.*morphable, ganimation, dft_net"):
        job("editor=gan")


def test_several_values_need_a_sweep():
    with pytest.raises(InputError, match=r"^aus\.AU12=0,1: several values; -m"):
        job("aus.AU12=0,1")
