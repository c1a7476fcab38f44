"""How far a study is, from its folder alone: what is planned, done, running, failed, and how long the rest may take.

    seconds left = sum over jobs of (steps not done) x (seconds a step in the jobs of its label) / (jobs that run, or 1)

The pace of a label (a study's list of jobs of one kind) is that of its finished jobs and of what its running jobs have
done; the time is unknown while a label that has work left has neither.

A job counts as running while the process that computes it lives, as failed when it left an error and no result, or
when its result was edited or damaged since.
"""

from __future__ import annotations

import datetime
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from analysis.engines.jobs import read_kept
from analysis.engines.plan import read_plan
from analysis.engines.watch import running
from toyworlds.core import folders
from toyworlds.core.validate import DataError


@dataclass(frozen=True)
class Running:
    """A job that is being computed."""

    name: str
    host: str
    pid: int
    started: str
    """UTC."""
    done: int
    """Steps done."""
    steps: int
    note: str


@dataclass(frozen=True)
class Failed:
    """A job that raised, or whose process died too often."""

    name: str
    job: str
    error: str
    """Last line of the error."""
    date: str


@dataclass(frozen=True)
class Status:
    """How far a study is."""

    planned: int
    done: int
    running: tuple[Running, ...]
    failed: tuple[Failed, ...]
    seconds_worked: float
    """Sum over the finished jobs."""
    seconds_left: float | None
    """None while the pace of some jobs is not known."""

    @property
    def remaining(self) -> int:
        """Jobs that are not done and not running; those that failed are tried again."""
        return self.planned - self.done - len(self.running)

    def plain(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self) | {"remaining": self.remaining}


def read_status(out: str | Path) -> Status:
    """Read the status of the study in `out`; a DataError when the folder holds none, or one without jobs."""
    folder = Path(out) / "jobs"
    planned = read_plan(folder)
    alive: list[Running] = []
    failed: list[Failed] = []
    paces: dict[str, _Pace] = {}
    worked, done = 0.0, 0
    for job in planned:
        place, pace = folder / job["id"], paces.setdefault(job["label"], _Pace())
        if (place / "result.json").exists():
            try:
                seconds = float(read_kept(place / "result.json").get("made", {}).get("seconds", 0.0))
            except DataError as error:
                failed.append(Failed(job["name"], job["id"], str(error), ""))
                pace.add(0.0, 0, job["steps"])
                continue
            pace.add(seconds, job["steps"], 0)
            worked, done = worked + seconds, done + 1
            continue
        found = running(place) if place.is_dir() else None
        steps = 0
        if found is not None:
            alive.append(
                Running(job["name"], *(found[name] for name in ("host", "pid", "started", "done", "steps", "note")))
            )
            steps = min(alive[-1].done, job["steps"])
        elif (place / "error.json").exists():
            failed.append(_failed(job, place))
        pace.add(_since(alive[-1].started) if steps else 0.0, steps, job["steps"] - steps)
    lefts = [pace.seconds_left for pace in paces.values()]
    left = None if None in lefts else sum(each for each in lefts if each is not None) / max(len(alive), 1)
    return Status(len(planned), done, tuple(alive), tuple(failed), worked, left)


@dataclass
class _Pace:
    """Seconds, steps done and steps left of the jobs of one label."""

    seconds: float = 0.0
    done: int = 0
    left: int = 0

    def add(self, seconds: float, done: int, left: int) -> None:
        self.seconds, self.done, self.left = self.seconds + seconds, self.done + done, self.left + left

    @property
    def seconds_left(self) -> float | None:
        if not self.left:
            return 0.0
        return self.seconds / self.done * self.left if self.done else None


def _since(moment: str) -> float:
    return (datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(moment)).total_seconds()


def _failed(job: dict[str, Any], place: Path) -> Failed:
    error = folders.read_json(place / "error.json", "the error of a job")
    try:
        return Failed(job["name"], job["id"], error["last_line"], error["date"])
    except KeyError as missing:
        raise DataError(f"{place / 'error.json'}: not the error of a job (no {missing})") from None
