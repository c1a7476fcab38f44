"""Telling how a run goes: a bar on a terminal, log lines elsewhere (logger ``mosaics.training``)."""

from __future__ import annotations

import logging
import time
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 10.0
LOGGER = logging.getLogger("mosaics.training")


class Reporter:
    """Report steps done; `progress` None shows a bar if standard error is a terminal, True or False decides."""

    def __init__(self, steps: int, progress: bool | None) -> None:
        console = Console(stderr=True)
        self.steps = steps
        self.quiet = progress is False
        self.bar: Progress | None = None
        self.last_line = time.monotonic()
        if console.is_terminal and not self.quiet:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self.bar = Progress(*columns, console=console, transient=True)

    def __enter__(self) -> Self:
        if self.bar is not None:
            self.bar.start()
            self.task = self.bar.add_task("training", total=self.steps)
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def show(self, step: int, record: dict[str, Any]) -> None:
        """Show that `step` steps are done, and the record of the last."""
        now = time.monotonic()
        if self.bar is not None:
            self.bar.update(self.task, completed=step, description=f"loss {_short(record.get('loss'))}")
        elif not self.quiet and (now - self.last_line >= SECONDS_BETWEEN_LINES or step == self.steps):
            self.last_line = now
            values = (f"{name} {_short(value)}" for name, value in record.items() if name != "step")
            LOGGER.info("step %d of %d: %s", step, self.steps, ", ".join(values))


def _short(value: Any) -> str:
    """Return a number in four digits; of a population the mean."""
    if isinstance(value, list):
        known = [item for item in value if item is not None]
        return _short(sum(known) / len(known)) + " (mean)" if known else "-"
    return "-" if value is None else f"{value:.4g}"
