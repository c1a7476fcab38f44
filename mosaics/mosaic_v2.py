"""Memory Mosaic v2: short-term, long-term and persistent memories on a residual stream.

    h' = h + contextual(LN(h)),   h = h' + persistent(LN(h')),   logits = LN(h_L) E^T / sqrt(d)

    contextual    short-term and long-term memories (`mosaics.levels`)
    persistent    y = W_2 (silu(W_1 x) * W_3 x), the paper's SwiGLU network

No part depends on where a step stands in the sequence, so a model reads contexts of any length; the long-term delay m
is drawn from a range at every training forward pass and fixed otherwise.

Reference: Memory Mosaics at scale, arXiv 2507.03285, sec. 3 and appendix C.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor, nn
from torch.nn import functional

from mosaics.base import initialise, seeded
from mosaics.ends import Ends, check_ends
from mosaics.levels import OneLevelMemory, TwoLevelMemory
from mosaics.registry import MODELS
from mosaics.stack import Stack, StoreMaker
from toyworlds.core.validate import choice, integer, real, reject


@MODELS.register("mosaic_v2", "tokens", "vectors", "segments")
@dataclass(frozen=True)
class MemoryMosaicV2Config:
    """Memory Mosaic v2: adaptive bandwidth, gated keys, short-term and long-term memories."""

    size_field: ClassVar[str] = "hidden_size"

    vocabulary: int = 0
    """Number of tokens; 0 for vectors."""
    channels: int = 0
    """Numbers in one vector; 0 for tokens."""
    n_layers: int = 2
    """Blocks."""
    n_heads: int = 8
    """Memories in a unit."""
    width: int = 128
    """Width d of the residual stream, a multiple of n_heads."""
    hidden_size: int = 0
    """Hidden units of the persistent memory (a SwiGLU network); 0 for 8 d / 3."""
    window: int = 256
    """Steps h that the short-term memory looks back."""
    delay: int = 64
    """Age m, in steps, from which on pairs are in the long-term memory, at inference."""
    shortest_delay: int = 64
    """Smallest m in training."""
    longest_delay: int = 256
    """Largest m in training."""
    levels: Literal["two", "one"] = "two"
    """Short-term and long-term memories; or (ablation) one memory of all pairs."""
    gated_key: bool = True
    """Gated, time-varying leaky average of keys; off (ablation): one decay a head, as in the first version."""
    adaptive_bandwidth: bool = True
    """Bandwidth that grows with the number of pairs; off (ablation): one a head."""
    tied_embedding: bool = True
    """One matrix for embedding and read-out (tokens only)."""
    dropout: float = 0.0
    """Dropout of what a unit adds to the residual stream."""

    def __post_init__(self) -> None:
        check_ends(self.vocabulary, self.channels)
        for name in ("n_layers", "n_heads", "width", "window", "delay", "shortest_delay"):
            integer(name, getattr(self, name), 1)
        integer("hidden_size", self.hidden_size, 0)
        choice("levels", self.levels, ("two", "one"))
        integer("longest_delay", self.longest_delay, self.shortest_delay)
        if self.width % self.n_heads:
            reject("n_heads", f"a divisor of the width {self.width}", self.n_heads)
        if real("dropout", self.dropout, 0.0) >= 1.0:
            reject("dropout", "a number from 0 up to, but not including, 1", self.dropout)

    def build(self, seed: int = 0) -> MemoryMosaicV2:
        """Return the model that starts from `seed`."""
        return MemoryMosaicV2(self, seed)


class SwiGLU(nn.Module):
    """y = W_2 (silu(W_1 x) * W_3 x): the persistent memory."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, 2 * hidden, bias=False)
        self.output = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Output, shaped as x."""
        gate, value = self.hidden(x).chunk(2, -1)
        return self.output(functional.silu(gate) * value)


def contextual_memory(config: MemoryMosaicV2Config) -> TwoLevelMemory | OneLevelMemory:
    """Build the contextual memory of one block."""
    parts: dict[str, Any] = {"gated": config.gated_key, "adaptive": config.adaptive_bandwidth}
    if config.levels == "one":
        return OneLevelMemory(config.width, config.n_heads, **parts)
    training_delay = (config.shortest_delay, config.longest_delay)
    sizes: dict[str, Any] = {"window": config.window, "delay": config.delay, "training_delay": training_delay}
    return TwoLevelMemory(config.width, config.n_heads, **sizes, **parts)


class BlockV2(nn.Module):
    """Two-level memory and persistent memory, each between a norm and the residual stream."""

    def __init__(self, config: MemoryMosaicV2Config) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.width, bias=False)
        self.contextual = contextual_memory(config)
        self.second_norm = nn.LayerNorm(config.width, bias=False)
        self.second = SwiGLU(config.width, config.hidden_size or 8 * config.width // 3)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, state: Any = None, segments: Tensor | None = None) -> Tensor:
        """Residual stream (batch, T, d) after the block."""
        x = x + self.dropout(self.contextual(self.norm(x), state, segments))
        return x + self.dropout(self.second(self.second_norm(x)))

    def step(self, x: Tensor, state: Any) -> Tensor:
        """Residual stream (batch, d) after the block for one input."""
        x = x + self.dropout(self.contextual.step(self.norm(x), state))
        return x + self.dropout(self.second(self.second_norm(x)))

    def initial_state(self, batch: int, make_store: StoreMaker | None = None) -> Any:
        """Return the state before any input."""
        return self.contextual.initial_state(batch, make_store)


class MemoryMosaicV2(Stack):
    """The model of this file."""

    def __init__(self, config: MemoryMosaicV2Config, seed: int = 0) -> None:
        super().__init__(config, seed)
        with seeded(seed, "mosaic_v2"):
            self.ends = Ends(config, tied=config.tied_embedding, scale=1.0 if config.channels else config.width**-0.5)
            self.dropout = nn.Dropout(config.dropout)
            self.blocks = nn.ModuleList([BlockV2(config) for _ in range(config.n_layers)])
            self.norm = nn.LayerNorm(config.width, bias=False)
            embedding = config.width**-0.5 if config.tied_embedding else 1.0
            initialise(self, None, config.n_layers, embedding_std=embedding)

    def flops_per_token(self, context: int) -> float:
        """Operations of one step at the end of `context` steps: 2 a weight used, 4 d a pair looked at."""
        config = self.config
        pairs = min(context, config.window) + max(context - config.delay, 0) if config.levels == "two" else context
        return 2.0 * self.multiplied_parameters() + config.n_layers * 4.0 * config.width * pairs
