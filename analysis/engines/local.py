"""The local engine: jobs on this machine's cores, one process a worker, a pinned number of threads each."""

from __future__ import annotations

import multiprocessing
import os
import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from analysis.engines.jobs import Job
from toyworlds.core.progress import Progress
from toyworlds.core.validate import DataError

ATTEMPTS = 3
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_reports: Any = None


def run_jobs(
    jobs: Sequence[Job], folder: Path, *, workers: int | None = None, threads: int = 1, label: str = "study"
) -> list[dict[str, Any]]:
    """Compute the jobs that have no result under `folder` yet; return all results, in order.

    `workers` processes (default: cores divided by threads) take jobs one by one. The death of a worker restarts what
    was running, up to three times; an error of a job stops the study with the job's name once the others are done.
    """
    missing = [job for job in jobs if job.result(folder) is None]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(workers or max(cores // threads, 1), max(len(missing), 1))
    with Progress(label, sum(job.steps for job in jobs), "steps") as progress:
        progress.advance(sum(job.steps for job in jobs) - sum(job.steps for job in missing))
        for _ in range(ATTEMPTS):
            if not missing:
                break
            try:
                failures = _run(missing, folder, workers, threads, progress)
            except BrokenProcessPool:
                missing = [job for job in missing if job.result(folder) is None]
                continue
            if failures:
                job, error = failures[0]
                raise DataError(f"job {job.name!r} failed: {error}") from error
            break
        else:
            raise DataError(f"a worker died {ATTEMPTS} times while running {missing[0].name!r}; is memory short?")
    return [job.result(folder) or {} for job in jobs]


def _run(
    jobs: Sequence[Job], folder: Path, workers: int, threads: int, progress: Progress
) -> list[tuple[Job, BaseException]]:
    context = multiprocessing.get_context("spawn")
    reports = context.Queue()
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(reports,))
    try:
        futures = {pool.submit(_compute, job, folder): job for job in jobs}
        failures = []
        for future in _finished(list(futures), reports, progress):
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                raise error
            if error is not None:
                failures.append((futures[future], error))
        return failures
    except BaseException:
        for process in list((pool._processes or {}).values()):
            process.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def _finished(futures: list[Future[None]], reports: Any, progress: Progress) -> Iterator[Future[None]]:
    """Futures as they end; reports of the workers reach the progress bar meanwhile."""
    waiting = set(futures)
    while waiting:
        done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
        while True:
            try:
                steps, note = reports.get_nowait()
            except queue.Empty:
                break
            progress.advance(steps, note)
        yield from done


def _begin(reports: Any) -> None:
    global _reports  # noqa: PLW0603  (one queue a worker process, set once when it starts)
    _reports = reports
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker when the study's process is gone, however it was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _compute(job: Job, folder: Path) -> None:
    job.compute(folder, lambda steps, note: _reports.put((steps, note)))
