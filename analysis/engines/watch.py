"""One process a job, and a sign of life: a lock on the job's folder, and running.json rewritten every few seconds.

The lock is the kernel's (flock on the folder), so it is gone with the process that held it, however that ended. A
second process that wants the same job waits for the first and then finds its result.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from analysis.engines.jobs import Job, Report
from toyworlds.core import folders
from toyworlds.core.validate import DataError

SECONDS_BETWEEN_BEATS = 5.0
SILENT = 60.0
"""A job on another machine whose heartbeat is older than this, in seconds, is taken for dead."""


def attempt(job: Job, folder: Path, report: Report) -> str | None:
    """Compute the job unless it is finished; return None, or the error in one line, kept in error.json."""
    place = folder / job.id
    try:
        place.mkdir(parents=True, exist_ok=True)
        with locked(place):
            if job.result(folder) is None:
                with _beating(place, job.steps) as count:
                    job.compute(folder, _both(count, report))
    except Exception as error:
        return keep_error(place, type(error).__name__, str(error), traceback.format_exc())
    return None


def keep_error(place: Path, kind: str, message: str, trace: str = "") -> str:
    """Write error.json and return the error in one line."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    lines = trace.strip().splitlines()
    record = {"type": kind, "message": message, "last_line": lines[-1] if lines else f"{kind}: {message}"}
    record |= {"date": now, "host": socket.gethostname(), "traceback": trace}
    with contextlib.suppress(DataError):
        folders.write_json(place / "error.json", record)
    return " ".join(f"{kind}: {message}".split())


@contextlib.contextmanager
def locked(place: Path) -> Iterator[None]:
    """Hold the folder's lock; wait for whoever holds it."""
    handle = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def running(place: Path) -> dict[str, Any] | None:
    """Return running.json of a job that a living process computes, or None."""
    path = place / "running.json"
    try:
        found = folders.read_json(path, "the sign of life of a job")
        age = time.time() - path.stat().st_mtime
    except (DataError, OSError):
        return None
    alive = _is_locked(place) if found.get("host") == socket.gethostname() else age < SILENT
    return found if alive else None


def _is_locked(place: Path) -> bool:
    handle = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


@contextlib.contextmanager
def _beating(place: Path, steps: int) -> Iterator[Report]:
    """Keep running.json fresh; yield what counts the steps that it shows."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    shown: dict[str, Any] = {"pid": os.getpid(), "host": socket.gethostname(), "started": now}
    shown |= {"steps": steps, "done": 0, "note": ""}
    ended = threading.Event()

    def count(done: int, note: str) -> None:
        shown.update(done=shown["done"] + done, note=note or shown["note"])

    def beat() -> None:
        while True:
            with contextlib.suppress(DataError):
                folders.write_json(place / "running.json", dict(shown))
            if ended.wait(SECONDS_BETWEEN_BEATS):
                return

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield count
    finally:
        ended.set()
        thread.join()
        (place / "running.json").unlink(missing_ok=True)


def _both(first: Report, second: Report) -> Report:
    def report(done: int, note: str) -> None:
        first(done, note)
        second(done, note)

    return report
