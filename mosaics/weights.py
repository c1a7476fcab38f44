"""Models on disk: a folder with ``model.json`` (name, config, seed, SHA-256 of the weights) and ``model.safetensors``.

    save_model(model, folder)          a new folder, there whole or not at all
    model = load_model(folder)         the model that was saved, bit for bit, in evaluation mode
    load_weights(model, folder)        into a model that exists; a config that differs is refused, the field named

Errors: DataError for a damaged or foreign folder, InputError for a config that does not fit. Nothing is unpickled.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from mosaics.registry import MODELS
from mosaics.training.checkpoint import copy_into, read_tensors, weights_of, write_tensors
from toyworlds.core import folders
from toyworlds.core.validate import DataError, InputError, from_dict, reject

CONFIG, WEIGHTS = "model.json", "model.safetensors"
KEYS = ("model", "config", "seed", "sha256")


def model_name(config: Any) -> str:
    """Return the registered name of a config's class."""
    names = [name for name in MODELS if MODELS[name] is type(config)]
    if not names:
        reject("config", "the config of a registered model", type(config).__name__)
    return names[0]


def save_model(model: nn.Module, folder: str | Path) -> Path:
    """Write `model` to a new `folder`."""
    config: Any = model.config
    content = {"model": model_name(config), "config": dataclasses.asdict(config), "seed": model.seed}
    with folders.written_aside(folder) as aside:
        digest = write_tensors(aside / WEIGHTS, weights_of(model))
        folders.write_json(aside / CONFIG, content | {"sha256": digest})
    return Path(folder)


def load_model(folder: str | Path) -> Any:
    """Return the model in `folder`, in evaluation mode and in the dtype it was saved in."""
    content, tensors = _read(Path(folder))
    try:
        config: Any = from_dict(MODELS[content["model"]], content["config"], "config")
    except InputError as error:
        raise DataError(f"{Path(folder) / CONFIG}: {error}") from None
    seed = content["seed"]
    model = config.build(tuple(seed) if isinstance(seed, list) else seed)
    model.to(next(iter(tensors.values())).dtype)
    _copy(model, tensors, Path(folder))
    return model.eval()


def load_weights(model: nn.Module, folder: str | Path) -> None:
    """Load the weights in `folder` into `model`; InputError names the field in which the configs differ."""
    content, tensors = _read(Path(folder))
    config: Any = model.config
    if content["model"] != model_name(config):
        reject("model", f"a {content['model']!r}, as saved in {folder}", model_name(config))
    saved = from_dict(type(config), content["config"], "config")
    for field in dataclasses.fields(config):
        if getattr(saved, field.name) != getattr(config, field.name):
            expected = f"{getattr(saved, field.name)!r}, as saved in {folder}"
            reject(f"config.{field.name}", expected, getattr(config, field.name))
    _copy(model, tensors, Path(folder))


def _copy(model: nn.Module, tensors: dict[str, Tensor], folder: Path) -> None:
    weights = weights_of(model)
    for name in tensors.keys() - weights.keys():
        raise DataError(f"{folder / WEIGHTS}: tensor {name} is none of the model's")
    copy_into(weights, tensors, "", folder / WEIGHTS)


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    content = folders.read_json(folder / CONFIG, "the description of a model")
    for key in KEYS:
        if key not in content:
            raise DataError(f"{folder / CONFIG}: expected the keys {', '.join(KEYS)}; {key} is missing")
    return content, read_tensors(folder / WEIGHTS, content["sha256"])[0]
