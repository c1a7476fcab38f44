"""Progress of long work: a bar on a terminal, a plain log line now and then off it (logger ``mosaicbench``)."""

from __future__ import annotations

import logging
import sys
import threading
import time
from types import TracebackType
from typing import Any

LOG = logging.getLogger("mosaicbench")
SECONDS_BETWEEN_LINES = 15.0


class Progress:
    """Count `total` pieces of work, of which `done` were done before.

    `shown` False is silent. `last_line` writes a line for the last piece too, off a terminal, whenever it comes.

    >>> with Progress("generate", 1000, "rows") as progress:     # doctest: +SKIP
    ...     progress.advance(100, "loss 0.03")
    """

    def __init__(
        self,
        label: str,
        total: int,
        unit: str = "steps",
        *,
        done: int = 0,
        shown: bool = True,
        last_line: bool = False,
    ) -> None:
        self.label, self.total, self.unit = label, total, unit
        self.done, self.before, self.note = done, done, ""
        self.shown, self.last_line = shown, last_line
        self._bar: Any = None
        self._lock = threading.Lock()
        self._last = self._begin = time.monotonic()

    def __enter__(self) -> Progress:
        if self.shown and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            parts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(self.unit))
            times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[note]}"))
            self._bar = Bar(*parts, *times, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(self.label, total=self.total, completed=self.done, note="")
            self._bar.start()
        return self

    def advance(self, count: int = 1, note: str = "") -> None:
        """`count` more pieces are done; `note` says how it goes. Safe to call from several threads."""
        with self._lock:
            self.done += count
            self.note = note or self.note
            if self._bar is not None:
                self._bar.update(self._task, completed=self.done, note=self.note)
            elif self.shown and self._due():
                self._last = time.monotonic()
                left = (self._last - self._begin) * (self.total - self.done) / max(self.done - self.before, 1)
                tail = f", {self.note}" if self.note else ""
                LOG.info("%s: %d/%d %s, %.0f s left%s", self.label, self.done, self.total, self.unit, left, tail)

    def _due(self) -> bool:
        ended = self.last_line and self.done >= self.total
        return ended or time.monotonic() - self._last >= SECONDS_BETWEEN_LINES

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
