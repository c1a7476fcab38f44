"""A run's folder: what was trained, how it went, the weights, and what an exact resume needs.

    my_run/
        config.json           model, task and training options, seeds
        metrics.jsonl         one JSON object a line: step, loss, learning rate, gradient norm, metrics
        checkpoint/           see mosaics.training.checkpoint
        best.safetensors      the best weights, when evaluations were asked for
        model.safetensors     the weights at the end
        result.json           final and best metrics, versions, SHA-256 of the files above; written last

Only `metrics.jsonl` grows in place; a checkpoint keeps its length and SHA-256, and a resume cuts it there.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from mosaics.training import checkpoint
from toyworlds.core import folders
from toyworlds.core.validate import DataError

Record = dict[str, Any]


@dataclass(frozen=True)
class SavedRun:
    """A finished run, read back: :func:`read_run`."""

    path: Path
    config: dict[str, Any]
    history: list[Record]
    result: dict[str, Any]

    def weights(self, which: str = "model") -> dict[str, Tensor]:
        """Return the tensors of ``model.safetensors``, or of ``best.safetensors`` where there is one."""
        name = f"{which}.safetensors"
        if name not in self.result["files"]:
            raise DataError(f"{self.path / name}: no such file in this run; it has {', '.join(self.result['files'])}")
        return checkpoint.read_tensors(self.path / name, self.result["files"][name])[0]


def read_run(path: str | Path) -> SavedRun:
    """Read a finished run; a DataError names the file that is missing, damaged or foreign."""
    path = Path(path)
    config = folders.read_json(path / "config.json", "the options of a run")
    result = folders.read_json(path / "result.json", "the result of a finished run")
    if result.pop("sha256", None) != _digest(result) or "files" not in result:
        raise DataError(f"{path / 'result.json'}: damaged, or not the result of a run of this project")
    for name, digest in result["files"].items():
        if not (path / name).exists() or checkpoint.digest_of(path / name) != digest:
            raise DataError(f"{path / name}: missing or damaged; expected SHA-256 {digest}")
    return SavedRun(path, config, _records(path / "metrics.jsonl", None), result)


class RunFolder:
    """The folder of a run that is under way."""

    def __init__(self, path: str | Path, identity: dict[str, Any]) -> None:
        """Make the folder, or open it if it holds the run `identity`; anything else there is a DataError.

        A folder that holds no more than options, because a run failed before its first step, is made anew.
        """
        self.path = Path(path)
        self.metrics = self.path / "metrics.jsonl"
        self.length, self.hash = 0, hashlib.sha256()
        identity = json.loads(json.dumps(identity))
        config = self.path / "config.json"
        if config.exists() and any(file.name != "config.json" for file in self.path.iterdir()):
            _same(config, folders.read_json(config, "the options of a run"), identity)
        elif self.path.exists() and (not self.path.is_dir() or _foreign(self.path)):
            raise DataError(f"{self.path}: expected a new place, an empty folder or a run's; found no config.json")
        else:
            self.path.mkdir(parents=True, exist_ok=True)
            folders.write_json(config, identity)

    def finished(self) -> SavedRun | None:
        """Return the run if it is finished."""
        return read_run(self.path) if (self.path / "result.json").exists() else None

    def append(self, record: Record) -> None:
        """Add a line to the metrics."""
        line = (json.dumps(record, allow_nan=False) + "\n").encode()
        with self.metrics.open("ab") as file:
            file.write(line)
        self.length += len(line)
        self.hash.update(line)

    def save(self, state: checkpoint.Checkpoint) -> None:
        """Write a checkpoint that also knows how far the metrics go."""
        if self.length:
            with self.metrics.open("rb") as file:
                os.fsync(file.fileno())
        state.notes["metrics"] = {"bytes": self.length, "sha256": self.hash.hexdigest()}
        checkpoint.save(self.path / "checkpoint", state)

    def load(self) -> tuple[checkpoint.Checkpoint | None, list[Record]]:
        """Return the latest checkpoint and the metrics up to it; what came after it is cut off."""
        for left_over in self.path.glob(".*.partial"):
            left_over.unlink()
        state = checkpoint.load(self.path / "checkpoint")
        if state is None:
            self.metrics.unlink(missing_ok=True)
            return None, []
        records = _records(self.metrics, state.notes["metrics"])
        self.length = state.notes["metrics"]["bytes"]
        if self.length:
            os.truncate(self.metrics, self.length)
            self.hash.update(self.metrics.read_bytes())
        return state, records

    def finish(self, result: dict[str, Any], weights: dict[str, Tensor], best: dict[str, Tensor]) -> None:
        """Write the weights, then the result: its presence says that the run is finished."""
        files = {"metrics.jsonl": self.hash.hexdigest()} if self.length else {}
        if best:
            files["best.safetensors"] = checkpoint.write_tensors(self.path / "best.safetensors", best)
        files["model.safetensors"] = checkpoint.write_tensors(self.path / "model.safetensors", weights)
        result = json.loads(json.dumps(result | {"files": files}, allow_nan=False))
        folders.write_json(self.path / "result.json", result | {"sha256": _digest(result)})


def _digest(value: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _foreign(path: Path) -> list[Path]:
    """Files of `path` but those that a kill before the first write can have left."""
    ours = ("config.json", ".config.json.")
    return [file for file in path.iterdir() if not file.name.startswith(ours)]


def _same(file: Path, found: Any, expected: Any, place: str = "") -> None:
    """Raise a DataError that names the first option in which `found` differs from `expected`."""
    if isinstance(found, dict) and isinstance(expected, dict) and found.keys() == expected.keys():
        for key in expected:
            _same(file, found[key], expected[key], f"{place}.{key}" if place else key)
    elif found != expected:
        raise DataError(f"{file}: holds another run; {place or 'config'}: expected {expected!r}; got {found!r}")


def _records(path: Path, part: dict[str, Any] | None) -> list[Record]:
    """Read the records of a metrics file, of its first `bytes` where `part` tells them and their SHA-256."""
    try:
        data = path.read_bytes() if path.exists() else b""
        if part is not None:
            data = data[: part["bytes"]]
            if hashlib.sha256(data).hexdigest() != part["sha256"]:
                raise DataError(f"{path}: damaged; it is not what the checkpoint says it was")
        return [json.loads(line) for line in data.splitlines()]
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a file of metrics ({error})") from None
