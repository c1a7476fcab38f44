"""A run's folder: what was trained, how it went, the weights, and what an exact resume needs.

    my_run/
        config.json           model, task and training options, seeds
        metrics.jsonl         one JSON object a line: step, loss, learning rate, gradient norm, metrics
        timing.jsonl          the same steps as far as they were computed: seconds, tokens a second, memory
        checkpoint/           see mosaics.training.checkpoint
        best.safetensors      the best weights, when evaluations were asked for
        model.safetensors     the weights at the end
        result.json           final and best metrics, versions, SHA-256 of the files above; written last

Only the two files of lines grow in place. A checkpoint keeps the length and SHA-256 of the metrics, and a resume cuts
them there; the times of steps that are done again stay. Of several processes the first writes all but their shards.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from mosaics.training import checkpoint
from mosaics.training.processes import ALONE, Processes
from toyworlds.core import folders
from toyworlds.core.validate import DataError

LOG = logging.getLogger("mosaicbench")
Record = dict[str, Any]


@dataclass(frozen=True)
class SavedRun:
    """A finished run, read back: :func:`read_run`."""

    path: Path
    config: dict[str, Any]
    history: list[Record]
    result: dict[str, Any]
    timing: list[Record]

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
    if result.pop("sha256", None) != checkpoint.digest_of_json(result) or "files" not in result:
        raise DataError(f"{path / 'result.json'}: damaged, or not the result of a run of this project")
    for name, digest in result["files"].items():
        if not (path / name).exists() or checkpoint.digest_of(path / name) != digest:
            raise DataError(f"{path / name}: missing or damaged; expected SHA-256 {digest}")
    timing = _whole_lines(path / "timing.jsonl")
    return SavedRun(path, config, _records(path / "metrics.jsonl", None), result, timing)


class RunFolder:
    """The folder of a run that is under way."""

    def __init__(
        self, path: str | Path, identity: dict[str, Any], processes: Processes = ALONE, *, movable: Sequence[str] = ()
    ) -> None:
        """Make the folder, or open it if it holds the run `identity`; anything else there is a DataError.

        A folder that holds no more than options, because a run failed before its first step, is made anew. Options of
        the task that are `movable` may differ; the folder then takes the new ones.
        """
        self.path, self.processes = Path(path), processes
        self.metrics, self.times = self.path / "metrics.jsonl", self.path / "timing.jsonl"
        self.length, self.hash = 0, hashlib.sha256()
        processes.first_says(lambda: self._open(json.loads(json.dumps(identity)), movable))

    def _open(self, identity: dict[str, Any], movable: Sequence[str]) -> None:
        config = self.path / "config.json"
        if config.exists() and any(file.name != "config.json" for file in self.path.iterdir()):
            found = folders.read_json(config, "the options of a run")
            _same(config, _moved(found, identity, movable), identity)
            if found != identity:
                folders.write_json(config, identity)
        elif self.path.exists() and (not self.path.is_dir() or _foreign(self.path)):
            raise DataError(f"{self.path}: expected a new place, an empty folder or a run's; found no config.json")
        else:
            self.path.mkdir(parents=True, exist_ok=True)
            folders.write_json(config, identity)

    def finished(self) -> SavedRun | None:
        """Return the run if it is finished."""
        there = self.processes.first_says((self.path / "result.json").exists)
        return read_run(self.path) if there else None

    def append(self, record: Record) -> None:
        """Add a line to the metrics."""
        line = (json.dumps(record, allow_nan=False) + "\n").encode()
        if self.processes.first:
            with self.metrics.open("ab") as file:
                file.write(line)
        self.length += len(line)
        self.hash.update(line)

    def append_timing(self, record: Record) -> None:
        """Add a line to the times."""
        if self.processes.first:
            with self.times.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record, allow_nan=False) + "\n")

    def save(self, state: checkpoint.Checkpoint) -> None:
        """Write a checkpoint that also knows how far the metrics go."""
        if self.length and self.processes.first:
            with self.metrics.open("rb") as file:
                os.fsync(file.fileno())
        state.notes["metrics"] = {"bytes": self.length, "sha256": self.hash.hexdigest()}
        checkpoint.save(self.path / "checkpoint", state, self.processes)

    def load(self) -> tuple[checkpoint.Checkpoint | None, list[Record]]:
        """Return the newest checkpoint that is whole and the metrics up to it; what came after it is cut off."""
        found: list[tuple[checkpoint.Checkpoint, list[Record]]] = []
        name = self.processes.first_says(lambda: self._newest(found))
        if name is None:
            return None, []
        state, records = found[0] if found else self._read(self.path / "checkpoint" / name)
        self.length = state.notes["metrics"]["bytes"]
        self.hash = hashlib.sha256(self.metrics.read_bytes()[: self.length] if self.length else b"")
        return state, records

    def _newest(self, found: list[tuple[checkpoint.Checkpoint, list[Record]]]) -> str | None:
        """Put the newest checkpoint that is whole into `found`, clean up behind it, return its JSON file's name."""
        for left_over in self.path.glob(".*.partial"):
            left_over.unlink()
        folder, refused = self.path / "checkpoint", []
        if (folder / "latest.json").exists():
            raise DataError(
                f"{folder / 'latest.json'}: a checkpoint of an earlier layout; start the run in a new folder"
            )
        _cut(self.times, len(_whole_bytes(self.times)))
        entries = checkpoint.entries(folder)
        for place, entry in enumerate(entries):
            try:
                found.append(self._read(entry))
            except DataError as error:
                refused.append(error)
                continue
            for reason in refused:
                LOG.warning("%s; continuing from %s, the checkpoint before", reason, entry.name)
            _cut(self.metrics, found[0][0].notes["metrics"]["bytes"])
            checkpoint.remove_all_but(folder, entries[place:])
            return entry.name
        if refused:
            raise refused[0]
        self.metrics.unlink(missing_ok=True)
        if folder.exists():
            checkpoint.remove_all_but(folder, [])
        return None

    def _read(self, entry: Path) -> tuple[checkpoint.Checkpoint, list[Record]]:
        state = checkpoint.read(entry)
        return state, _records(self.metrics, state.notes["metrics"])

    def finish(self, result: dict[str, Any], weights: dict[str, Tensor], best: dict[str, Tensor]) -> None:
        """Write the weights, then the result: its presence says that the run is finished."""
        if not self.processes.first:
            return
        files = {"metrics.jsonl": self.hash.hexdigest()} if self.length else {}
        if best:
            files["best.safetensors"] = checkpoint.write_tensors(self.path / "best.safetensors", best)
        files["model.safetensors"] = checkpoint.write_tensors(self.path / "model.safetensors", weights)
        result = json.loads(json.dumps(result | {"files": files}, allow_nan=False))
        folders.write_json(self.path / "result.json", result | {"sha256": checkpoint.digest_of_json(result)})


def _foreign(path: Path) -> list[Path]:
    """Files of `path` but those that a kill before the first write can have left."""
    ours = ("config.json", ".config.json.")
    return [file for file in path.iterdir() if not file.name.startswith(ours)]


def _moved(found: dict[str, Any], identity: dict[str, Any], movable: Sequence[str]) -> dict[str, Any]:
    """Return `found` with the task's movable options as `identity` has them."""
    try:
        old, new = found["task"]["options"], identity["task"]["options"]
        return found | {"task": found["task"] | {"options": old | {name: new[name] for name in movable if name in old}}}
    except (KeyError, TypeError):
        return found


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


def _cut(path: Path, length: int) -> None:
    """Cut a file behind its first `length` bytes."""
    if path.exists():
        os.truncate(path, length)


def _whole_bytes(path: Path) -> bytes:
    """Return a file's bytes without the beginning of a line that a kill left at its end."""
    data = path.read_bytes() if path.exists() else b""
    return data[: data.rfind(b"\n") + 1]


def _whole_lines(path: Path) -> list[Record]:
    """Read the times; they are for the eye alone, so a damaged line is left out."""
    records = []
    for line in _whole_bytes(path).splitlines():
        with contextlib.suppress(ValueError):
            records.append(json.loads(line))
    return records
