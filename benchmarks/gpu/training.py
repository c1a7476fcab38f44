"""A short real training, once through the kernels and once through torch: losses must fall, and alike.

The RegBench-shaped mosaic learns RegBench problems. `falls` says that the mean loss of the last tenth of the steps is
under that of the first tenth by at least `LEAST_FALL` nats; `alike` that the two ways end within `NEAR` nats of each
other: same start, same batches, other rounding.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch.nn import functional

from benchmarks.gpu.measure import Context, error_of
from benchmarks.gpu.small_models import SIZES, TINY, problems
from mosaics.memory import api, leaky_average
from mosaics.mosaic import MemoryMosaicConfig
from toyworlds.core import environment

STEPS, BATCH, PROBLEMS = 300, 32, 640
WARM_UP = 30
RATE = 1e-3
LEAST_FALL, NEAR = 0.3, 0.1
WAYS = {"triton": ("triton", "triton"), "torch": ("fused", "chunked")}
"""Implementation of retrieval and of the leaky average."""


def rows(context: Context) -> Iterator[dict[str, Any]]:
    """One row a way, then the comparison."""
    ends: dict[str, float] = {}
    for name, (retrieval, average) in WAYS.items():
        if context.left < 0:
            return
        try:
            with environment.variables({api.VARIABLE: retrieval, leaky_average.VARIABLE: average}):
                begin = time.perf_counter()
                losses = train(context)
        except Exception as error:  # whatever a training raises is its result
            yield {"way": name, "error": error_of(error)}
            continue
        part = max(len(losses) // 10, 1)
        first, ends[name] = (statistics.fmean(some) for some in (losses[:part], losses[-part:]))
        yield {
            "way": name,
            "steps": len(losses),
            "seconds": time.perf_counter() - begin,
            "first": first,
            "last": ends[name],
            "falls": first - ends[name] >= LEAST_FALL,
            "losses": losses,
        }
    if len(ends) == len(WAYS):
        apart = abs(ends["triton"] - ends["torch"])
        yield {"way": "both", "apart": apart, "alike": apart <= NEAR}


def train(context: Context) -> list[float]:
    """Losses of all steps; the time that is left may end it early."""
    steps, batch, count = (2, 1, 2) if context.tiny else (STEPS, BATCH, PROBLEMS)
    tokens, labels = problems(context, count)
    if context.tiny:
        tokens, labels = tokens[:, :17], labels[:, :17]
    model = MemoryMosaicConfig(vocabulary=20, **(TINY if context.tiny else SIZES)).build(0).to(context.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    losses = []
    for step in range(steps):
        if context.left < 0:
            break
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARM_UP)
        some = [(step * batch + i) % count for i in range(batch)]
        with torch.autocast(context.device.type, dtype=context.dtype):
            logits = model(tokens[some])
        loss = functional.cross_entropy(logits.flatten(0, 1).float(), labels[some].flatten(), ignore_index=-1)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.detach())
    return torch.stack(losses).tolist()
