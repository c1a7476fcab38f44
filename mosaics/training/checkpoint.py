"""Tensors and notes on disk: safetensors and JSON, written beside their place and renamed, never pickled.

    checkpoint/
        latest.json                  names the file below and its SHA-256
        step-00000100.safetensors    weights and optimizer; step and notes as JSON in the file's metadata
        best-00000060.safetensors    the best weights so far, when there are any

`latest.json` is replaced after the files that it names are whole, and only then are older ones removed: a kill
at any moment leaves the checkpoint before or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from toyworlds.core import folders
from toyworlds.core.validate import DataError

NOTES = "mosaicbench"


@dataclass(frozen=True)
class Checkpoint:
    """The state after `step` updates: tensors by name, JSON notes, the best weights when there are any."""

    step: int
    tensors: dict[str, Tensor]
    notes: dict[str, Any]
    best: dict[str, Tensor] = field(default_factory=dict)
    best_step: int = 0


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_tensors(path: Path, tensors: dict[str, Tensor], notes: dict[str, Any] | None = None) -> str:
    """Write a safetensors file whole or not at all; return its SHA-256."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    cpu = {name: item.detach().cpu().contiguous() for name, item in tensors.items()}
    save_file(cpu, aside, metadata={NOTES: json.dumps(notes or {})})
    with aside.open("rb") as file:
        os.fsync(file.fileno())
    digest = digest_of(aside)
    aside.replace(path)
    return digest


def read_tensors(path: Path, digest: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a file of :func:`write_tensors` whose SHA-256 is `digest`; a DataError names the damaged file."""
    try:
        found = digest_of(path)
        if found != digest:
            raise DataError(f"{path}: damaged; expected SHA-256 {digest}; got {found}")
        with safe_open(path, framework="pt") as file:
            notes = json.loads(file.metadata()[NOTES])
            return {name: file.get_tensor(name) for name in file.keys()}, notes  # noqa: SIM118 (not a dict)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: not a file of tensors of this project ({error})") from None


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` into `folder` and remove what it replaces."""
    folder.mkdir(exist_ok=True)
    best = best_digest = None
    if checkpoint.best:
        best = f"best-{checkpoint.best_step:08d}.safetensors"
        known = (folder / best).exists()
        best_digest = digest_of(folder / best) if known else write_tensors(folder / best, checkpoint.best)
    name = f"step-{checkpoint.step:08d}.safetensors"
    notes = {"step": checkpoint.step, "best_step": checkpoint.best_step, "notes": checkpoint.notes}
    notes |= {"best": best, "best_sha256": best_digest}
    digest = write_tensors(folder / name, checkpoint.tensors, notes)
    folders.write_json(folder / "latest.json", {"file": name, "sha256": digest})
    _remove_all_but(folder, {"latest.json", name, best})


def load(folder: Path) -> Checkpoint | None:
    """Read the latest checkpoint of `folder`, None where there is none; what a kill left over is removed."""
    latest = folder / "latest.json"
    if not folder.exists():
        return None
    if not latest.exists():
        _remove_all_but(folder, set())
        return None
    entry = folders.read_json(latest, "the name of a checkpoint")
    if not isinstance(entry.get("file"), str) or not isinstance(entry.get("sha256"), str):
        raise DataError(f"{latest}: expected the name and the SHA-256 of a checkpoint; got {entry}")
    file = folder / Path(entry["file"]).name
    tensors, notes = read_tensors(file, entry["sha256"])
    try:
        best = read_tensors(folder / notes["best"], notes["best_sha256"])[0] if notes["best"] else {}
        checkpoint = Checkpoint(notes["step"], tensors, notes["notes"], best, notes["best_step"])
    except (KeyError, TypeError) as error:
        raise DataError(f"{file}: not a checkpoint of this project ({error})") from None
    _remove_all_but(folder, {"latest.json", file.name, notes["best"]})
    return checkpoint


@torch.no_grad()
def copy_into(targets: dict[str, Tensor], tensors: dict[str, Tensor], prefix: str, path: Path) -> None:
    """Copy `tensors[prefix + name]` into `targets[name]`; a DataError where names or shapes differ."""
    for name, target in targets.items():
        source = tensors.get(prefix + name)
        if source is None or source.shape != target.shape or source.dtype != target.dtype:
            expected = f"{prefix + name} {tuple(target.shape)} {target.dtype}"
            got = "nothing" if source is None else f"{tuple(source.shape)} {source.dtype}"
            raise DataError(f"{path}: expected {expected}; got {got}")
        target.copy_(source)


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Return the model's parameters and persistent buffers by name; a shared one comes once."""
    kept = model.state_dict().keys()
    buffers = {name: buffer for name, buffer in model.named_buffers() if name in kept}
    return dict(model.named_parameters()) | buffers


def _remove_all_but(folder: Path, kept: set[str | None]) -> None:
    for file in folder.iterdir():
        if file.name not in kept:
            file.unlink()
