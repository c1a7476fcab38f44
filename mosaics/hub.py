"""Models on the Hugging Face hub: the folder of `mosaics.weights`, sent and fetched (extra ``[hub]``).

    push_model(model, "name/model")          a repository with model.json and model.safetensors
    model = pull_model("name/model")         the same model, bit for bit; its SHA-256 is checked

Errors: InputError when huggingface_hub is not installed; what the hub refuses is raised as huggingface_hub says it.
"""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import Any

from torch import nn

from mosaics.weights import CONFIG, WEIGHTS, load_model, save_model
from toyworlds.core.validate import reject


def push_model(model: nn.Module, repository: str, *, private: bool = True) -> str:
    """Send `model` to `repository`, made when it does not exist; return its address."""
    hub = _hub()
    hub.create_repo(repository, private=private, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        saved = save_model(model, Path(folder, "model"))
        return str(hub.upload_folder(repo_id=repository, folder_path=str(saved)))


def pull_model(repository: str, *, revision: str | None = None) -> Any:
    """Fetch the model in `repository`, at its newest revision unless one is named."""
    folder = _hub().snapshot_download(repository, revision=revision, allow_patterns=[CONFIG, WEIGHTS])
    return load_model(folder)


def _hub() -> Any:
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError as error:
        reject("hub", "the package huggingface_hub (pip install 'mosaicbench[hub]')", str(error))
