"""How fast a run goes and how much memory it takes; kept apart from the metrics, which are the same every time.

    tokens_per_second = tokens / seconds                              tokens: inputs of the model, padding not counted
    mfu               = 3 tokens F(T / 2) / (seconds P peak)          model-FLOPs utilisation
    padding           = 1 - tokens / inputs                           share of the inputs that are padding

F(context) = ``model.flops_per_token(context)`` is the forward pass of one token; the backward pass takes twice as
much. T is the mean length of a sequence with its padding, P the number of processes, peak the operations a second of
one device: `peak_flops`, or of a GPU in `PEAKS` in bfloat16. What is not known is left out, never guessed: without
a method ``task.tokens`` there are no tokens, on a CPU or an unknown GPU no utilisation unless `peak_flops` is given.
Blocks computed twice (activation checkpointing) do not count. Seconds are those of updates, checkpoints and
evaluations left out. Memory is the peak since the start: allocated on the CUDA device, else the process's resident set.

Reference: Chowdhery et al., PaLM, arXiv 2204.02311, appendix B, for model-FLOPs utilisation.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import torch
from torch import nn

from mosaics.training.config import TrainConfig
from mosaics.training.parts import Size
from mosaics.training.processes import Processes

PEAKS = {"H200": 989e12, "H100 80GB HBM3": 989e12, "H100 PCIe": 756e12, "A100": 312e12}
"""Dense bfloat16 operations a second by a part of the device's name, from the maker's data sheets."""
MIB = 2**20


class Meter:
    """Adds up what was computed since the last reading."""

    def __init__(self, model: nn.Module, config: TrainConfig, device: torch.device, processes: Processes) -> None:
        self.model, self.device, self.processes = model, device, processes
        self.peak = config.peak_flops or _known_peak(device, config.dtype)
        self.steps, self.seconds, self.size = 0, 0.0, Size()
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        self.running: float | None = None

    def start(self) -> None:
        """Begin, or go on, to count time."""
        if self.running is None:
            self.running = time.monotonic()

    def count(self, size: Size) -> None:
        """Add a step and what its batch held."""
        self.steps += 1
        self.size = Size(*(a + b for a, b in zip(self.size, size, strict=True)))

    def pause(self) -> None:
        """Stop counting time, once the device has done what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        if self.running is not None:
            self.seconds += time.monotonic() - self.running
            self.running = None

    def read(self) -> dict[str, float]:
        """Return the record of the steps since the last reading, and begin anew."""
        self.pause()
        seconds, (sequences, tokens, padded) = max(self.seconds, 1e-9), self.size
        record = {"seconds": round(seconds, 6), "steps_per_second": self.steps / seconds}
        if tokens:
            record["tokens_per_second"] = tokens / seconds
            record["padding"] = 1.0 - tokens / padded
            if self.peak is not None and hasattr(self.model, "flops_per_token"):
                flops: Any = self.model.flops_per_token
                done = 3.0 * tokens * flops(max(padded // max(sequences, 1) // 2, 1))
                record["mfu"] = done / (seconds * self.peak * self.processes.size)
        record["memory_mib"] = peak_memory(self.device) / MIB
        self.steps, self.seconds, self.size = 0, 0.0, Size()
        return record


def peak_memory(device: torch.device) -> float:
    """Return the most bytes in use so far: allocated on a CUDA device, else the process's resident set."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def line(record: dict[str, Any]) -> str:
    """Return a record as ``name value, name value``; numbers in four digits, of a population the mean."""
    return ", ".join(f"{name} {_short(value)}" for name, value in record.items() if name != "step")


def _short(value: Any) -> str:
    if isinstance(value, list):
        known = [item for item in value if item is not None]
        return _short(sum(known) / len(known)) + " (mean)" if known else "-"
    return "-" if value is None else f"{value:.4g}"


def _known_peak(device: torch.device, dtype: str) -> float | None:
    if device.type != "cuda" or dtype != "bfloat16":
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak for part, peak in PEAKS.items() if part in name), None)
