"""Transformers: GPT-2 with learned positions, and the same block with rotary positions.

    h_0 = E[x] + P[T]  (learned)   or   E[x]  (rotary)
    h' = h + W_o attention(LN(h)),     h = h' + W_2 gelu(W_1 LN(h') + b_1) + b_2
    attention_T = sum_{t <= T} softmax_t(q_T . k_t / sqrt(d / heads)) v_t,       (q, k, v) = W_qkv LN(h)
    logits = LN(h_L) E^T

A head is a memory that asks with a query of its own and stores a pair at the step that reads it, without a peek; it
retrieves by one call, `Attention.lookup`, as the memories of mosaics do (`mosaics.lookups`).

Rotary: coordinates (i, i + w / 2) of q_T and k_T, w = d / heads, are turned by the angle T / 10000^(2 i / w).

Weights start as N(0, 0.02^2), those that write into the residual stream as N(0, 0.02^2 / (2 layers)), biases at 0.
Sequences (batch, T, d), heads (batch, heads, T, w).

Reference: Radford et al., Language models are unsupervised multitask learners, 2019 (GPT-2); Su et al., RoFormer,
arXiv 2104.09864.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from mosaics.base import initialise, seeded
from mosaics.ends import Ends, check_ends
from mosaics.memory.options import Options, visible
from mosaics.pairs import Pairs, PairStore
from mosaics.registry import MODELS
from mosaics.stack import Stack, StoreMaker
from mosaics.units import FeedForward
from toyworlds.core.validate import choice, integer, real, reject

BASE = 10_000.0


@MODELS.register("transformer", "tokens", "vectors", "segments")
@dataclass(frozen=True)
class TransformerConfig:
    """GPT-2 transformer: learned positions, pre-norm, GELU."""

    size_field: ClassVar[str] = "feedforward_size"
    peek: ClassVar[int] = 0

    vocabulary: int = 0
    """Number of tokens; 0 for vectors."""
    channels: int = 0
    """Numbers in one vector; 0 for tokens."""
    n_layers: int = 2
    """Blocks."""
    n_heads: int = 8
    """Attention heads."""
    width: int = 128
    """Width d of the residual stream, a multiple of n_heads."""
    feedforward_size: int = 0
    """Hidden units of the feed-forward network; 0 for 4 d."""
    positions: Literal["learned", "rotary"] = "learned"
    """How a token knows where it stands."""
    context: int = 1024
    """Longest context; learned positions have one vector a step, rotary ones take 0 for any length."""
    bias: bool = True
    """Biases in linear maps and norms."""
    tied_embedding: bool = True
    """One matrix for embedding and read-out (tokens only)."""
    dropout: float = 0.0
    """Dropout of attention weights, of what a unit adds to the residual stream, and of the embedding."""

    def __post_init__(self) -> None:
        check_ends(self.vocabulary, self.channels)
        for name in ("n_layers", "n_heads", "width"):
            integer(name, getattr(self, name), 1)
        integer("feedforward_size", self.feedforward_size, 0)
        choice("positions", self.positions, ("learned", "rotary"))
        integer("context", self.context, 1 if self.positions == "learned" else 0)
        if self.width % self.n_heads:
            reject("n_heads", f"a divisor of the width {self.width}", self.n_heads)
        if self.positions == "rotary" and self.width // self.n_heads % 2:
            reject("width", "an even number a head, for rotary positions", self.width // self.n_heads)
        if real("dropout", self.dropout, 0.0) >= 1.0:
            reject("dropout", "a number from 0 up to, but not including, 1", self.dropout)

    def build(self, seed: int = 0) -> Transformer:
        """Return the model that starts from `seed`."""
        return Transformer(self, seed)


@MODELS.register("rotary_transformer", "tokens", "vectors", "segments")
@dataclass(frozen=True)
class RotaryTransformerConfig(TransformerConfig):
    """Transformer with rotary positions: any context length."""

    positions: Literal["learned", "rotary"] = "rotary"
    """How a token knows where it stands."""
    context: int = 0
    """Longest context; 0 for any."""


def attend(
    key: Tensor,
    value: Tensor,
    *,
    query: Tensor,
    beta: float,
    score: Literal["dot"],
    window: tuple[Literal[0], None],
    dropout: float = 0.0,
    segments: Tensor | None = None,
) -> Tensor:
    """Retrieve (batch, heads, T, w) at every step from the pairs up to it.

    Called as `mosaics.memory.retrieve` is, so that another lookup can answer; score and window are those of attention.
    """
    seen = None
    if segments is not None:
        seen = visible(key.shape[2], Options(near=0, segments=segments), key.device)
    return functional.scaled_dot_product_attention(query, key, value, seen, dropout, is_causal=seen is None, scale=beta)


class Attention(nn.Module):
    """Causal self-attention."""

    lookup = staticmethod(attend)

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.n_heads, self.dropout = config.n_heads, config.dropout
        self.rotary = config.positions == "rotary"
        self.scale = 1.0 / math.sqrt(config.width // config.n_heads)
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=config.bias)
        self.output = nn.Linear(config.width, config.width, bias=config.bias)

    def forward(self, x: Tensor, state: PairStore | None = None, segments: Tensor | None = None) -> Tensor:
        """Output (batch, T, d); an empty `state`, where given, receives the pairs.

        Each of the `segments` (batch, T) by itself: rotary positions need no other start, as only differences count.
        """
        query, key, value = self._project(x, 0)
        if state is not None:
            state.store(key, value)
        dropout = self.dropout if self.training else 0.0
        own = None if segments is None else segments[:, None]
        found = self.lookup(
            key, value, query=query, beta=self.scale, score="dot", window=(0, None), dropout=dropout, segments=own
        )
        return self.output(found.transpose(1, 2).flatten(2))

    def memories(self) -> dict[str, nn.Module]:
        """Return the one memory, which has no name."""
        return {"": self}

    def weights(self, x: Tensor) -> Tensor:
        """Attention weights (batch, heads, T, T) for inputs (batch, T, d): (T, t) is that of step t at step T."""
        query, key, _ = self._project(x, 0)
        later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).triu(1)
        return (query @ key.mT * self.scale).masked_fill(later, -torch.inf).softmax(-1)

    def step(self, x: Tensor, state: PairStore) -> Tensor:
        """Output (batch, d) for one input (batch, d) after those of `state`."""
        query, key, value = self._project(x[:, None], state.count)
        state.store(key, value)
        return self.output(state.retrieve(query * self.scale).flatten(1))

    def _project(self, x: Tensor, start: int) -> tuple[Tensor, Tensor, Tensor]:
        parts = self.qkv(x).unflatten(-1, (3, self.n_heads, -1)).transpose(1, 3).unbind(2)
        if not self.rotary:
            return parts
        return turned(parts[0], start), turned(parts[1], start), parts[2]


def turned(x: Tensor, start: int) -> Tensor:
    """Turn the coordinates of x (batch, heads, T, w) by the angles of positions start .. start + T - 1."""
    half = x.shape[-1] // 2
    rates = BASE ** -(torch.arange(half, device=x.device, dtype=torch.float64) / half)
    steps = torch.arange(start, start + x.shape[-2], device=x.device, dtype=torch.float64)
    angles = steps[:, None] * rates
    cosine, sine = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], -1)


class TransformerBlock(nn.Module):
    """Attention and a feed-forward network, each between a norm and the residual stream."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.width, bias=config.bias)
        self.attention = Attention(config)
        self.second_norm = nn.LayerNorm(config.width, bias=config.bias)
        self.second = FeedForward(config.width, config.feedforward_size or 4 * config.width, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, state: PairStore | None = None, segments: Tensor | None = None) -> Tensor:
        """Residual stream (batch, T, d) after the block."""
        x = x + self.dropout(self.attention(self.norm(x), state, segments))
        return x + self.dropout(self.second(self.second_norm(x)))

    def initial_state(self, batch: int, make_store: StoreMaker | None = None) -> PairStore:
        """Return the pairs before any input: none; `make_store` makes the place where they are held."""
        return (make_store or Pairs)("dot")

    def step(self, x: Tensor, state: PairStore) -> Tensor:
        """Residual stream (batch, d) after the block for one input."""
        x = x + self.dropout(self.attention.step(self.norm(x), state))
        return x + self.dropout(self.second(self.second_norm(x)))


class Transformer(Stack):
    """The model of this file."""

    def __init__(self, config: TransformerConfig, seed: int = 0) -> None:
        super().__init__(config, seed)
        with seeded(seed, "transformer"):
            self.ends = Ends(config, tied=config.tied_embedding, limit=config.context or None)
            if config.positions == "learned":
                self.positions = nn.Embedding(config.context, config.width)
            self.dropout = nn.Dropout(config.dropout)
            self.blocks = nn.ModuleList([TransformerBlock(config) for _ in range(config.n_layers)])
            self.norm = nn.LayerNorm(config.width, bias=config.bias)
            initialise(self, 0.02, 2 * config.n_layers, embedding_std=0.02)

    def flops_per_token(self, context: int) -> float:
        """Operations of one step at the end of `context` steps: 2 a weight used, 4 d a pair looked at."""
        return 2.0 * self.multiplied_parameters() + self.config.n_layers * 4.0 * self.config.width * context
