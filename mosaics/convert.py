"""Checkpoints of the public Memory Mosaics code, read into ours and written back, losing nothing.

    variant      file of the public code                     parameter names
    'library'    Library/.../memory_mosaics.py               emb, blocks.i.{ln1, attn, ln2, pmem}, ln_out, head
    'eft'        Library/.../memory_mosaics_eft.py           the same but for attn.leaky_average, pmem.leaky_average
    'nano'       nanoMosaics/mosaic_model.py                 mosaic.{wte, h.i.{ln_1, attn, ln_2, mlp}, ln_f}, lm_head

A conversion is a table of (our name, public name, public shape), `mosaics.public_names`: the numbers are the same, only
shapes and names differ. What the public code keeps twice (shared matrices) is checked to be equal when it is read, and
is written twice; masks and other constants are not weights and are made anew.

    model = read("ckpt.pt")                                   # variant told from the names
    tensors, config = to_public(model, "library")

Errors: DataError for a damaged file, a tensor that is missing, unknown or of another shape; InputError for a config
that the public code has no words for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mosaics.mosaic import MemoryMosaic, MemoryMosaicConfig
from mosaics.public_names import Entry, table
from toyworlds.core.validate import DataError, choice, nearest, reject

VARIANTS = ("library", "eft", "nano")
PREFIX = "_orig_mod."
"""What torch.compile puts before every name."""

FIELDS = {
    "vocab_size": "vocabulary",
    "n_layer": "n_layers",
    "n_head": "n_heads",
    "n_embd": "width",
    "pmem_size": "persistent_size",
    "pmem_count": "persistent_banks",
    "bias": "bias",
    "block_size": "context",
    "pre_ln": "pre_norm",
    "weight_tying": "tied_embedding",
    "v_shift": "peek",
    "k_kernel_size": "key_kernel",
}
"""Fields that mean the same: public name to ours."""

LIBRARY_DEFAULTS: dict[str, Any] = {
    "block_size": 512,
    "n_head": 12,
    "n_embd": 768,
    "n_layer": 12,
    "pmem_size": 2688,
    "pmem_count": 1,
    "bias": False,
    "pre_ln": True,
    "weight_tying": True,
    "v_shift": 1,
    "k_kernel_size": 1,
}
NANO_DEFAULTS: dict[str, Any] = LIBRARY_DEFAULTS | {"block_size": 1024, "bias": True}
UNSUPPORTED = {"v_leaky": False, "att_shift": 0, "k_fe_type": "linearconv"}
"""Options of the public training script that exist with one value only."""


def read(path: str | Path, variant: str | None = None, config: Mapping[str, Any] | None = None) -> MemoryMosaic:
    """Read a checkpoint (.safetensors with its config in the metadata, or torch's .pt) of the public code.

    `config`, in the public code's words, is needed where the file holds none.
    """
    path = Path(path)
    tensors, found = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    if config is None and found is None:
        reject("config", f"the model's config, since {path.name} holds none", None)
    return from_public(tensors, found if config is None else config, variant)  # type: ignore[arg-type]


def from_public(tensors: Mapping[str, Tensor], config: Mapping[str, Any], variant: str | None = None) -> MemoryMosaic:
    """Return our model with these public tensors and config, in the dtype of the tensors."""
    tensors = {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items()}
    variant = _variant(tensors) if variant is None else choice("variant", variant, VARIANTS)
    entries = list(table(config_from_public(config, variant), variant))
    names = [name for entry in entries for name in (entry.public, *entry.copies)]
    for name in tensors:
        if name not in names and not _constant(name):
            raise DataError(f"checkpoint: unknown tensor {name} for variant {variant!r} ({nearest(name, names)})")
    dtype = tensors[entries[0].public].dtype if entries[0].public in tensors else torch.float32
    model = config_from_public(config, variant).build().to(dtype)
    ours = dict(model.named_parameters())
    with torch.no_grad():
        for entry in entries:
            target = ours[entry.ours] if entry.bank is None else ours[entry.ours][entry.bank]
            target.copy_(_checked(tensors, entry).reshape(target.shape))
    return model


def to_public(model: MemoryMosaic, variant: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and config of `model` as the public code of `variant` loads them."""
    config = config_to_public(model.config, choice("variant", variant, VARIANTS))
    ours, tensors = dict(model.named_parameters()), {}
    for entry in table(model.config, variant):
        source = ours[entry.ours] if entry.bank is None else ours[entry.ours][entry.bank]
        for name in (entry.public, *entry.copies):
            tensors[name] = source.detach().reshape(entry.shape).clone()
    if variant == "nano":
        tensors |= _constants(model.config)
    return tensors, config


def config_from_public(config: Mapping[str, Any], variant: str) -> MemoryMosaicConfig:
    """Return our config for a config of the public code; training options in it are passed over."""
    for name, value in UNSUPPORTED.items():
        if config.get(name, value) != value:
            reject(f"config.{name}", repr(value), config[name])
    given = (NANO_DEFAULTS if variant == "nano" else LIBRARY_DEFAULTS) | dict(config)
    fields = {ours: given[public] for public, ours in FIELDS.items() if public in given}
    if variant == "nano":
        dropout = given.get("dropout", 0.0)
        inner = output = embedding = dropout
    else:
        inner, output, embedding = given.get("ic_dropout", 0.05), given.get("hd_dropout", 0.05), 0.0
    if given.get("v_fe_type", "lowrlinearconv") == "linearconv":
        fields["value_kernel"] = given.get("v_kernel_size", 2)
    return MemoryMosaicConfig(
        **fields,
        second="none" if given.get("attn_only", False) else "persistent",
        variant="nano" if variant == "nano" else "library",
        contextual_dropout=0.0 if variant == "eft" else inner,
        persistent_dropout=inner,
        output_dropout=output,
        embedding_dropout=embedding,
    )


def config_to_public(config: MemoryMosaicConfig, variant: str) -> dict[str, Any]:
    """Return the public code's config; InputError names the field that it has no words for."""
    default = MemoryMosaicConfig(vocabulary=1)
    fixed: dict[str, Any] = {
        name: getattr(default, name) for name in ("leaky", "key_norm", "tied_key_value", "channels")
    }
    fixed["variant"] = "nano" if variant == "nano" else "library"
    if variant == "nano":
        fixed |= {name: getattr(default, name) for name in ("pre_norm", "tied_embedding", "peek", "key_kernel")}
        fixed |= {"value_kernel": 0, "second": "persistent", "output_dropout": config.persistent_dropout}
    fixed["embedding_dropout"] = config.persistent_dropout if variant == "nano" else 0.0
    fixed["contextual_dropout"] = 0.0 if variant == "eft" else config.persistent_dropout
    if variant == "eft":
        fixed["key_kernel"] = 1
    for name, value in fixed.items():
        if getattr(config, name) != value:
            reject(f"config.{name}", f"{value!r}, for variant {variant!r}", getattr(config, name))
    if config.second == "feedforward":
        reject("config.second", "'persistent' or 'none', for the public code", config.second)
    public: dict[str, Any] = {theirs: getattr(config, ours) for theirs, ours in FIELDS.items()}
    public |= {"variant": variant, "pmem_size": config.memories}
    if variant == "nano":
        unknown = ("pre_ln", "weight_tying", "v_shift", "k_kernel_size")
        return {name: public[name] for name in public if name not in unknown} | {"dropout": config.persistent_dropout}
    kind = {"v_fe_type": "linearconv", "v_kernel_size": config.value_kernel} if config.value_kernel else {}
    dropouts = {"ic_dropout": config.persistent_dropout, "hd_dropout": config.output_dropout}
    return public | kind | dropouts | {"attn_only": config.second == "none"}


def _constant(name: str) -> bool:
    """True for the masks and tables that the 'nano' code keeps among its tensors."""
    return name.endswith(("attn.bias", "leaky_avg.coef"))


def _constants(config: MemoryMosaicConfig) -> dict[str, Tensor]:
    """The mask and the exponents that the 'nano' code keeps in each block, for contexts up to its limit."""
    size = config.context
    steps = torch.arange(size, dtype=torch.float32)
    mask = torch.ones(1, 1, size, size, dtype=torch.bool).tril(-1)
    exponents = (steps - steps[:, None]).tril()
    tensors = {}
    for index in range(config.n_layers):
        tensors[f"mosaic.h.{index}.attn.bias"] = mask.clone()
        for unit in ("attn", "mlp"):
            tensors[f"mosaic.h.{index}.{unit}.k_featurizer.leaky_avg.coef"] = exponents.clone()
    return tensors


def _variant(tensors: Mapping[str, Tensor]) -> str:
    if any(name.startswith("mosaic.") for name in tensors):
        return "nano"
    return "eft" if any(".leaky_average." in name for name in tensors) else "library"


def _checked(tensors: Mapping[str, Tensor], entry: Entry) -> Tensor:
    """Return the tensor of `entry`, its shape and its copies checked."""
    if entry.public not in tensors:
        raise DataError(f"checkpoint: tensor {entry.public} {entry.shape} is missing")
    tensor = tensors[entry.public]
    if tuple(tensor.shape) != entry.shape:
        raise DataError(f"checkpoint: {entry.public}: expected shape {entry.shape}; got {tuple(tensor.shape)}")
    for name in entry.copies:
        if name in tensors and not torch.equal(tensors[name], tensor):
            raise DataError(f"checkpoint: {name} and {entry.public} are shared by the config but differ")
    return tensor


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get("config")
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(text) if text else None  # noqa: SIM118 (no dict)
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: no readable safetensors file ({error})") from None


def _read_torch(path: Path) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise DataError(f"{path}: no readable torch checkpoint of plain tensors ({error})") from None
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a table of tensors; got {type(content).__name__}")
    model = content.get("model", content)
    return {name: item for name, item in model.items() if isinstance(item, Tensor)}, content.get("model_args")
