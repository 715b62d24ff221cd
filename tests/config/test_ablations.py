"""Ablations leave something out and change nothing else."""

from importlib.resources import files

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from xpress import configuration

WHOLE = {
    "face_autoencoder_ablation": ["experiment=face_autoencoder_joint"],
    "mouth_gan_ablation": ["task=mouth_gan"],
}
"""The call that each search's ablations are left out of."""


def choices(search: str) -> list[str]:
    text = (files("xpress.conf") / "hparams_search" / f"{search}.yaml").read_text(encoding="utf-8")
    return OmegaConf.create(text).hydra.sweeper.params.ablation.split(",")


def leaves(node, prefix=""):
    if not isinstance(node, dict):
        return {prefix: node}
    return {k: v for name in node for k, v in leaves(node[name], f"{prefix}.{name}").items()}


def composed(*overrides: str) -> dict:
    with initialize_config_module("xpress.conf", version_base="1.3"):
        config = compose("train", [*overrides, "paths.output_dir=run"])
    configuration.check("train", config, [])
    parts = {name: OmegaConf.to_container(config[name]) for name in ("data", "model")}
    return leaves(parts)


@pytest.mark.parametrize("search", WHOLE)
def test_ablations_switch_off_and_change_nothing_else(search: str):
    whole = composed(*WHOLE[search])
    assert composed(*WHOLE[search], "ablation=none") == whole
    for name in choices(search)[1:]:
        ablated = composed(*WHOLE[search], f"ablation={name}")
        changed = {key: value for key, value in ablated.items() if whole.get(key, "") != value}
        assert changed, name
        assert not any(changed.values()), name
        gone = whole.keys() - ablated.keys()
        assert all(any(key.startswith(f"{node}.") for node in changed) for key in gone), name
