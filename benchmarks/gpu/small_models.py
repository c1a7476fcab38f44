"""RegBench-shaped small models, one after another and as a population (`mosaics.stacked`).

2 blocks, 8 heads, width 128, batches of 32 problems, bfloat16 autocast, AdamW. `gain` is how many times as fast the
population of `MEMBERS` makes its updates as lone models do one after another: members * lone step / population step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.gpu.measure import Context, Way, interleaved, tidy
from mosaics.baselines.transformer import TransformerConfig
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.stacked import StackedModel
from regbench import load
from regbench.suites import RegBench

MEMBERS = 16
BATCH = 32
SECONDS = 6.0
SIZES: dict[str, Any] = {"n_layers": 2, "n_heads": 8, "width": 128}
TINY: dict[str, Any] = {"n_layers": 1, "n_heads": 2, "width": 8}


def rows(context: Context) -> Iterator[dict[str, Any]]:
    """One row a kind of model."""
    members, batch = (2, 2) if context.tiny else (MEMBERS, BATCH)
    tokens, labels = problems(context, members * batch)
    sizes = TINY if context.tiny else SIZES
    configs = {
        "mosaic": MemoryMosaicConfig(vocabulary=20, **sizes),
        "transformer": TransformerConfig(vocabulary=20, context=tokens.shape[1], **sizes),
    }
    for name, config in configs.items():
        if context.left < 0:
            return
        yield {"model": name, "members": members, "batch": (batch, tokens.shape[1])} | row(
            context, config, tokens.unflatten(0, (members, batch)), labels.unflatten(0, (members, batch))
        )
        tidy(context)


def problems(context: Context, count: int) -> tuple[Tensor, Tensor]:
    """Tokens and labels (count, T) of training problems, padded to one length."""
    found = load(RegBench(), "train", 0, count, seed=0)
    last = 40 if context.tiny else int(found.lengths.max()) - 1
    return tuple(  # type: ignore[return-value]  # two of them
        torch.from_numpy(part[:, :last].astype(np.int64)).to(context.device) for part in (found.tokens, found.labels)
    )


def row(context: Context, config: Any, tokens: Tensor, labels: Tensor) -> dict[str, Any]:
    """Time a step of a lone model, plain and compiled, and of a population."""
    members = len(tokens)
    population = StackedModel(config, range(members)).to(context.device)
    lone, compiled = (config.build(0).to(context.device) for _ in range(2))
    fast = torch.compile(compiled, dynamic=False, backend=context.backend)

    def of_all() -> Tensor:
        return population.each(_loss, {"tokens": tokens, "labels": labels}).sum()

    ways = {
        "lone": step(context, lone, lambda: _loss(lone, {"tokens": tokens[0], "labels": labels[0]})),
        "lone, compiled": step(context, compiled, lambda: _loss(fast, {"tokens": tokens[0], "labels": labels[0]})),
        "population": step(context, population, of_all),
    }
    found = interleaved(context, ways, min(SECONDS, max(context.left, 1.0)))
    whole = found["population"].get("median")
    gains = {
        f"gain over {name}": members * m["median"] / whole
        for name, m in found.items()
        if whole and "median" in m and name != "population"
    }
    return {"ways": found, **gains}


def step(context: Context, model: nn.Module, loss: Any) -> Way:
    """Return one training step as a call."""
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)

    def run() -> None:
        with torch.autocast(context.device.type, dtype=context.dtype):
            value = loss()
        value.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return run


def _loss(model: Any, batch: dict[str, Tensor]) -> Tensor:
    logits = model(batch["tokens"])
    return functional.cross_entropy(logits.flatten(0, 1).float(), batch["labels"].flatten(), ignore_index=-1)
