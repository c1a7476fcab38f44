"""Time a training step of the Memory Mosaic next to a transformer of equal size and to its own slow twin.

RegBench shape: 2 blocks, d = 128, 8 heads, 32 sequences of 400 tokens, float32. A step is forward, cross-entropy,
backward and AdamW. The four take turns, step by step, in one run, so that all see the same machine:

    mosaic         ours; its persistent size gives it the transformer's parameter count (positions not counted)
    transformer    ours: GPT-2 with learned positions
    plain block    the same transformer written down bare: fused QKV projection, attention, feed-forward network
    slow twin      the published equations written down plainly (benchmarks/slow_mosaic.py); one step for every
                   `slow_every` of the others

A ratio is taken within each turn; the median over turns is printed with its quartiles.

    python -m benchmarks.mosaic_step --out results/mosaic/step.json
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import provenance, slow_mosaic
from benchmarks.command import configured, run_module, write
from mosaics.baselines.transformer import TransformerConfig
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.sizes import match_parameters


@dataclass(frozen=True)
class StepBenchmark:
    """Time training steps."""

    out: Path | None = None
    """JSON file to write."""
    turns: int = 15
    """Timed turns, after two that warm up."""
    slow_every: int = 5
    """The slow twin takes part in every so many turns."""
    batch: int = 32
    """Sequences."""
    length: int = 400
    """Tokens in a sequence."""
    vocabulary: int = 20
    """Number of tokens."""


class PlainBlock(nn.Module):
    """One block of GPT-2 written down bare."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.qkv, self.output = nn.LayerNorm(d), nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.second_norm, self.up, self.down = nn.LayerNorm(d), nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x: Tensor) -> Tensor:
        """Residual stream after the block."""
        parts = self.qkv(self.norm(x)).unflatten(-1, (3, self.heads, -1)).transpose(1, 3)
        query, key, value = parts.unbind(2)
        found = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.output(found.transpose(1, 2).flatten(2))
        return x + self.down(functional.gelu(self.up(self.second_norm(x))))


class PlainTransformer(nn.Module):
    """GPT-2 written down bare."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        d = config.width
        self.tokens, self.positions = nn.Embedding(config.vocabulary, d), nn.Embedding(config.context, d)
        self.blocks = nn.Sequential(*(PlainBlock(d, config.n_heads) for _ in range(config.n_layers)))
        self.norm = nn.LayerNorm(d)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of tokens (B, T)."""
        x = self.blocks(self.tokens(tokens) + self.positions.weight[: tokens.shape[1]])
        return self.norm(x) @ self.tokens.weight.T


def contestants(config: StepBenchmark) -> dict[str, tuple[nn.Module, Callable[[Tensor], Tensor]]]:
    """Modules and their forward passes, by name."""
    rival = TransformerConfig(vocabulary=config.vocabulary, context=config.length)
    transformer = rival.build()
    mosaic = match_parameters(MemoryMosaicConfig(vocabulary=config.vocabulary), size_of(transformer)).build()
    twin = mosaic.config.build()
    plain = PlainTransformer(rival)
    return {
        "mosaic": (mosaic, mosaic),
        "transformer": (transformer, transformer),
        "plain block": (plain, plain),
        "slow twin": (twin, lambda tokens: slow_mosaic.logits(twin, tokens)),
    }


def size_of(model: nn.Module) -> int:
    """Parameters, position vectors not counted."""
    positions = getattr(model, "positions", None)
    looked_up = 0 if positions is None else positions.weight.numel()
    return sum(parameter.numel() for parameter in model.parameters()) - looked_up


def measure(config: StepBenchmark) -> dict[str, Any]:
    """Seconds of every step, sizes, and the ratios within turns."""
    torch.manual_seed(0)
    tokens, targets = torch.randint(config.vocabulary, (2, config.batch, config.length))
    ways = contestants(config)
    optimizers = {name: torch.optim.AdamW(model.parameters(), fused=True) for name, (model, _) in ways.items()}
    turns: list[dict[str, float]] = []
    for turn in range(-2, config.turns):
        seconds = {}
        for name, (_, forward) in ways.items():
            if name == "slow twin" and turn % config.slow_every:
                continue
            begin = time.perf_counter()
            functional.cross_entropy(forward(tokens).flatten(0, 1), targets.flatten()).backward()
            optimizers[name].step()
            optimizers[name].zero_grad()
            seconds[name] = time.perf_counter() - begin
        if turn >= 0:
            turns.append(seconds)
    pairs = [("transformer", "mosaic"), ("plain block", "transformer"), ("slow twin", "mosaic")]
    return {
        "parameters": {name: size_of(model) for name, (model, _) in ways.items()},
        "seconds": {name: [turn[name] for turn in turns if name in turn] for name in ways},
        "ratios": {f"{a} / {b}": ratio([turn[a] / turn[b] for turn in turns if a in turn]) for a, b in pairs},
    }


def ratio(values: list[float]) -> dict[str, float]:
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"low": low, "median": middle, "high": high}


def show(found: dict[str, Any]) -> None:
    """Print medians and ratios."""
    console = Console()
    times = Table("way", "parameters", "steps", "median (ms)", "least (ms)", title="one training step")
    for name, seconds in found["seconds"].items():
        milliseconds = (f"{1e3 * value:.0f}" for value in (statistics.median(seconds), min(seconds)))
        times.add_row(name, f"{found['parameters'][name]:,}", str(len(seconds)), *milliseconds)
    console.print(times)
    ratios = Table("time of / time of", "median", "quartiles", title="ratios within turns")
    for name, row in found["ratios"].items():
        ratios.add_row(name, f"{row['median']:.3f}", f"{row['low']:.3f} .. {row['high']:.3f}")
    console.print(ratios)


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark from command line words."""
    config = configured(StepBenchmark, arguments, __doc__)
    machine = provenance()
    found = measure(config)
    show(found)
    shape = {"batch": config.batch, "length": config.length, "vocabulary": config.vocabulary}
    write({"machine": machine, "shape": shape, "dtype": "float32", **found}, config.out)


if __name__ == "__main__":
    run_module(main)
