"""The status of a study as tables on a terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from analysis.engines.status import Status


def show_status(name: str, folder: Path, status: Status, most: int) -> None:
    """Print counts and the time left, then the jobs that run and those that failed, at most `most` of each."""
    console = Console(highlight=False)
    left = "not known yet" if status.seconds_left is None else duration(status.seconds_left)
    total = Table("planned", "done", "running", "failed", "remaining", "time left", title=f"{name}: {folder}")
    counts = (status.planned, status.done, len(status.running), len(status.failed), status.remaining)
    total.add_row(*map(str, counts), left if status.done < status.planned else "none")
    console.print(total)
    if status.running[:most]:
        running = Table("running", "where", "since (UTC)", "steps", "last word")
        for job in status.running[:most]:
            running.add_row(job.name, f"{job.host} {job.pid}", job.started[:19], f"{job.done}/{job.steps}", job.note)
        console.print(running)
    if status.failed[:most]:
        failed = Table("failed", "last line of the error")
        for lost in status.failed[:most]:
            failed.add_row(f"{lost.name}\njobs/{lost.job}\n{lost.date[:19]} UTC", lost.error, end_section=True)
        console.print(failed)
        console.print("Failed jobs are tried again when the study is run again; error.json holds the whole error.")


def duration(seconds: float) -> str:
    """Write seconds as a person would: 40 s, 12 min, 3.5 h, 2.1 days."""
    for size, unit in ((86400.0, "days"), (3600.0, "h")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
