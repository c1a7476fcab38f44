"""A stack of blocks on a residual stream between two ends: what Memory Mosaics and transformers have in common.

    h_0 = E[x] (+ P[T]),   h_l = block_l(h_{l-1}),   outputs = read-out(norm(h_L))

A block has ``forward(x, state=None, segments=None)`` for a sequence (a fresh state, where given, ends up as after its
last step), ``step(x, state)`` for one input, and ``initial_state(batch, make_store)``. States are changed in place.

Packed rows: `segments` (B, T), whole numbers, tells apart sequences that stand behind each other in a row; a run of
equal numbers is one of them. Outputs and gradients are those of each sequence alone: no memory and no average reaches
from one to another, and positions are counted from each one's start. A state holds one sequence, so there is none with
segments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from mosaics.base import count_parameters
from mosaics.ends import Ends
from mosaics.memory.options import since_start
from mosaics.pairs import PairStore
from toyworlds.core.validate import integer, reject

StoreMaker = Callable[[str], PairStore]
"""Makes the place where one memory holds its pairs during generation, given its score: "dot" or "gaussian"."""


@dataclass
class StackState:
    """State of each block, and the number of inputs read."""

    blocks: list[Any]
    position: int = 0


class Stack(nn.Module):
    """Blocks between two ends; subclasses build the parts named here."""

    ends: Ends
    positions: nn.Embedding | None
    dropout: nn.Dropout
    blocks: nn.ModuleList
    norm: nn.LayerNorm

    def __init__(self, config: Any, seed: int) -> None:
        super().__init__()
        self.config, self.seed = config, integer("seed", seed, 0)
        self.positions = None

    def forward(self, inputs: Tensor, segments: Tensor | None = None) -> Tensor:
        """Logits (B, T, vocabulary) of tokens (B, T), or vectors of vectors; `segments` (B, T) of packed rows."""
        return self.read_out(self.hidden_states(inputs, segments=segments)[-1])

    def hidden_states(
        self, inputs: Tensor, state: StackState | None = None, segments: Tensor | None = None
    ) -> list[Tensor]:
        """Residual stream (B, T, d) before the first block and after each; a fresh state is filled."""
        if segments is not None and state is not None:
            reject("segments", "none with a state, which holds one sequence", tuple(segments.shape))
        streams = [self.dropout(self.enter(inputs, segments))]
        for index, block in enumerate(self.blocks):
            streams.append(block(streams[-1], state.blocks[index] if state else None, segments))
        return streams

    def enter(self, inputs: Tensor, segments: Tensor | None = None) -> Tensor:
        """Residual stream (B, T, d) of the inputs, and of their positions where these are learned."""
        stream = self.ends.enter(inputs)
        if segments is not None:
            check_segments(segments, inputs)
        if self.positions is None:
            return stream
        length = inputs.shape[1]
        return stream + (self.positions.weight[:length] if segments is None else self.positions(since_start(segments)))

    def read_out(self, stream: Tensor) -> Tensor:
        """Logits or vectors of the last residual stream."""
        return self.ends.leave(self.norm(stream))

    def initial_state(self, batch_size: int, make_store: StoreMaker | None = None) -> StackState:
        """Return the state before any input; `make_store` makes what holds the pairs of a contextual memory."""
        integer("batch_size", batch_size, 1)
        blocks: list[Any] = list(self.blocks)
        return StackState([block.initial_state(batch_size, make_store) for block in blocks])

    def prefill(self, inputs: Tensor, make_store: StoreMaker | None = None) -> tuple[Tensor, StackState]:
        """Outputs of `forward`, and the state after the last input."""
        state = self.initial_state(inputs.shape[0], make_store)
        stream = self.hidden_states(inputs, state)[-1]
        state.position = inputs.shape[1]
        return self.read_out(stream), state

    def step(self, inputs_t: Tensor, state: StackState) -> tuple[Tensor, StackState]:
        """Read one input a sequence, (B,) or (B, C); the state is changed in place and returned."""
        stream = self.ends.enter_step(inputs_t, state.position)
        if self.positions is not None:
            stream = stream + self.positions.weight[state.position]
        stream = self.dropout(stream)
        blocks: list[Any] = list(self.blocks)
        for block, block_state in zip(blocks, state.blocks, strict=True):
            stream = block.step(stream, block_state)
        state.position += 1
        return self.read_out(stream), state

    def num_parameters(self) -> int:
        """Count the numbers that training can change."""
        return count_parameters(self)

    def multiplied_parameters(self) -> int:
        """Parameters that a step multiplies by: all but those that are looked up."""
        positions = self.positions.weight.numel() if self.positions is not None else 0
        return self.num_parameters() - self.ends.lookup_parameters() - positions


def check_segments(segments: Any, inputs: Tensor) -> None:
    """Check the segments of packed inputs (B, T) or (B, T, C)."""
    whole = isinstance(segments, Tensor) and not segments.is_floating_point()
    if not whole or segments.shape != inputs.shape[:2] or segments.device != inputs.device:
        shown = (tuple(segments.shape), str(segments.dtype), str(segments.device)) if whole else segments
        reject("segments", f"whole numbers {tuple(inputs.shape[:2])} on the device of the inputs", shown)
