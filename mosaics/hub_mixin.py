"""Our models behind the three methods that users of the Hugging Face hub know (extra ``[hub]``).

    HubModel(model).save_pretrained(folder)             the files of `mosaics.weights`, a card and config.json
    HubModel(model).push_to_hub("name/model")           the same as a repository, private unless private=False
    model = HubModel.from_pretrained("name/model").model                 or from a folder; bit for bit

The models themselves know nothing of the hub and need no huggingface_hub; this file does, and is imported by nothing
else. `mosaics.hub` sends and fetches models without the mixin.

Errors: those of `mosaics.weights` for a damaged or foreign folder; what the hub refuses, as huggingface_hub says it.
"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

from huggingface_hub import ModelHubMixin, snapshot_download
from torch import nn

from mosaics.weights import CONFIG, WEIGHTS, load_model, save_model


class HubModel(ModelHubMixin, library_name="mosaicbench", tags=["memory-mosaics", "associative-memory"]):
    """A model of `mosaics.registry.MODELS` with save_pretrained, from_pretrained and push_to_hub."""

    def __init__(self, model: nn.Module) -> None:
        config: Any = model.config
        self.model = model
        self._hub_mixin_config = dataclasses.asdict(config)

    def push_to_hub(self, repo_id: str, *, private: bool | None = True, **options: Any) -> str:
        """Send the model to the repository `repo_id`, made (private) where there is none; return the commit's address.

        `options` are those of `huggingface_hub.ModelHubMixin.push_to_hub`.
        """
        return str(super().push_to_hub(repo_id, private=private, **options))

    def _save_pretrained(self, save_directory: Path) -> None:
        with tempfile.TemporaryDirectory(dir=save_directory) as aside:
            saved = save_model(self.model, Path(aside, "model"))
            for name in (WEIGHTS, CONFIG):
                (saved / name).replace(save_directory / name)

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **options: Any) -> HubModel:
        if Path(model_id).is_dir():
            return cls(load_model(model_id))
        known = ("revision", "cache_dir", "force_download", "local_files_only", "token")
        fetch = {name: options[name] for name in known}
        return cls(load_model(snapshot_download(model_id, allow_patterns=[CONFIG, WEIGHTS], **fetch)))
