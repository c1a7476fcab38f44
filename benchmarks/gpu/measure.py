"""Timing on a GPU: events, a flushed cache, candidates in turn, medians; on a CPU the wall clock, for dry runs.

    candidates a, b, c:   a b c  a b c  a b c ...      so that all see the same machine, whatever it does meanwhile

Before each timed call a buffer larger than the cache is written, so that inputs come from memory. A candidate that
fails is recorded as the text of its error and takes no further part.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

FLUSHED = 256 * 2**20
"""Bytes written before each timed call; the cache of an H200 holds 60 MB."""
MOST_TURNS = 50
LEAST_TURNS = 5
WARM_UPS = 2
Way = Callable[[], Any]


@dataclass
class Context:
    """Where and how long to measure."""

    device: torch.device
    tiny: bool
    """Sizes of a dry run."""
    end: float
    """Time (time.monotonic) at which the section has to be done."""
    ceilings: dict[str, float] = field(default_factory=dict)
    """Measured: "matmul" in operations a second, "copy" in bytes a second, read and written ones counted."""

    @property
    def left(self) -> float:
        """Seconds left."""
        return self.end - time.monotonic()

    @property
    def dtype(self) -> torch.dtype:
        """Numbers that speed is measured with."""
        return torch.bfloat16

    @property
    def backend(self) -> str:
        """Compiler of torch.compile; a dry run takes the one that compiles nothing."""
        return "eager" if self.tiny else "inductor"

    def random(self, *shape: int, seed: int = 0, dtype: torch.dtype | None = None) -> torch.Tensor:
        """Normal numbers on the device."""
        generator = torch.Generator(self.device).manual_seed(seed)
        return torch.randn(*shape, generator=generator, device=self.device).to(dtype or self.dtype)


def error_of(error: BaseException) -> str:
    """One line that says what went wrong."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def interleaved(context: Context, ways: dict[str, Way], seconds: float) -> dict[str, dict[str, Any]]:
    """Time the `ways` in turn for about `seconds`: median, quartiles and number of runs of each, or its error."""
    found: dict[str, dict[str, Any]] = {}
    begin = time.monotonic()
    once = {name: cost for name, way in ways.items() if (cost := _warmed(context, way, name, found)) is not None}
    room = max(seconds - (time.monotonic() - begin), 0.0)
    turns = int(min(max(room / max(sum(once.values()), 1e-9), LEAST_TURNS), MOST_TURNS))
    turns = 2 if context.tiny else turns
    times: dict[str, list[float]] = {name: [] for name in once}
    cache = torch.empty(2**16 if context.tiny else FLUSHED, dtype=torch.int8, device=context.device)
    for _ in range(turns):
        for name in list(times):
            cache.zero_()
            try:
                times[name].append(timed(context, ways[name]))
            except Exception as error:  # whatever a candidate raises is its result
                found[name] = {"error": error_of(error)}
                del times[name]
    return found | {name: _summary(each) for name, each in times.items()}


def timed(context: Context, way: Way) -> float:
    """Seconds of one call."""
    if context.device.type != "cuda":
        begin = time.perf_counter()
        way()
        return time.perf_counter() - begin
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    first.record()
    way()
    last.record()
    last.synchronize()
    return first.elapsed_time(last) / 1e3


def peak_memory(context: Context, way: Way) -> int | None:
    """Most bytes that one call takes on top of what is held before; None on a CPU."""
    if context.device.type != "cuda":
        return None
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    way()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def tidy(context: Context) -> None:
    """Give back what measurements left."""
    gc.collect()
    if context.device.type == "cuda":
        torch.cuda.empty_cache()


def ceilings(context: Context) -> dict[str, float]:
    """Measure the rate of a large bfloat16 matrix product and the bandwidth of a large copy."""
    size = 64 if context.tiny else 8192
    a, b = context.random(size, size), context.random(size, size, seed=1)
    source = torch.empty(2**16 if context.tiny else 2**31, dtype=torch.int8, device=context.device).random_(0, 100)
    target = torch.empty_like(source)
    ways: dict[str, Way] = {"matmul": lambda: a @ b, "copy": lambda: target.copy_(source)}
    found = interleaved(context, ways, 2.0)
    work = {"matmul": 2.0 * size**3, "copy": 2.0 * source.numel()}
    return {name: work[name] / found[name]["median"] for name in ways}


def _warmed(context: Context, way: Way, name: str, found: dict[str, dict[str, Any]]) -> float | None:
    """Call a way until it is warm; return seconds of a call, or None where it fails."""
    try:
        for _ in range(WARM_UPS):
            way()
        return timed(context, way)
    except Exception as error:  # whatever a candidate raises is its result
        found[name] = {"error": error_of(error)}
        tidy(context)
        return None


def _summary(times: list[float]) -> dict[str, Any]:
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive") if len(times) > 1 else times * 3
    return {"median": middle, "low": low, "high": high, "runs": len(times)}
