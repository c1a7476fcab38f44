"""The door to the engines: `run_jobs`, and `using`, which chooses the engine and the share for a whole study.

    share k of n     the jobs in order of their id, every n-th from the k-th: fixed by the list of jobs alone

An engine is a function (jobs, folder, wanted, progress) -> failures: it computes the given jobs, keeps each result
under `folder`, and returns those that failed with their error in one line.
"""

from __future__ import annotations

import contextlib
import importlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.engines.jobs import Job
from analysis.engines.plan import write_plan
from toyworlds.core.progress import Progress
from toyworlds.core.validate import DataError, choice, integer, real, reject

Failure = tuple[Job, str]
ENGINES = {"local": "analysis.engines.local", "ray": "analysis.engines.ray_engine"}
"""Module of each engine; its `run` is the engine."""
ATTEMPTS = 3
"""How often a job is started when the process that computes it dies."""


@dataclass(frozen=True)
class Wanted:
    """What the jobs of a study may take."""

    workers: int = 0
    """Jobs at one time; 0 for as many as cores or GPUs allow."""
    threads: int = 1
    """CPU threads of a job."""
    gpus: float = 0.0
    """GPUs, or the fraction of one, that a job takes; 0 when the study did not say."""


@dataclass(frozen=True)
class Shard:
    """Share `number` of `count` shares of a study's jobs, counted from 1."""

    number: int = 1
    count: int = 1

    @classmethod
    def of(cls, text: str) -> Shard:
        """Read "3/16"."""
        found = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            reject("shard", "K/N with K from 1 to N, for instance 3/16", text)
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of_jobs(self, jobs: Sequence[Job]) -> list[Job]:
        """Return the jobs of this share."""
        return sorted(jobs, key=lambda job: job.id)[self.number - 1 :: self.count]


class UnfinishedError(DataError):
    """A share of the jobs is done and others are not: there is nothing to show yet."""


@dataclass(frozen=True)
class _Chosen:
    engine: str = "local"
    shard: Shard = Shard()
    gpus: float = 0.0


_CHOSEN: ContextVar[_Chosen | None] = ContextVar("engine", default=None)


@contextlib.contextmanager
def using(*, engine: str = "local", shard: str | Shard = "1/1", gpus: float = 0.0) -> Iterator[None]:
    """Run the jobs of all studies inside the block by this engine, and only those of this share.

    `gpus` is the fraction of a GPU that one job takes (0.25: four jobs share one), 0 where jobs ask for none.
    """
    share = Shard.of(shard) if isinstance(shard, str) else shard
    before = _CHOSEN.set(_Chosen(choice("engine", engine, ENGINES), share, real("gpus", gpus, 0.0)))
    try:
        yield
    finally:
        _CHOSEN.reset(before)


def run_jobs(
    jobs: Sequence[Job], folder: Path, *, workers: int = 0, threads: int = 1, label: str = "study"
) -> list[dict[str, Any]]:
    """Compute the jobs that have no result under `folder` yet; return all results, in order.

    `workers` jobs run at a time (default: cores divided by `threads`). `label` names this list of jobs: a study that
    has several lists gives each its own, and running a changed list replaces the plan of that label.

    A job whose process dies is started again, three times in all. A job that raises is recorded in its error.json
    while the others go on; at the end a DataError names those that failed. In a share of the jobs, UnfinishedError is
    raised when the share is done and the whole is not.
    """
    if not jobs:
        reject("jobs", "at least one job", list(jobs))
    chosen = _CHOSEN.get() or _Chosen()
    wanted = Wanted(integer("workers", workers or 0, 0), integer("threads", threads, 1), chosen.gpus)
    write_plan(folder, label, jobs)
    distinct = {job.id: job for job in jobs}
    found = {name: job.result(folder) for name, job in distinct.items()}
    share = {job.id for job in chosen.shard.of_jobs(list(distinct.values()))}
    own = [job for name, job in distinct.items() if name in share and found[name] is None]
    if own:
        engine: Callable[..., list[Failure]] = importlib.import_module(ENGINES[chosen.engine]).run
        with Progress(label, sum(job.steps for job in own), "steps") as progress:
            failures = engine(own, folder, wanted, progress)
        if failures:
            _refuse(failures, list(distinct))
        found |= {name: job.result(folder) for name, job in distinct.items() if found[name] is None}
    results = [result for name in (job.id for job in jobs) if (result := found[name]) is not None]
    if len(results) < len(jobs):
        done = sum(result is not None for result in found.values())
        raise UnfinishedError(
            f"{label}: shard {chosen.shard} is done ({len(share)} jobs); {done} of {len(distinct)} jobs of the whole "
            "are done. The shard that finds all of them done goes on from here"
        )
    return results


def _refuse(failures: Sequence[Failure], order: Sequence[str]) -> None:
    failures = sorted(failures, key=lambda failure: order.index(failure[0].id))
    shown = "; ".join(f"job {job.name!r} failed: {error}" for job, error in failures[:3])
    more = f"; and {len(failures) - 3} more" if len(failures) > 3 else ""
    raise DataError(f"{len(failures)} of {len(order)} jobs failed, the others are kept: {shown}{more}")
