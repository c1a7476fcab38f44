"""Long short-term memory, several layers on one another.

    (i, f, o) = sigmoid(W x_T + U h_{T-1} + b),   g = tanh(W_g x_T + U_g h_{T-1} + b_g)
    c_T = f c_{T-1} + i g,   h_T = o tanh(c_T)

Sequences (batch, T, d); the state of a layer is (h, c), each (batch, d). Recurrent weights start as
U(-1, 1) / sqrt(d), the bias of the forget gates at 1.

Reference: Hochreiter and Schmidhuber, Neural Computation 9, 1997; Gers et al., Neural Computation 12, 2000.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from mosaics.base import count_parameters, initialise, seeded
from mosaics.ends import Ends, check_ends
from mosaics.registry import MODELS
from toyworlds.core.validate import integer, real, reject

State = tuple[Tensor, Tensor]


@MODELS.register("lstm", "tokens", "vectors")
@dataclass(frozen=True)
class LSTMConfig:
    """Long short-term memory (LSTM)."""

    size_field: ClassVar[str] = "width"

    vocabulary: int = 0
    """Number of tokens; 0 for vectors."""
    channels: int = 0
    """Numbers in one vector; 0 for tokens."""
    n_layers: int = 2
    """Layers."""
    width: int = 128
    """Width d of every layer and of the embedding."""
    tied_embedding: bool = True
    """One matrix for embedding and read-out (tokens only)."""
    dropout: float = 0.0
    """Dropout between layers."""

    def __post_init__(self) -> None:
        check_ends(self.vocabulary, self.channels)
        integer("n_layers", self.n_layers, 1)
        integer("width", self.width, 1)
        if real("dropout", self.dropout, 0.0) >= 1.0:
            reject("dropout", "a number from 0 up to, but not including, 1", self.dropout)

    def build(self, seed: int = 0) -> LSTM:
        """Return the model that starts from `seed`."""
        return LSTM(self, seed)


class LSTM(nn.Module):
    """The model of this file."""

    def __init__(self, config: LSTMConfig, seed: int = 0) -> None:
        super().__init__()
        self.config, self.seed = config, integer("seed", seed, 0)
        with seeded(seed, "lstm"):
            self.ends = Ends(config, tied=config.tied_embedding)
            initialise(self, None, 1, embedding_std=config.width**-0.5)
            dropout = config.dropout if config.n_layers > 1 else 0.0
            self.layers = nn.LSTM(config.width, config.width, config.n_layers, batch_first=True, dropout=dropout)
            for name, bias in self.layers.named_parameters():
                if name.startswith("bias_ih"):
                    nn.init.zeros_(bias)
                    nn.init.ones_(bias[config.width : 2 * config.width])
                elif name.startswith("bias_hh"):
                    nn.init.zeros_(bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (B, T, vocabulary) of tokens (B, T), or vectors of vectors."""
        return self.ends.leave(self.layers(self.ends.enter(inputs))[0])

    def prefill(self, inputs: Tensor) -> tuple[Tensor, State]:
        """Outputs of `forward`, and the state after the last input."""
        stream, state = self.layers(self.ends.enter(inputs))
        return self.ends.leave(stream), state

    def initial_state(self, batch_size: int) -> State:
        """Return zeros (layers, B, d) for h and c."""
        integer("batch_size", batch_size, 1)
        zeros = self.ends.matrix.new_zeros(self.config.n_layers, batch_size, self.config.width)
        return zeros, torch.zeros_like(zeros)

    def step(self, inputs_t: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one input a sequence, (B,) or (B, C)."""
        stream, state = self.layers(self.ends.enter_step(inputs_t)[:, None], state)
        return self.ends.leave(stream[:, 0]), state

    def num_parameters(self) -> int:
        """Count the numbers that training can change."""
        return count_parameters(self)

    def flops_per_token(self, context: int) -> float:
        """Operations of one step: 2 a weight used, whatever the context."""
        return 2.0 * (self.num_parameters() - self.ends.lookup_parameters())
