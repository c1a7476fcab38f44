"""Correctness and speed of kernels and training on one GPU, in one call of at most ten minutes.

    python -m benchmarks.gpu_suite --out results/gpu [--deadline 540] [--sections retrieval,steps]
    python -m benchmarks.gpu.summary results/gpu                                                      the table

    correctness     every kernel against float64 at odd sizes, NaN-poisoned buffers, repeated for races
    retrieval       forward and backward next to flash, cuDNN, FlexAttention and the slow twin; memory by length
    averages        the leaky average next to a copy
    steps           training steps of a GPT-2-small-shaped mosaic next to a transformer and the slow twin
    small_models    RegBench-shaped models, one after another and as a population
    training        a short real training whose loss is checked
    stories         only by its name: GPT-2-small-shaped models trained on the story world for the whole deadline

A section is flushed to ``OUT/SECTION.json`` after every row; ``OUT/suite.json`` holds the provenance, the measured
ceilings and the state of each section. Each has a share of the time that is left; what does not fit is left out, and
a candidate that fails leaves the text of its error. It needs torch, triton, NumPy and this project, and nothing else
(but for stories).
`--dry-run` goes through all of it at tiny sizes on a CPU, in Triton's interpreter: its times say nothing.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import os
import platform
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from toyworlds.core import folders
from toyworlds.core.validate import DataError, InputError, choice, integer

SECTIONS = {"correctness": 5.0, "retrieval": 5.0, "averages": 2.0, "steps": 6.0, "small_models": 2.5, "training": 2.0}
"""Sections in order, and what each weighs in sharing out the time."""
ALONE = {"stories": 6.0}
"""Sections that run only when they are named."""


class OutOfTimeError(Exception):
    """The deadline has come while a section was at work."""


def main(arguments: list[str] | None = None) -> None:
    """Run the suite from command line words."""
    given = parsed(arguments)
    if given.dry_run:
        os.environ.setdefault("TRITON_INTERPRET", "1")
    import torch

    if not torch.cuda.is_available() and not given.dry_run:
        raise DataError("torch finds no CUDA device; --dry-run goes through the suite on a CPU")
    Suite(given.out, given.sections, given.deadline, given.dry_run).run()


def parsed(arguments: list[str] | None) -> Any:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="gpu_suite", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the JSON files")
    parser.add_argument("--deadline", type=int, default=540, help="seconds for all sections")
    parser.add_argument("--sections", default=",".join(SECTIONS), help="sections, with commas between them")
    parser.add_argument("--dry-run", action="store_true", help="tiny sizes on a CPU, to try the suite itself")
    given = parser.parse_args(arguments)
    integer("deadline", given.deadline, 1)
    given.sections = [choice("sections", name, SECTIONS | ALONE) for name in given.sections.split(",")]
    return given


class Suite:
    """One run of the suite."""

    def __init__(self, out: Path, sections: list[str], deadline: int, tiny: bool) -> None:
        import torch

        from benchmarks.gpu.measure import Context, ceilings

        self.out, self.sections = out, sections
        self.end = time.monotonic() + deadline
        out.mkdir(parents=True, exist_ok=True)
        device = torch.device("cpu" if tiny else "cuda")
        self.context = Context(device, tiny, self.end)
        self.context.ceilings = ceilings(self.context)
        self.states: dict[str, dict[str, Any]] = {name: {"state": "not begun"} for name in sections}
        self.head = {"provenance": provenance(device), "ceilings": self.context.ceilings, "dry_run": tiny}

    def run(self) -> None:
        """Run the sections, write what they find, print the table."""
        from benchmarks.gpu.summary import lines

        self.write()
        for index, name in enumerate(self.sections):
            weights = SECTIONS | ALONE
            rest = sum(weights[other] for other in self.sections[index:])
            left = self.end - time.monotonic()
            if left > 0:
                self.context.end = time.monotonic() + left * weights[name] / rest
                self.section(name)
        for line in lines(self.out):
            print(line)

    def section(self, name: str) -> None:
        """Run one section; its file is written after every row."""
        begin, rows = time.monotonic(), []
        state = self.states[name]
        state["state"] = "begun"
        try:
            with alarm(self.end - begin):
                for row in importlib.import_module(f"benchmarks.gpu.{name}").rows(self.context):
                    rows.append(row)
                    self.flush(name, rows)
            state["state"] = "cut short" if self.context.left < 0 else "done"
        except OutOfTimeError:
            state["state"] = "cut short"
        except Exception as error:  # one section must not take the others with it
            from benchmarks.gpu.measure import error_of

            state |= {"state": "failed", "error": error_of(error)}
        state |= {"seconds": time.monotonic() - begin, "rows": len(rows)}
        self.flush(name, rows)

    def flush(self, name: str, rows: list[dict[str, Any]]) -> None:
        """Write one section's file and the state of all."""
        folders.write_json(self.out / f"{name}.json", self.head | {"section": name, "rows": rows})
        self.write()

    def write(self) -> None:
        """Write provenance, ceilings and states."""
        folders.write_json(self.out / "suite.json", self.head | {"sections": self.states})


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raise an OutOfTimeError inside after so many seconds, as soon as Python is at work again."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def provenance(device: Any) -> dict[str, Any]:
    """What the numbers hang on: date, commit, device, driver and versions."""
    import numpy as np
    import torch

    from analysis.provenance import commit

    found = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "commit": commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "triton": importlib.import_module("triton").__version__,
        "numpy": np.__version__,
        "cuda": torch.version.cuda,
        "device": platform.machine(),
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        found |= {"device": properties.name, "bytes": properties.total_memory, "driver": driver()}
        found["multiprocessors"] = properties.multi_processor_count
    return found


def driver() -> str | None:
    """Version of the driver, where nvidia-smi tells it."""
    words = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return None


if __name__ == "__main__":
    try:
        main()
    except (InputError, DataError) as error:
        raise SystemExit(f"gpu_suite: {error}") from None
