"""The local engine: jobs on this machine, one process a worker, each with its own share of the cores and a GPU.

    worker w of W:   cores  w n / W .. (w + 1) n / W - 1 of the n that this process may use   (n >= W)
                     GPU    w mod (number of GPUs), by CUDA_VISIBLE_DEVICES, where there are any

A worker computes one job after another, and gives freed memory back in between. When it dies, its job goes to a new
worker, three times in all; the other workers do not notice. Workers end with the process that started them, however
that was killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from analysis.engines.engine import ATTEMPTS, Failure, Wanted
from analysis.engines.jobs import Job
from analysis.engines.watch import attempt, keep_error
from toyworlds.core import environment
from toyworlds.core.progress import Progress

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
GPUS = "CUDA_VISIBLE_DEVICES"
SECONDS_TO_EXIT = 10.0
"""Time that a worker whose pipe has closed gets to end by itself."""


def run(jobs: Sequence[Job], folder: Path, wanted: Wanted, progress: Progress) -> list[Failure]:
    """Compute the jobs; return those that failed."""
    waiting, starts, failures = deque(jobs), Counter[str](), list[Failure]()
    crew = [_Worker(folder, *place) for place in places(wanted, len(jobs))]
    try:
        while waiting or any(worker.job for worker in crew):
            for worker in crew:
                if worker.job is None and waiting:
                    starts[waiting[0].id] += 1
                    worker.give(waiting.popleft())
            for worker in _heard(crew):
                job, advanced = worker.job, worker.advanced
                said = worker.listen(progress)
                if job is None or said is None:
                    continue
                ended, error = said
                if not ended and starts[job.id] < ATTEMPTS:
                    progress.advance(-advanced)
                    waiting.appendleft(job)
                elif not ended:
                    message = f"the process died {ATTEMPTS} times ({error}); is memory short?"
                    failures.append((job, keep_error(folder / job.id, "WorkerDied", message)))
                elif error:
                    failures.append((job, error))
        return failures
    finally:
        for worker in crew:
            worker.end()


def places(wanted: Wanted, jobs: int) -> list[tuple[set[int], dict[str, str]]]:
    """Cores and environment of each worker."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    gpus = visible_gpus()
    usual = max(len(cores) // wanted.threads, 1)
    if wanted.gpus and gpus:
        usual = max(int(len(gpus) / wanted.gpus), 1)
    workers = min(wanted.workers or usual, jobs)
    found = []
    for w in range(workers):
        share = cores[w * len(cores) // workers : (w + 1) * len(cores) // workers]
        variables = dict.fromkeys(THREAD_VARIABLES, str(wanted.threads))
        variables |= {GPUS: gpus[w % len(gpus)]} if gpus else {}
        found.append((set(share) or set(cores), variables))
    return found


def visible_gpus() -> list[str]:
    """Names of the GPUs that this process may use: CUDA_VISIBLE_DEVICES, or all that the driver shows."""
    said = os.environ.get(GPUS)
    if said is not None:
        return [name.strip() for name in said.split(",") if name.strip() not in ("", "-1")]
    driver = Path("/proc/driver/nvidia/gpus")
    return [str(index) for index in range(len(list(driver.iterdir())))] if driver.is_dir() else []


class _Worker:
    """A process that computes jobs, and this end of the pipe to it."""

    def __init__(self, folder: Path, cores: set[int], variables: Mapping[str, str]) -> None:
        self.folder, self.cores, self.variables = folder, cores, variables
        self.job: Job | None = None
        self.advanced = 0
        self.process: Any = None

    def give(self, job: Job) -> None:
        """Begin a job, in a new process where there is none."""
        if self.process is None:
            context = multiprocessing.get_context("spawn")
            self.pipe, theirs = context.Pipe()
            with environment.variables(self.variables):
                self.process = context.Process(target=_work, args=(theirs, self.folder, self.cores), daemon=False)
                self.process.start()
            theirs.close()
        self.job, self.advanced = job, 0
        with contextlib.suppress(OSError):
            self.pipe.send(job)

    def listen(self, progress: Progress) -> tuple[bool, str | None] | None:
        """Take one message: None for a report, else whether the job came to its own end, and its error."""
        assert self.job is not None
        try:
            kind, *said = self.pipe.recv()
        except (EOFError, OSError):
            return False, self._bury()
        if kind == "report":
            steps, note = said
            self.advanced += steps
            progress.advance(steps, note)
            return None
        progress.advance(self.job.steps - self.advanced)
        self.job = None
        return True, said[0]

    def _bury(self) -> str:
        """Say how the process died; the next job gets a new one."""
        self.process.join(SECONDS_TO_EXIT)
        self.process.kill()
        self.process.join()
        status = self.process.exitcode
        self.pipe.close()
        self.job = self.process = None
        return f"signal {-status}" if status < 0 else f"exit status {status}"

    def end(self) -> None:
        """End the process, whatever it does."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.pipe.close()


def _heard(crew: Sequence[_Worker]) -> Iterator[_Worker]:
    """Workers that have something to say, or died."""
    busy = {worker.pipe: worker for worker in crew if worker.job is not None}
    for pipe in wait(list(busy), timeout=1.0):
        yield busy[pipe]  # type: ignore[index]


def _work(pipe: Connection, folder: Path, cores: set[int]) -> None:
    """Compute the jobs that come through the pipe until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        error = attempt(job, folder, lambda steps, note: pipe.send(("report", steps, note)))
        give_memory_back()
        pipe.send(("end", error))


def give_memory_back() -> None:
    """Give freed memory back to the machine: glibc keeps what a training of many shapes has freed, more with each."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError, TypeError):  # no glibc
        ctypes.CDLL(None).malloc_trim(0)


def _end_with_parent() -> None:
    """End this worker when the study's process is gone, however it was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
