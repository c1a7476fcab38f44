"""Models on disk: what is refused, and that the reason is named."""

from __future__ import annotations

import json

import pytest
import torch

from mosaics.baselines.recurrent import LSTMConfig
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.weights import load_model, load_weights, save_model
from toyworlds.core.validate import DataError, InputError

SMALL = {"vocabulary": 7, "n_heads": 2, "width": 8}


@pytest.fixture
def saved(tmp_path):
    return save_model(MemoryMosaicConfig(**SMALL).build(seed=3), tmp_path / "model")


def test_weights_go_into_a_model_that_exists(saved):
    model = MemoryMosaicConfig(**SMALL).build(seed=4)
    load_weights(model, saved)
    for ours, theirs in zip(model.parameters(), load_model(saved).parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_float64_and_evaluation_mode_come_back(tmp_path):
    model = load_model(save_model(MemoryMosaicConfig(**SMALL).build().double(), tmp_path / "double"))
    assert model.norm.weight.dtype == torch.float64
    assert not model.training


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (MemoryMosaicConfig(**SMALL, peek=2), r"config\.peek: expected 1, as saved in .*; got 2"),
        (MemoryMosaicConfig(**SMALL, key_norm="dot"), r"config\.key_norm: expected 'unit', as saved"),
        (LSTMConfig(vocabulary=7), "model: expected a 'mosaic', as saved in .*; got 'lstm'"),
    ],
)
def test_a_config_that_differs_is_refused_by_name(saved, config, message):
    with pytest.raises(InputError, match=message):
        load_weights(config.build(), saved)


def test_nothing_is_overwritten(saved):
    with pytest.raises(InputError, match="a folder that does not exist yet"):
        save_model(MemoryMosaicConfig(**SMALL).build(), saved)


def edited(folder, **changes):
    content = json.loads((folder / "model.json").read_text())
    content["config"] |= changes.pop("config", {})
    (folder / "model.json").write_text(json.dumps(content | changes))
    return folder


def test_damage_is_named(saved, tmp_path):
    with pytest.raises(DataError, match=r"model\.json: no such file"):
        load_model(tmp_path / "absent")
    with pytest.raises(DataError, match=r"contextual\.value\.mix|project|keys"):
        load_model(edited(saved, config={"persistent_size": 9}))
    with pytest.raises(DataError, match=r"config: expected a field among .*; got 'peak'.*did you mean 'peek'"):
        load_model(edited(saved, config={"persistent_size": 0, "peak": 1}))
    text = (saved / "model.json").read_text().replace('"peak": 1', '"peek": 1')
    (saved / "model.json").write_text(text.replace('"mosaic"', '"mosaik"'))
    with pytest.raises(DataError, match=r"model: expected one of .*did you mean 'mosaic'"):
        load_model(saved)
    (saved / "model.json").write_text('{"model": "mosaic"}')
    with pytest.raises(DataError, match="config is missing"):
        load_model(saved)


def test_corrupt_weights_are_named(saved):
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-5] + b"wrong")
    with pytest.raises(DataError, match=r"model\.safetensors: damaged; expected SHA-256"):
        load_model(saved)
    path.unlink()
    with pytest.raises(DataError, match=r"model\.safetensors"):
        load_model(saved)


def test_only_registered_models_are_saved(tmp_path):
    class Other(torch.nn.Module):
        config, seed = 3, 0

    with pytest.raises(InputError, match="config: expected the config of a registered model; got 'int'"):
        save_model(Other(), tmp_path / "other")
