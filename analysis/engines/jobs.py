"""A job: a function named by its path, a config of plain JSON values, and the folder that keeps its result.

    id = first 16 hex digits of SHA-256(function, config, version)
    version = VERSION of the function's module: any plain JSON value, 1 where the module has none

Who changes what a job computes changes VERSION beside it; a module whose jobs read generated data names the
generator's version there too: ``VERSION = [1, ThreeMoons.version]``. All results of older code are then left alone
and computed anew.

    jobs/ID/result.json    name, function, version, config, result, made (seconds, date, host, versions), sha256
    jobs/ID/error.json     why it failed last; gone once it is finished
    jobs/ID/running.json   process and host that compute it, with a heartbeat; gone once it ends

A job that has a result.json is finished and never computed again. Its SHA-256 covers the rest of the file: an edit by
hand is found when the file is read.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import importlib
import json
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.provenance import provenance
from toyworlds.core import folders
from toyworlds.core.validate import DataError, InputError

Report = Callable[[int, str], None]
"""Called with the number of steps done since the last call, and a word on how it goes."""


@dataclass(frozen=True)
class Job:
    """`function` is "package.module:name"; it is called with (config, folder, report) and returns plain values."""

    name: str
    function: str
    config: dict[str, Any]
    steps: int = 1
    """What the job will report in all, for the progress bar."""

    @functools.cached_property
    def id(self) -> str:
        """Name of the job's folder: a hash of what is computed, not of what it is called."""
        return digest([self.function, self.config, code_version(self.function)])[:16]

    def record(self, folder: Path) -> dict[str, Any] | None:
        """Return all that result.json under `folder` holds, or None; a DataError names a damaged or foreign file."""
        path = folder / self.id / "result.json"
        if not path.exists():
            return None
        kept = read_kept(path)
        if kept.get("function") != self.function or kept.get("config") != folders.plain(self.config):
            raise DataError(f"{path}: not the result of this job (its config differs); remove the folder to run again")
        return kept

    def result(self, folder: Path) -> dict[str, Any] | None:
        """Return what the job's function returned, as kept under `folder`, or None; errors as in `record`."""
        kept = self.record(folder)
        return None if kept is None else kept["result"]

    def compute(self, folder: Path, report: Report) -> dict[str, Any]:
        """Run the job and keep its result."""
        place = folder / self.id
        place.mkdir(parents=True, exist_ok=True)
        begin = time.monotonic()
        result = _called(self.function)(self.config, place, report)
        kept = {
            "name": self.name,
            "function": self.function,
            "version": code_version(self.function),
            "config": self.config,
            "result": result,
            "made": _made(round(time.monotonic() - begin, 3)),
        }
        keep(place / "result.json", kept)
        (place / "error.json").unlink(missing_ok=True)
        return self.result(folder) or {}


def keep(path: Path, record: dict[str, Any]) -> None:
    """Write `record` with the SHA-256 of its content."""
    record = folders.plain(record)
    folders.write_json(path, record | {"sha256": digest(record)})


def read_kept(path: Path) -> dict[str, Any]:
    """Read what `keep` wrote; a DataError when its content was changed since."""
    kept = folders.read_json(path, "the result of a job")
    said = kept.pop("sha256", None)
    if said != digest(kept):
        raise DataError(f"{path}: edited or damaged, its content does not match its SHA-256; remove it to run again")
    return kept


def digest(value: Any) -> str:
    """Return the SHA-256 of `value` as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(folders.plain(value), sort_keys=True).encode()).hexdigest()


def code_version(function: str) -> Any:
    """Return the VERSION of the module that defines `function`, 1 where it has none."""
    return getattr(sys.modules[_called(function).__module__], "VERSION", 1)


@functools.cache
def _called(function: str) -> Callable[..., dict[str, Any]]:
    module, _, name = function.partition(":")
    try:
        found: Callable[..., dict[str, Any]] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"function: expected 'package.module:name' of a job; got {function!r} ({error})") from None
    return found


def _made(seconds: float) -> dict[str, Any]:
    """Return what differs from one computation of a job to the next."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"seconds": seconds, "date": now, "host": socket.gethostname(), "device": _device(), **_versions()}


def _device() -> str:
    """Name of the GPU that this process has used, or cpu."""
    torch = sys.modules.get("torch")
    used = torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized()
    return str(torch.cuda.get_device_name()) if torch is not None and used else "cpu"


@functools.cache
def _versions() -> dict[str, Any]:
    found = provenance()
    return {name: found[name] for name in ("commit", "machine", "versions")}
