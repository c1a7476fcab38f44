"""A model goes to the hub and comes back; the hub is a folder here."""

from __future__ import annotations

import shutil
import sys
from types import SimpleNamespace

import pytest
import torch

from mosaics.hub import pull_model, push_model
from mosaics.mosaic import MemoryMosaicConfig
from toyworlds.core.validate import InputError


@pytest.fixture
def hub(tmp_path, monkeypatch):
    made = []

    def upload_folder(repo_id, folder_path):
        shutil.copytree(folder_path, tmp_path / repo_id)
        return f"https://hub/{repo_id}"

    def snapshot_download(repository, revision, allow_patterns):
        assert revision is None
        assert allow_patterns == ["model.json", "model.safetensors"]
        return str(tmp_path / repository)

    fake = SimpleNamespace(
        create_repo=lambda name, private, exist_ok: made.append((name, private, exist_ok)),
        upload_folder=upload_folder,
        snapshot_download=snapshot_download,
    )
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    return made


def test_there_and_back(hub):
    model = MemoryMosaicConfig(vocabulary=5, n_heads=2, width=8).build(seed=2).eval()
    assert push_model(model, "me/mosaic") == "https://hub/me/mosaic"
    assert hub == [("me/mosaic", True, True)]
    tokens = torch.tensor([[1, 2, 3]])
    assert torch.equal(pull_model("me/mosaic")(tokens), model(tokens))


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"pip install 'mosaicbench\[hub\]'"):
        pull_model("me/mosaic")
