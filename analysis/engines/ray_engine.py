"""The Ray engine: jobs on the machines of a cluster, with fractions of GPUs.

A job is one Ray task that takes `threads` cores and `gpus` GPUs. Every machine must see the study's folder under the
same path: results, checkpoints and signs of life are files there, as with the local engine. When a machine or a
process dies, Ray starts the task again elsewhere, three times in all, and a training continues from its checkpoint.

The cluster is the one that this process is connected to, or that RAY_ADDRESS names, or else a private one on this
machine. Nothing is reported to anybody: usage statistics and dashboard are off.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from analysis.engines.engine import ATTEMPTS, Failure, Wanted
from analysis.engines.jobs import Job
from analysis.engines.watch import attempt, keep_error
from toyworlds.core.progress import Progress
from toyworlds.core.validate import DataError, reject

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


def run(jobs: Sequence[Job], folder: Path, wanted: Wanted, progress: Progress) -> list[Failure]:
    """Compute the jobs; return those that failed."""
    folder = folder.resolve()
    with _connected(wanted) as ray:
        _possible(ray, wanted)
        options = {"num_cpus": wanted.threads, "num_gpus": wanted.gpus, "max_retries": ATTEMPTS - 1}
        task = ray.remote(**options)(_compute)
        waiting, running, failures = list(reversed(jobs)), dict[Any, Job](), list[Failure]()
        while waiting or running:
            while waiting and len(running) < (wanted.workers or len(jobs)):
                job = waiting.pop()
                running[task.remote(job, folder, sys.path)] = job
            for reference in ray.wait(list(running), timeout=1.0)[0]:
                job = running.pop(reference)
                error = _outcome(ray, reference, job, folder)
                if error:
                    failures.append((job, error))
                progress.advance(job.steps)
        return failures


def _compute(job: Job, folder: Path, paths: Sequence[str]) -> str | None:
    """Compute a job on a machine of the cluster, which may import from where the study was started as well."""
    sys.path += [path for path in paths if path not in sys.path]
    return attempt(job, folder, lambda steps, note: None)


def _outcome(ray: Any, reference: Any, job: Job, folder: Path) -> str | None:
    try:
        error: str | None = ray.get(reference)
    except ray.exceptions.RayError as lost:
        message = f"the process or its machine died {ATTEMPTS} times ({type(lost).__name__}: {lost})"
        return keep_error(folder / job.id, "WorkerDied", message)
    if error is None and job.result(folder) is None:
        raise DataError(f"{folder / job.id}: no result here though a machine wrote one; all need the same folder")
    return error


@contextlib.contextmanager
def _connected(wanted: Wanted) -> Iterator[Any]:
    """Connect to the cluster, or begin one on this machine and end it afterwards."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    own = not ray.is_initialized()
    if own:
        more: dict[str, Any] = {} if "RAY_ADDRESS" in os.environ else {"num_cpus": _cores(wanted)}
        ray.init(include_dashboard=False if more else None, log_to_driver=False, logging_level=logging.ERROR, **more)
    try:
        yield ray
    finally:
        if own:
            ray.shutdown()


def _cores(wanted: Wanted) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(cores, wanted.threads)


def _possible(ray: Any, wanted: Wanted) -> None:
    """Refuse what no machine of the cluster has: Ray would wait for it without end."""
    for name, amount, resource in (("threads", wanted.threads, "CPU"), ("gpus", wanted.gpus, "GPU")):
        most = max((node["Resources"].get(resource, 0.0) for node in ray.nodes() if node["Alive"]), default=0.0)
        if amount > most:
            reject(name, f"at most {most:g}, what a machine of the cluster has", amount)
