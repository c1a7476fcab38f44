"""Time a training step of the published three-moons recipe against attention alone.

In one run of the real training loop, before each step: torch's fused causal attention, forward and backward, on
the keys and values of that moment, and our retrieval on the same tensors. So the three are interleaved and see the
same machine. A step is everything: batch, forward, backward, AdamW, record. Trained keys are longer than those at
the start, so that most weights are close to 0, where arithmetic can be slower.

    python -m benchmarks.moons_step                         a table
    python -m benchmarks.moons_step --out results/speed/moons_step.json
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional

from benchmarks import provenance
from benchmarks.command import configured, run_module, write
from mosaics.memory import choose, retrieve
from mosaics.moons_model import MoonsModelConfig
from mosaics.tasks.moons import MoonsTaskConfig, published_recipe
from mosaics.training import train
from toyworlds.core.validate import integer


@dataclass(frozen=True)
class Case:
    """What to time: `members` models of `n_heads` heads, `batch_size` sequences of 800 steps each."""

    name: str
    n_heads: int = 3
    batch_size: int = 64
    members: int | None = None
    trained_for: int = 2


CASES = (
    Case("published"),
    Case("published, after 100 steps", trained_for=100),
    Case("one head of width 6", n_heads=1),
    Case("batch 16", batch_size=16),
    Case("batch 16, population of 8", batch_size=16, members=8),
)


class Interleaved:
    """A moons task that notes, whenever a batch is asked for, how long the step took and what else takes."""

    def __init__(self, config: MoonsTaskConfig, case: Case, model: MoonsModelConfig) -> None:
        seed = tuple(range(case.members)) if case.members else 0
        self.task, self.config, self.seed = config.build(seed), config, seed
        self.model, self.trained_for = model.build(seed), case.trained_for
        self.gradient = torch.randn(self.tensors()[1].shape)
        self.seconds: dict[str, list[float]] = {"step": [], "attention": [], "retrieval": []}
        self.began = 0.0

    def batch(self, step: int) -> dict[str, Tensor]:
        """Note the time since the last batch, time attention and retrieval, then return the batch."""
        if self.began:
            self.seconds["step"].append(time.perf_counter() - self.began)
        if step >= self.trained_for:
            key, value = (x.clone().requires_grad_() for x in self.tensors())
            attention = partial(functional.scaled_dot_product_attention, is_causal=True, scale=self.model.config.beta)
            self.time("attention", attention, key, key, value)
            self.time("retrieval", partial(retrieve, beta=self.model.config.beta, score="dot"), key, value)
            self.began = time.perf_counter()
        return self.task.batch(step)

    @torch.no_grad()
    def tensors(self) -> tuple[Tensor, Tensor]:
        """Return the keys and values that the model has for the first batch: (sequences, head, T, width)."""
        keys, values = self.model.pairs(self.task.batch(0)["observation"][..., :-1, :])
        return keys.flatten(0, -4).contiguous(), values.flatten(0, -4).contiguous()

    def time(self, name: str, forward: Callable[..., Tensor], *tensors: Tensor) -> None:
        """Time forward and backward, for gradients of size 1: no denormal number slows attention down."""
        began = time.perf_counter()
        torch.autograd.grad(forward(*tensors), tensors[-2:], self.gradient)
        self.seconds[name].append(time.perf_counter() - began)

    def loss(self, model: torch.nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Return the task's loss."""
        return self.task.loss(model, batch)

    def evaluate(self, model: torch.nn.Module) -> dict[str, float | list[float]]:
        """Return nothing: the evaluation at the end is not timed."""
        return {}


def measure(case: Case, steps: int) -> dict[str, Any]:
    """Train for a few steps; medians and minima in seconds, and the ratio of a step to attention alone."""
    model, task, training = published_recipe(case.n_heads)
    timed = Interleaved(replace(task, batch_size=case.batch_size), case, model)
    way = choose(*timed.tensors()).name
    training = replace(training, steps=case.trained_for + steps + 1, device="cpu")
    train(timed.model, timed, training, progress=False)
    row: dict[str, Any] = {name: median(values) for name, values in timed.seconds.items()}
    fastest = {f"fastest_{name}": min(values) for name, values in timed.seconds.items()}
    return {"case": case.name, "implementation": way, **row, **fastest, "ratio": row["step"] / row["attention"]}


@dataclass(frozen=True)
class MoonsStepBenchmark:
    """Time training steps of the moons model against attention alone."""

    steps: int = 15
    """Steps to time, in each case."""
    out: Path | None = None
    """JSON file to write."""

    def __post_init__(self) -> None:
        integer("steps", self.steps, 1)


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark from command line words."""
    config = configured(MoonsStepBenchmark, arguments, __doc__)
    machine = provenance()
    rows = [measure(case, config.steps) for case in CASES]
    table = Table("ms", "attention alone", "retrieval alone", "step", "step / attention")
    for row in rows:
        times = (f"{1e3 * row[name]:.1f}" for name in ("attention", "retrieval", "step"))
        table.add_row(row["case"], *times, f"{row['ratio']:.3f}")
    Console().print(table)
    write({"machine": machine, "steps": config.steps, "rows": rows}, config.out)


if __name__ == "__main__":
    run_module(main)
