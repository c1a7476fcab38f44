"""Memory units: contextual memories, persistent memories, and the network that may stand in their place.

    contextual    y_T = W_o concat_h sum_{t <= T - peek} softmax_t(k_T . k_t) v_t       pairs of this sequence
    persistent    y_T = W_o concat_h (1 / banks) sum_b sum_i softmax_i(k_T . K_bi) V_bi exp(10 value_beta)
    feed-forward  y_T = W_2 gelu(W_1 x_T + b_1) + b_2                                   ablation of the persistent

Keys and values come from `mosaics.extractors`. A contextual memory can hold only pairs whose value is known: at step
T those of steps t <= T - peek; with peek = 0 (an ablation) its own pair too. Where there are none the output is 0.

Dropout acts on retrieval weights during training as published: each weight is dropped with probability p, the others
are divided by 1 - p. On a CPU torch's attention does it, which there computes the whole T x T table.

Sequences (batch, T, d); one step (batch, d). The state of a unit is changed by the step that reads it. Segments
(batch, T), whole numbers, tell packed sequences apart (`mosaics.stack`); there is no state with them.

Reference: Memory Mosaics, arXiv 2405.06394, sec. 2, 3 and 6.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from mosaics.extractors import EXPONENT, KeyState, LeakyKey, PeekingValue, ValueState, project
from mosaics.memory import retrieval_weights, retrieve
from mosaics.memory.windowed import pad
from mosaics.pairs import BETA, Pairs, PairStore
from mosaics.stack import StoreMaker


@dataclass
class ContextualState:
    """What a contextual memory remembers: extractor states, keys whose value is not known yet, stored pairs."""

    key: KeyState
    value: ValueState
    pairs: PairStore
    waiting: list[Tensor] = field(default_factory=list)


class ContextualMemory(nn.Module):
    """Memory of the pairs of the present sequence.

    score is "dot", or "gaussian" where the norms of keys are free; dropout acts on the weights.
    """

    lookup = staticmethod(retrieve)

    def __init__(
        self, key: LeakyKey, value: PeekingValue, output: nn.Linear, *, score: str = "dot", dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.key, self.value, self.output = key, value, output
        self.score, self.dropout, self.peek = score, dropout, value.peek

    def forward(self, x: Tensor, state: ContextualState | None = None, segments: Tensor | None = None) -> Tensor:
        """Output (batch, T, d); a fresh `state`, where given, ends up as after T steps."""
        key, value = self.pairs(x, segments) if state is None else self._fill(x, state)
        return self.output(self.retrieve(key, value, segments).flatten(2))

    def pairs(self, x: Tensor, segments: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Key k_T and value v_T of each step, (batch, heads, T, w); the last `peek` values are not known: zero.

        In a packed row the last `peek` values of a segment but the last one are made of the next one's inputs. None is
        retrieved: the pair of step t is in reach from step t + peek on, which then lies in its segment.
        """
        if self.value.project is not None:
            return self.key(x, segments=segments), self.value(x, segments)
        projected = project(self.key.project, x, None, segments)
        return self.key.from_projected(projected, segments=segments), self.value(projected)

    def retrieve(self, key: Tensor, value: Tensor, segments: Tensor | None = None) -> Tensor:
        """What each memory finds at each step, (batch, T, heads, w), for keys and values (batch, heads, T, w)."""
        dropout = self.dropout if self.training else 0.0
        beta, reach = BETA[self.score], (self.peek, None)
        own = None if segments is None else segments[:, None]
        found = self.lookup(key, value, beta=beta, score=self.score, window=reach, dropout=dropout, segments=own)
        return found.transpose(1, 2)

    def memories(self) -> dict[str, nn.Module]:
        """Return the one memory, which has no name."""
        return {"": self}

    def weights(self, key: Tensor) -> Tensor:
        """Retrieval weights (batch, heads, T, T) for keys (batch, heads, T, w): (T, t) is that of pair t at step T."""
        return retrieval_weights(key, beta=BETA[self.score], score=self.score, window=(self.peek, None))

    def initial_state(self, batch: int, make_store: StoreMaker | None = None) -> ContextualState:
        """Return the state before any input; `make_store` makes the place where pairs are held."""
        store = (make_store or Pairs)(self.score)
        return ContextualState(self.key.initial_state(batch), self.value.initial_state(batch), store)

    def step(self, x: Tensor, state: ContextualState) -> Tensor:
        """Output (batch, d) for one input (batch, d): store the pair that has become known, then retrieve."""
        key, value = self._read(x[:, None], state)
        state.waiting.append(key)
        if len(state.waiting) > self.peek:
            state.pairs.store(state.waiting.pop(0), value)
        return self.output(state.pairs.retrieve(key).flatten(1))

    def _read(self, x: Tensor, state: ContextualState) -> tuple[Tensor, Tensor]:
        """Keys of the inputs and values made at them, (batch, heads, T, w); the extractors' states move on."""
        if self.value.project is not None:
            return self.key(x, state.key), self.value.made(x, state.value)
        projected = project(self.key.project, x, state.key.past)
        return self.key.from_projected(projected, state.key), self.value.made(projected, state.value)

    def _fill(self, x: Tensor, state: ContextualState) -> tuple[Tensor, Tensor]:
        """Return what `pairs` returns and bring a fresh state to the end of x."""
        key, made = self._read(x, state)
        known = max(key.shape[2] - self.peek, 0)
        if known:
            state.pairs.store(key[:, :, :known], made[:, :, self.peek :])
        state.waiting = list(key[:, :, known:].split(1, 2)) if self.peek else []
        unknown = min(self.peek, key.shape[2])
        return key, pad(made, -unknown, unknown)


class PersistentMemory(nn.Module):
    """Learned pairs, (banks, heads, size, w), the same for every sequence; banks are averaged."""

    def __init__(self, key: LeakyKey, output: nn.Linear, size: int, *, banks: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        heads, width = key.heads, output.in_features // key.heads
        self.key, self.output, self.dropout = key, output, dropout
        self.keys = nn.Parameter(torch.randn(banks, heads, size, width) / math.sqrt(width))
        self.values = nn.Parameter(torch.randn(banks, heads, size, width) / math.sqrt(width))
        self.value_beta = nn.Parameter(torch.full((heads,), -0.5 / EXPONENT))

    def forward(self, x: Tensor, state: KeyState | None = None, segments: Tensor | None = None) -> Tensor:
        """Output (batch, T, d)."""
        return self.output(self.retrieve(self.key(x, state, segments)).flatten(2))

    def retrieve(self, query: Tensor) -> Tensor:
        """What each memory finds, (batch, T, heads, w), for queries (batch, heads, T, w)."""
        rows = query.transpose(0, 1).flatten(1, 2)[None]
        dropout = self.dropout if self.training else 0.0
        found = functional.scaled_dot_product_attention
        # cast here, because autocast does not reach the attention inside torch.vmap
        banks = zip(self.keys.to(rows.dtype), self.scaled_values().to(rows.dtype), strict=True)
        parts = (found(rows, keys[None], values[None], dropout_p=dropout, scale=1.0) for keys, values in banks)
        total = functools.reduce(torch.add, parts).squeeze(0)
        return total.transpose(0, 1).unflatten(0, (query.shape[0], query.shape[2]))

    def scaled_values(self) -> Tensor:
        """Values as they are added up: exp(10 value_beta) V / banks."""
        return self.values * (torch.exp(EXPONENT * self.value_beta)[:, None, None] / self.values.shape[0])

    def weights(self, query: Tensor) -> Tensor:
        """Retrieval weights (batch, banks, heads, T, size) of queries (batch, heads, T, w)."""
        return torch.softmax(query[:, None] @ self.keys.mT, -1)

    def initial_state(self, batch: int) -> KeyState:
        """Return the state before any input."""
        return self.key.initial_state(batch)

    def step(self, x: Tensor, state: KeyState) -> Tensor:
        """Output (batch, d) for one input (batch, d)."""
        return self(x[:, None], state)[:, 0]


class FeedForward(nn.Module):
    """Network of one hidden layer, in place of a persistent memory; it has no state."""

    def __init__(self, width: int, hidden: int, *, bias: bool = False) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, hidden, bias=bias)
        self.output = nn.Linear(hidden, width, bias=bias)

    def forward(self, x: Tensor, state: None = None, segments: Tensor | None = None) -> Tensor:
        """Output (batch, T, d), each step's from its own input alone."""
        return self.output(functional.gelu(self.hidden(x)))

    def initial_state(self, batch: int) -> None:
        """Return nothing: there is no state."""

    def step(self, x: Tensor, state: None) -> Tensor:
        """Output (batch, d)."""
        return self(x)
