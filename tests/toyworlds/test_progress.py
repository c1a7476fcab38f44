from __future__ import annotations

import logging
import threading

import pytest

from toyworlds.core import progress
from toyworlds.core.progress import Progress


def test_off_a_terminal_plain_lines_now_and_then(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with caplog.at_level(logging.INFO, "mosaicbench"), Progress("generate", 100, "rows") as bar:
        for seconds, rows, note in ((1.0, 10, ""), (16.0, 10, "loss 0.5"), (17.0, 20, "")):
            now[0] = seconds
            bar.advance(rows, note)
    assert [record.getMessage() for record in caplog.records] == ["generate: 20/100 rows, 64 s left, loss 0.5"]


def test_advance_from_many_threads_loses_nothing() -> None:
    with Progress("generate", 4000, "rows") as bar:
        threads = [threading.Thread(target=lambda: [bar.advance() for _ in range(1000)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert bar.done == 4000


def test_silent_resumed_and_the_last_line(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with caplog.at_level(logging.INFO, "mosaicbench"):
        with Progress("train", 100, done=60, last_line=True) as bar:
            now[0] = 20.0
            bar.advance(20, "loss 1")
            bar.advance(20, "loss 0")
        with Progress("train", 1, shown=False, last_line=True) as silent:
            silent.advance()
    told = [record.getMessage() for record in caplog.records]
    assert told == ["train: 80/100 steps, 20 s left, loss 1", "train: 100/100 steps, 0 s left, loss 0"]
    assert (bar.done, silent.done) == (100, 1)
