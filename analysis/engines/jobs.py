"""A job: a function named by its path, a config of plain JSON values, and the folder that keeps its result.

    id = first 16 hex digits of SHA-256(function, config, version of the code that the study names)

A job that has a result.json is finished and never computed again; whatever kills a study loses only what was running.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toyworlds.core import folders
from toyworlds.core.validate import DataError

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

    @property
    def id(self) -> str:
        """Name of the job's folder: a hash of what is computed, not of what it is called."""
        text = json.dumps([self.function, self.config], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def result(self, folder: Path) -> dict[str, Any] | None:
        """Return the result kept under `folder`, or None; a DataError names a damaged or foreign file."""
        path = folder / self.id / "result.json"
        if not path.exists():
            return None
        kept = folders.read_json(path, "the result of a job")
        if kept.get("function") != self.function or kept.get("config") != json.loads(json.dumps(self.config)):
            raise DataError(f"{path}: not the result of this job (its config differs); remove the folder to run again")
        result: dict[str, Any] = kept["result"]
        return result

    def compute(self, folder: Path, report: Report) -> dict[str, Any]:
        """Run the job and keep its result."""
        module, _, name = self.function.partition(":")
        place = folder / self.id
        place.mkdir(parents=True, exist_ok=True)
        result = getattr(importlib.import_module(module), name)(self.config, place, report)
        kept = {"name": self.name, "function": self.function, "config": self.config, "result": result}
        folders.write_json(place / "result.json", kept)
        return self.result(folder) or {}
