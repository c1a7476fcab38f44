"""Memory units: contextual memories, persistent memories, and the network that may stand in their place.

    contextual    y_T = W_o concat_h sum_{t <= T - peek} softmax_t(k_T . k_t) v_t       pairs of this sequence
    persistent    y_T = W_o concat_h (1 / banks) sum_b sum_i softmax_i(k_T . K_bi) V_bi exp(10 value_beta)
    feed-forward  y_T = W_2 gelu(W_1 x_T + b_1) + b_2                                   ablation of the persistent

Keys and values come from `mosaics.extractors`. A contextual memory can hold only pairs whose value is known: at step
T those of steps t <= T - peek; with peek = 0 (an ablation) its own pair too. Where there are none the output is 0.

Dropout acts on retrieval weights during training as published: each weight is dropped with probability p, the others
are divided by 1 - p; torch's attention does it, which on a CPU computes the whole T x T table.

Sequences (batch, T, d); one step (batch, d). The state of a unit is changed by the step that reads it.

Reference: Memory Mosaics, arXiv 2405.06394, sec. 2, 3 and 6.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
import torch
from torch import Tensor, nn
from torch.nn import functional

from mosaics.extractors import EXPONENT, KeyState, LeakyKey, PeekingValue, ValueState
from mosaics.memory import retrieval_weights, retrieve
from mosaics.pairs import BETA, Pairs, PairStore

StoreMaker = Callable[[], PairStore]


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

    def __init__(
        self, key: LeakyKey, value: PeekingValue, output: nn.Linear, *, score: str = "dot", dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.key, self.value, self.output = key, value, output
        self.score, self.dropout, self.peek = score, dropout, value.peek

    def forward(self, x: Tensor, state: ContextualState | None = None) -> Tensor:
        """Output (batch, T, d); a fresh `state`, where given, ends up as after T steps."""
        key, value = self.extract(x, state)
        if state is not None:
            self._fill(key, value, state)
        return self.output(self.retrieve(key, value).flatten(2))

    def extract(self, x: Tensor, state: ContextualState | None = None) -> tuple[Tensor, Tensor]:
        """Keys and values (batch, T, heads, w); value t belongs to the key of step t - peek."""
        if self.value.project is None:
            projected = self.key.project(x)
            key = self.key.from_projected(projected, state.key if state else None)
            return key, self.value(projected, state.value if state else None)
        return self.key(x, state.key if state else None), self.value(x, state.value if state else None)

    def retrieve(self, key: Tensor, value: Tensor) -> Tensor:
        """What each memory finds at each step, (batch, T, heads, w)."""
        if key.shape[1] <= self.peek:
            return torch.zeros_like(value)
        key, value = key.transpose(1, 2), value.transpose(1, 2)
        if self.training and self.dropout > 0:
            return self._retrieve_dropped(key, value).transpose(1, 2)
        query, stored, values = self._strict(key, value)
        found = retrieve(stored, values, beta=BETA[self.score], score=self.score, query=query)
        return _pad(found, self.peek - 1, 0).transpose(1, 2)

    def weights(self, x: Tensor) -> Tensor:
        """Retrieval weights (batch, heads, T, T): entry (T, t) is the weight of the pair of step t at step T."""
        key, value = (item.transpose(1, 2) for item in self.extract(x))
        length, late = key.shape[2], self.peek - 1
        if length <= self.peek:
            return key.new_zeros(*key.shape[:2], length, length)
        query, stored, _ = self._strict(key, value)
        table = retrieval_weights(stored, beta=BETA[self.score], score=self.score, query=query)
        return functional.pad(table, (0, late, late, 0))

    def initial_state(self, batch: int, make_store: StoreMaker | None = None) -> ContextualState:
        """Return the state before any input; `make_store` makes the place where pairs are held."""
        store = make_store() if make_store else Pairs(self.score)
        return ContextualState(self.key.initial_state(batch), self.value.initial_state(batch), store)

    def step(self, x: Tensor, state: ContextualState) -> Tensor:
        """Output (batch, d) for one input (batch, d): store the pair that has become known, then retrieve."""
        key, value = (item.transpose(1, 2) for item in self.extract(x[:, None], state))
        state.waiting.append(key)
        if len(state.waiting) > self.peek:
            state.pairs.store(state.waiting.pop(0), value)
        return self.output(state.pairs.retrieve(key).flatten(1))

    def _fill(self, key: Tensor, value: Tensor, state: ContextualState) -> None:
        known = max(key.shape[1] - self.peek, 0)
        if known:
            state.pairs.store(key[:, :known].transpose(1, 2), value[:, self.peek :].transpose(1, 2))
        state.waiting = [item[:, :, None] for item in key[:, known:].unbind(1)]

    def _strict(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query, keys and values (batch, heads, T - peek + 1, w), row j holding the query of step j + peek - 1.

        Strict retrieval, which sees rows before its own, then sees the pairs of steps t <= T - peek.
        """
        late = self.peek - 1
        return _pad(key, -late, 0), _pad(key, 0, -late), _pad(value, -self.peek, 1)

    def _retrieve_dropped(self, key: Tensor, value: Tensor) -> Tensor:
        known = key.shape[2] - self.peek
        query, stored = key[:, :, self.peek :], key[:, :, :known]
        if self.score == "gaussian":
            query = functional.pad(query, (0, 1), value=1.0)
            stored = torch.cat([stored, -0.5 * stored.square().sum(-1, keepdim=True)], -1)
        found = functional.scaled_dot_product_attention(
            query, stored, value[:, :, self.peek :], dropout_p=self.dropout, is_causal=True, scale=1.0
        )
        return _pad(found, self.peek, 0)


def _pad(x: Tensor, before: int, after: int) -> Tensor:
    """Rows of zeros before and after along the last axis but one; negative numbers take rows away."""
    return functional.pad(x, (0, 0, before, after)) if before or after else x


class PersistentMemory(nn.Module):
    """Learned pairs, (banks, heads, size, w), the same for every sequence; banks are averaged."""

    def __init__(self, key: LeakyKey, output: nn.Linear, size: int, *, banks: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        heads, width = key.heads, output.in_features // key.heads
        self.key, self.output, self.dropout = key, output, dropout
        self.keys = nn.Parameter(torch.randn(banks, heads, size, width) / math.sqrt(width))
        self.values = nn.Parameter(torch.randn(banks, heads, size, width) / math.sqrt(width))
        self.value_beta = nn.Parameter(torch.full((heads,), -0.5 / EXPONENT))

    def forward(self, x: Tensor, state: KeyState | None = None) -> Tensor:
        """Output (batch, T, d)."""
        return self.output(self.retrieve(self.key(x, state)).flatten(2))

    def retrieve(self, query: Tensor) -> Tensor:
        """What each memory finds for queries (batch, T, heads, w), the same shape."""
        rows = query.flatten(0, 1).transpose(0, 1)
        dropout = self.dropout if self.training else 0.0
        found = functional.scaled_dot_product_attention
        parts = [
            found(rows[None], keys[None], values[None], dropout_p=dropout, scale=1.0)
            for keys, values in zip(self.keys, self.scaled_values(), strict=True)
        ]
        return torch.stack(parts).sum(0)[0].transpose(0, 1).view(query.shape)

    def scaled_values(self) -> Tensor:
        """Values as they are added up: exp(10 value_beta) V / banks."""
        return self.values * (torch.exp(EXPONENT * self.value_beta)[:, None, None] / self.values.shape[0])

    def weights(self, x: Tensor) -> Tensor:
        """Retrieval weights (batch, banks, heads, T, size)."""
        query = self.key(x).transpose(1, 2)[:, None]
        return torch.softmax(query @ self.keys.mT, -1)

    def initial_state(self, batch: int) -> KeyState:
        """Return the state before any input."""
        return self.key.initial_state(batch)

    def step(self, x: Tensor, state: KeyState) -> Tensor:
        """Output (batch, d) for one input (batch, d)."""
        return self(x[:, None], state)[:, 0]


class FeedForward(nn.Module):
    """Network of one hidden layer, in place of a persistent memory; it has no state."""

    def __init__(self, width: int, hidden: int, *, bias: bool = False, output: nn.Linear | None = None) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, hidden, bias=bias)
        self.output = nn.Linear(hidden, width, bias=bias) if output is None else output

    def forward(self, x: Tensor, state: None = None) -> Tensor:
        """Output (batch, T, d)."""
        return self.output(functional.gelu(self.hidden(x)))

    def initial_state(self, batch: int) -> None:
        """Return nothing: there is no state."""

    def step(self, x: Tensor, state: None) -> Tensor:
        """Output (batch, d)."""
        return self(x)
