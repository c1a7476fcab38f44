"""Training steps of a GPT-2-small-shaped mosaic, of our GPT-2, and of the mosaic's slow twin.

12 blocks, 12 heads, width 768, 50,257 tokens, bfloat16 autocast, float32 weights, AdamW. A step is forward,
cross-entropy, backward, AdamW. Mosaic and transformer are compiled (torch.compile), the transformer's attention is
torch's by its flash backend; the slow twin (`benchmarks.slow_mosaic`) is the published equations written down plainly,
on fewer sequences where its T x T tables ask for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks import slow_mosaic
from benchmarks.gpu.measure import Context, Way, error_of, interleaved, peak_memory, tidy
from mosaics.baselines.transformer import TransformerConfig
from mosaics.mosaic import MemoryMosaicConfig

GPT2: dict[str, Any] = {"vocabulary": 50257, "n_layers": 12, "n_heads": 12, "width": 768}
TINY: dict[str, Any] = {"vocabulary": 11, "n_layers": 1, "n_heads": 2, "width": 8}
BATCHES = {2048: (8, 1), 512: (32, 8)}
"""Sequences in a batch by length: of the models, and of the slow twin."""
SECONDS = 8.0


def rows(context: Context) -> Iterator[dict[str, Any]]:
    """One row a block length; the ways are timed in turn."""
    for length in (16,) if context.tiny else BATCHES:
        if context.left < 0:
            return
        yield row(context, length)
        tidy(context)


def row(context: Context, length: int) -> dict[str, Any]:
    """Time a step of each model at one length."""
    batch, slow_batch = (2, 1) if context.tiny else BATCHES[length]
    sizes = TINY if context.tiny else GPT2
    mosaic = MemoryMosaicConfig(**sizes, persistent_size=0 if context.tiny else 2688)
    transformer = TransformerConfig(**sizes, context=length)
    makers: dict[str, tuple[int, Callable[[], tuple[nn.Module, Callable[[Tensor], Tensor]]]]] = {
        "mosaic": (batch, lambda: _compiled(context, mosaic.build().to(context.device))),
        "transformer": (batch, lambda: _flash(*_compiled(context, transformer.build().to(context.device)))),
        "slow twin": (slow_batch, lambda: _slow(mosaic.build().to(context.device))),
    }
    ways: dict[str, Way] = {}
    found: dict[str, dict[str, Any]] = {}
    notes: dict[str, dict[str, Any]] = {}
    for name, (rows_, make) in makers.items():
        try:
            model, forward = make()
            ways[name] = step(context, model, forward, (rows_, length), sizes["vocabulary"])
            ways[name]()
            notes[name] = {"tokens": rows_ * length, "bytes": peak_memory(context, ways[name])}
            notes[name]["parameters"] = sum(p.numel() for p in model.parameters())
            notes[name]["flops"] = 3 * rows_ * length * _flops(model, length)
        except Exception as error:  # whatever a candidate raises is its result
            ways.pop(name, None)
            found[name] = {"error": error_of(error)}
            tidy(context)
    found |= interleaved(context, ways, min(SECONDS, max(context.left, 1.0)))
    for name, measured in found.items():
        if "median" in measured:
            measured.update(notes[name], tokens_a_second=notes[name]["tokens"] / measured["median"])
            measured["share_of_matmul"] = notes[name]["flops"] / measured["median"] / context.ceilings["matmul"]
    rates = {name: m["tokens_a_second"] for name, m in found.items() if "tokens_a_second" in m}
    ratios = {f"mosaic / {name}": rates["mosaic"] / rate for name, rate in rates.items() if "mosaic" in rates}
    return {"length": length, "batch": batch, "ways": found, "tokens_a_second": ratios}


def step(
    context: Context, model: nn.Module, forward: Callable[[Tensor], Tensor], shape: tuple[int, int], vocabulary: int
) -> Way:
    """Return one training step as a call."""
    tokens, targets = (torch.randint(vocabulary, shape, device=context.device) for _ in range(2))
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)

    def run() -> None:
        with torch.autocast(context.device.type, dtype=context.dtype):
            logits = forward(tokens)
            loss = functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return run


def _compiled(context: Context, model: nn.Module) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    compiled: Callable[[Tensor], Tensor] = torch.compile(model, dynamic=False, backend=context.backend)
    return model, compiled


def _flash(model: nn.Module, compiled: Callable[[Tensor], Tensor]) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    def forward(tokens: Tensor) -> Tensor:
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            return compiled(tokens)

    return model, forward


def _slow(model: Any) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    return model, lambda tokens: slow_mosaic.logits(model, tokens)


def _flops(model: Any, length: int) -> float:
    """Operations of a forward pass a token, the mean over contexts 0 .. length - 1."""
    mean: float = model.flops_per_token((length - 1) // 2)
    return mean
