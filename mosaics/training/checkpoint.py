"""Tensors and notes on disk: safetensors and JSON, written beside their place and renamed, never pickled.

    checkpoint/
        step-00000100.json                    names the files below with their SHA-256; step and notes; its own SHA-256
        step-00000100.safetensors             weights and optimizer
        best-00000060.safetensors             the best weights so far, when there are any
        step-00000090.json ...                the checkpoint before

A checkpoint is there when its JSON file is, which is written after the files that it names. The two newest are kept,
and only then are older ones removed: a kill at any moment leaves one that is whole, and where the newest is damaged or
gone, the one before serves.

Where parameters are sharded over n processes, process r writes ``step-00000100-R-of-N.safetensors`` (R = r + 1): the
rows that it has of every tensor. Joined in order they are the whole, so any number of processes can read them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from mosaics.training.processes import ALONE, Processes
from toyworlds.core import folders
from toyworlds.core.validate import DataError

NOTES = "mosaicbench"
KEPT = 2
OURS = re.compile(r"(step|best)-\d{8}(-\d+-of-\d+)?\.(json|safetensors)|\..*\.partial")


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


def digest_of_json(value: dict[str, Any]) -> str:
    """Return the SHA-256 of a JSON object, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


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


def save(folder: Path, checkpoint: Checkpoint, processes: Processes = ALONE) -> None:
    """Write `checkpoint` into `folder` and remove what it replaces; every process calls this with what is its own."""
    if processes.first:
        folder.mkdir(exist_ok=True)
    if processes.writers > 1:
        processes.tell(None)
    entry = {"step": checkpoint.step, "best_step": checkpoint.best_step, "notes": checkpoint.notes}
    entry["files"] = _write("step", checkpoint.step, folder, checkpoint.tensors, processes)
    entry["best"] = _write("best", checkpoint.best_step, folder, checkpoint.best, processes) if checkpoint.best else {}
    if processes.first:
        entry = json.loads(json.dumps(entry, allow_nan=False))
        name = f"step-{checkpoint.step:08d}.json"
        folders.write_json(folder / name, entry | {"sha256": digest_of_json(entry)})
        remove_all_but(folder, entries(folder)[:KEPT])


def _write(kind: str, step: int, folder: Path, tensors: dict[str, Tensor], processes: Processes) -> dict[str, str]:
    """Write this process's file, best weights only once; return the names and SHA-256 of all processes' files."""
    if processes.writers == 1 and not processes.first:
        return {}
    names = [f"{kind}-{step:08d}.safetensors"]
    if processes.writers > 1:
        names = [f"{kind}-{step:08d}-{r + 1}-of-{processes.writers}.safetensors" for r in range(processes.writers)]
    path = folder / names[processes.rank]
    digest = digest_of(path) if kind == "best" and path.exists() else write_tensors(path, tensors)
    digests = processes.gather(digest) if processes.writers > 1 else [digest]
    return dict(zip(names, digests, strict=True))


def entries(folder: Path) -> list[Path]:
    """Return the JSON files of the checkpoints in `folder`, the newest first."""
    return sorted(folder.glob("step-*.json"), reverse=True)


def read(entry: Path) -> Checkpoint:
    """Read the checkpoint of a JSON file; a DataError names what is damaged or missing."""
    found = _entry(entry)
    try:
        tensors = _joined(entry.parent, found["files"])
        best = _joined(entry.parent, found["best"]) if found["best"] else {}
        return Checkpoint(found["step"], tensors, found["notes"], best, found["best_step"])
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{entry}: not a checkpoint of this project ({error})") from None


def remove_all_but(folder: Path, kept: list[Path]) -> None:
    """Remove checkpoints other than those of the JSON files `kept`, and what a kill left over."""
    names: set[str] = set()
    for entry in kept:
        with contextlib.suppress(DataError):  # a damaged one keeps nothing
            found = _entry(entry)
            names |= {entry.name, *found["files"], *found["best"]}
    for file in folder.iterdir():
        if file.name not in names and OURS.fullmatch(file.name):
            file.unlink()


def _entry(path: Path) -> dict[str, Any]:
    found = folders.read_json(path, "the names of a checkpoint's files")
    if found.pop("sha256", None) != digest_of_json(found):
        raise DataError(f"{path}: damaged, or not a checkpoint of this project")
    return found


def _joined(folder: Path, files: dict[str, str]) -> dict[str, Tensor]:
    """Read files of tensors; rows of the processes one after the other, what only the first has as it is."""
    parts = [read_tensors(folder / Path(name).name, digest)[0] for name, digest in files.items()]
    if len(parts) == 1:
        return parts[0]
    everywhere = set(parts[-1])
    return {n: torch.cat([part[n] for part in parts]) if n in everywhere else t for n, t in parts[0].items()}


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
