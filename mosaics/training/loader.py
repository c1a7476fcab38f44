"""Batches ahead of time: one thread makes those of the next steps while the current one is computed.

A batch is a function of its step, so it does not matter who makes it or when. One thread makes them in order; an
error is raised where its batch is asked for, with a note that names the step.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

import torch

from mosaics.training.placement import flushes_denormals

T = TypeVar("T")


class Loader(Generic[T]):
    """Calls `make(step)`, for up to `ahead` steps below `stop` beforehand; use it in a ``with`` block."""

    def __init__(self, make: Callable[[int], T], stop: int, ahead: int) -> None:
        self.make, self.stop, self.ahead = make, stop, ahead
        self._thread: ThreadPoolExecutor | None = None
        self._coming: dict[int, Future[T]] = {}

    def __enter__(self) -> Self:
        if self.ahead:
            arithmetic = torch.get_num_threads(), flushes_denormals()
            self._thread = ThreadPoolExecutor(1, "batches", initializer=_begin, initargs=arithmetic)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=True, cancel_futures=True)

    def __call__(self, step: int) -> T:
        """Return what `make(step)` returns, and have the next ones made."""
        if self._thread is None:
            return self._noted(step)
        for coming in range(step, min(step + self.ahead + 1, self.stop)):
            if coming not in self._coming:
                self._coming[coming] = self._thread.submit(self._noted, coming)
        return self._coming.pop(step).result()

    def _noted(self, step: int) -> T:
        try:
            return self.make(step)
        except BaseException as error:
            error.add_note(f"while the batch of step {step} was made")
            raise


def _begin(threads: int, flush: bool) -> None:
    """Give the thread the arithmetic of the one that trains, for the same bits."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(flush)
