"""Time retrieval next to torch's causal attention on the same tensors, and say which way is chosen, and why.

Forward and backward (or forward alone) of every way that can do what is asked on this machine, one after the other,
over and over in one run, so that all see the same machine. Torch's attention runs bare and strictly causal retrieval
is its match in work: no shift, one vector as query and key. The reference is timed only twice. On a CUDA device the
flash and cuDNN backends of torch's attention and compiled FlexAttention run too, and --tune times our kernels with
other tile sizes than those they choose.

    python -m benchmarks.retrieval --out results/speed/retrieval_cpu.json
    python -m benchmarks.retrieval --device cuda --dtype bfloat16 --batch 4 --heads 16 --length 8192 --widths 64 128
    python -m benchmarks.retrieval --batch 1 --length 2000 --widths 32 --window 256 --score dot
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks import provenance
from benchmarks.command import configured, run_module, write
from mosaics.memory import choose, retrieve
from mosaics.memory.api import IMPLEMENTATIONS, SCORES, obstacle
from mosaics.memory.options import Options
from toyworlds.core.validate import choice, integer, reject

BARE = "torch attention"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
Way = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class RetrievalBenchmark:
    """Time retrieval."""

    out: Path | None = None
    """JSON file to write."""
    device: str = "cpu"
    """Device of torch: cpu or cuda."""
    dtype: str = "float32"
    """float32, bfloat16 or float16."""
    batch: int = 64
    """Sequences."""
    heads: int = 3
    """Memories a sequence."""
    length: int = 800
    """Steps."""
    widths: tuple[int, ...] = (2, 6, 16)
    """Widths of key and value."""
    delay: int = 1
    """Age of the newest pair in reach."""
    window: int = 0
    """Age of the oldest pair in reach; 0 for any age."""
    score: str = "both"
    """gaussian, dot or both."""
    backward: bool = True
    """Time forward and backward; else forward alone."""
    repeats: int = 15
    """Timed runs of each way; the reference runs twice."""
    tune: bool = False
    """Time our Triton kernels with other tile sizes, too."""

    def __post_init__(self) -> None:
        choice("device", self.device, ["cpu", "cuda"])
        choice("dtype", self.dtype, DTYPES)
        choice("score", self.score, [*SCORES, "both"])
        for name in ("batch", "heads", "length", "repeats"):
            integer(name, getattr(self, name), 1)
        integer("window", self.window, 0)
        integer("delay", self.delay, 0, self.window or None)
        if self.device == "cuda" and not torch.cuda.is_available():
            reject("device", "cuda on a machine that has it", self.device)
        if self.tune and self.device != "cuda":
            reject("tune", "a CUDA device", self.device)

    def options(self, score: str) -> Options:
        """What is asked of retrieval."""
        return Options(score, self.delay, self.window or None)

    def scores(self) -> tuple[str, ...]:
        """Scores to time."""
        return SCORES if self.score == "both" else (self.score,)


def contestants(config: RetrievalBenchmark, key: Tensor, value: Tensor) -> dict[str, Way]:
    """Return the ways to time, by name; those that cannot do what is asked are said and left out."""
    ways: dict[str, Way] = {BARE: attention}
    if config.device == "cuda":
        ways |= {f"torch {backend.name.lower()}": partial(attention, backend=backend) for backend in backends()}
        ways["compiled FlexAttention"] = flexible(config)
    for name in IMPLEMENTATIONS:
        for score in config.scores():
            options = config.options(score)
            problem = obstacle(name, key, value, 1.0, options)
            problem = problem or ("slow in the interpreter" if name == "triton" and not key.is_cuda else None)
            if problem:
                print(f"  {name}, {score}: left out, {problem}")
                continue
            way = partial(retrieve, beta=1.0, score=score, window=options.window)
            ways[f"{name}, {score}"] = partial(way, implementation=name)
    return ways


def backends() -> tuple[SDPBackend, ...]:
    """Backends of torch's attention that a CUDA device may have."""
    return (SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION)


def attention(key: Tensor, value: Tensor, backend: SDPBackend | None = None) -> Tensor:
    """Torch's causal attention with one vector as query and key."""
    if backend is None:
        return functional.scaled_dot_product_attention(key, key, value, is_causal=True, scale=1.0)
    with sdpa_kernel(backend):
        return functional.scaled_dot_product_attention(key, key, value, is_causal=True, scale=1.0)


def flexible(config: RetrievalBenchmark) -> Way:
    """FlexAttention over the pairs asked for, compiled."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    def seen(_: Tensor, __: Tensor, row: Tensor, pair: Tensor) -> Tensor:
        newest = row - pair >= config.delay
        return newest & (row - pair <= config.window) if config.window else newest

    length = config.length
    mask = create_block_mask(seen, None, None, length, length, device=config.device)
    compiled: Any = torch.compile(flex_attention)
    return lambda key, value: compiled(key, key, value, block_mask=mask, scale=1.0)


def timed(way: Way, key: Tensor, value: Tensor, gradient: Tensor | None) -> float:
    """Seconds for one pass, forward and (with a gradient) backward."""
    if key.is_cuda:
        torch.cuda.synchronize()
    start = time.perf_counter()
    if gradient is None:
        with torch.no_grad():
            way(key, value)
    else:
        torch.autograd.grad(way(key, value), (key, value), gradient)
    if key.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def works(name: str, way: Way, key: Tensor, value: Tensor) -> bool:
    """Tell whether one of torch's ways takes these tensors; ours have been asked."""
    if not name.startswith(("torch", "compiled")):
        return True
    try:
        timed(way, key, value, None)
    except RuntimeError as problem:
        print(f"  {name}: left out, {str(problem).splitlines()[0]}")
        return False
    return True


def operations(config: RetrievalBenchmark, width: int) -> float:
    """Operations of strictly causal retrieval: 2 matrix products forward and 5 backward, over the pairs in reach."""
    near, far = config.delay, config.window or config.length
    pairs = sum(max(min(step, far) - near + 1, 0) for step in range(config.length))
    return config.batch * config.heads * pairs * 2.0 * width * (7 if config.backward else 2)


def measure(config: RetrievalBenchmark, width: int) -> list[dict[str, Any]]:
    """One row a way: median and least seconds, and the ratio of medians to torch's attention."""
    torch.manual_seed(0)
    shape = (config.batch, config.heads, config.length, width)
    key, value, gradient = (torch.randn(shape, device=config.device, dtype=DTYPES[config.dtype]) for _ in range(3))
    key, value = key.requires_grad_(), value.requires_grad_()
    for score in config.scores():
        chosen = choose(key, value, options=config.options(score))
        print(f"width {width}, {score}: {chosen.name} is chosen: {chosen.reason}")
    ways: dict[str, tuple[Way, Any, Any]] = {
        name: (way, None, None) for name, way in contestants(config, key, value).items()
    }
    if config.tune:
        ways |= tuned(config, key, value)
    seconds: dict[str, list[float]] = {name: [] for name in ways if works(name, ways[name][0], key, value)}
    for repeat in range(config.repeats + 1):
        for name, times in seconds.items():
            way, module, size = ways[name]
            if repeat < (3 if name.startswith("reference") else config.repeats + 1):
                with replaced(module, size):
                    times.append(timed(way, key, value, gradient if config.backward else None))
    middle = {name: median(times[1:]) for name, times in seconds.items()}  # the first run warms up
    work = operations(config, width)
    return [
        {
            "width": width,
            "way": name,
            "runs": len(times) - 1,
            "median": middle[name],
            "least": min(times[1:]),
            "ratio": middle[name] / middle[BARE],
            "tflops": work / middle[name] / 1e12,
        }
        for name, times in seconds.items()
    ]


def tuned(config: RetrievalBenchmark, key: Tensor, value: Tensor) -> dict[str, tuple[Way, Any, Any]]:
    """Our kernels with other tile sizes in their forward or backward module; those that do not fit are left out."""
    from triton import OutOfResources

    from mosaics.memory import triton_backward, triton_forward
    from mosaics.memory.triton_common import Tiles

    way = partial(retrieve, beta=1.0, score="dot", window=config.options("dot").window, implementation="triton")
    sizes = ((128, 64, 4, 3), (128, 64, 8, 2), (128, 64, 8, 3), (128, 128, 8, 2), (128, 32, 8, 3), (64, 64, 4, 3))
    found: dict[str, tuple[Way, Any, Any]] = {}
    for module in (triton_forward, triton_backward) if config.backward else (triton_forward,):
        for size in (Tiles(*each) for each in sizes):
            name = f"{module.__name__[15:]}: {size.rows} x {size.columns}, {size.warps} warps, {size.stages} stages"
            try:
                with replaced(module, size):
                    timed(way, key, value, torch.ones_like(value) if config.backward else None)
            except OutOfResources as problem:
                print(f"  {name}: left out, {problem}")
            else:
                found[name] = (way, module, size)
    return found


@contextmanager
def replaced(module: Any, size: Any) -> Iterator[None]:
    """Let `module` choose `size`, where one is given."""
    if module is None:
        yield
        return
    usual, module.tiles = module.tiles, lambda *_: size
    try:
        yield
    finally:
        module.tiles = usual


def show(rows: list[dict[str, Any]], title: str) -> None:
    """Print the rows."""
    table = Table("width", "way", "runs", "median (ms)", "least (ms)", f"median / {BARE}", "TFLOP/s", title=title)
    for row in rows:
        times = (f"{1e3 * row[name]:.2f}" for name in ("median", "least"))
        table.add_row(
            str(row["width"]), row["way"], str(row["runs"]), *times, f"{row['ratio']:.3f}", f"{row['tflops']:.3g}"
        )
    Console().print(table)


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark from command line words."""
    config = configured(RetrievalBenchmark, arguments, __doc__)
    machine = provenance()
    rows = [row for width in config.widths for row in measure(config, width)]
    show(rows, "forward + backward" if config.backward else "forward")
    asked = {each.name: getattr(config, each.name) for each in fields(config) if each.name != "out"}
    write({"machine": machine, **asked, "rows": rows}, config.out)


if __name__ == "__main__":
    run_module(main)
