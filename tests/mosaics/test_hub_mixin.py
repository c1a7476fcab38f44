"""The hub's three methods, on folders: nothing here needs a network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

hub = pytest.importorskip("huggingface_hub")

from mosaics.baselines.recurrent import LSTMConfig  # noqa: E402  (after the check for the extra)
from mosaics.hub_mixin import HubModel  # noqa: E402
from mosaics.mosaic import MemoryMosaicConfig  # noqa: E402
from mosaics.weights import load_model  # noqa: E402
from toyworlds.core.validate import DataError  # noqa: E402

TOKENS = torch.tensor([[1, 2, 3, 4]])


@pytest.mark.parametrize("config", [MemoryMosaicConfig(vocabulary=5, n_heads=2, width=8), LSTMConfig(vocabulary=5)])
def test_a_folder_holds_the_model_bit_for_bit(config, tmp_path):
    model = config.build(seed=3).eval()
    HubModel(model).save_pretrained(tmp_path / "mine")
    same = HubModel.from_pretrained(tmp_path / "mine").model
    assert torch.equal(same(TOKENS), model(TOKENS))
    assert torch.equal(load_model(tmp_path / "mine")(TOKENS), model(TOKENS))
    assert json.loads((tmp_path / "mine" / "config.json").read_text())["vocabulary"] == 5
    assert "memory-mosaics" in (tmp_path / "mine" / "README.md").read_text()


def test_saving_again_replaces_the_weights(tmp_path):
    for seed in (0, 1):
        HubModel(MemoryMosaicConfig(vocabulary=5, n_heads=2, width=8).build(seed)).save_pretrained(tmp_path)
    assert HubModel.from_pretrained(tmp_path).model.seed == 1
    assert {file.name for file in tmp_path.iterdir()} == {"README.md", "config.json", "model.json", "model.safetensors"}


def test_a_repository_is_fetched_and_private_when_made(tmp_path, monkeypatch):
    model = MemoryMosaicConfig(vocabulary=5, n_heads=2, width=8).build(seed=2).eval()
    sent = {}

    def push(self, repo_id, **options):
        sent.update(options)
        self.save_pretrained(tmp_path / repo_id)
        return "address"

    monkeypatch.setattr(hub.ModelHubMixin, "push_to_hub", push)
    monkeypatch.setattr(
        hub.hub_mixin, "hf_hub_download", lambda repo_id, **how: str(tmp_path / repo_id / "config.json")
    )
    monkeypatch.setattr("mosaics.hub_mixin.snapshot_download", lambda name, **how: str(tmp_path / name))
    assert HubModel(model).push_to_hub("me/mosaic") == "address"
    assert sent == {"private": True}
    monkeypatch.chdir(Path(__file__).parent)
    assert torch.equal(HubModel.from_pretrained("me/mosaic").model(TOKENS), model(TOKENS))


def test_damage_is_named(tmp_path):
    HubModel(MemoryMosaicConfig(vocabulary=5, n_heads=2, width=8).build()).save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"short")
    with pytest.raises(DataError, match=r"model\.safetensors"):
        HubModel.from_pretrained(tmp_path)


def test_the_models_do_not_need_the_hub():
    code = "import sys; sys.modules['huggingface_hub'] = None; import mosaics.catalogue, mosaics.hub, mosaics.weights"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
