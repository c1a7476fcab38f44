"""Mamba-2 and RWKV (version 4) from the library transformers: constant-size states, on CPU or GPU.

    Mamba-2    S_T = exp(-a dt_T) S_{T-1} + dt_T x_T B_T^T,   y_T = S_T C_T,   S (d_inner / heads, N) a head
    RWKV       y_T = sum_{t < T} e^{-(T-1-t) w + k_t} v_t + e^{u + k_T} v_T, divided by the sum of the weights

Reference: Dao and Gu, arXiv 2405.21060; Peng et al., arXiv 2305.13048.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mosaics.baselines.library import NO_TOKENS, LibraryConfig, imported
from mosaics.registry import MODELS
from toyworlds.core.validate import integer, reject


@MODELS.register("mamba2", "tokens", "vectors")
@dataclass(frozen=True)
class Mamba2Config(LibraryConfig):
    """Mamba-2, a state-space model."""

    size_field: ClassVar[str] = "width"
    state_name: ClassVar[str] = "cache_params"

    n_layers: int = 4
    """Blocks; one has about half the parameters of a transformer's block of the same width."""
    n_heads: int = 8
    """Heads; a divisor of the width."""
    state_size: int = 64
    """Size N of the state a channel."""
    chunk_size: int = 32
    """Steps computed together."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_heads", "state_size", "chunk_size"):
            integer(name, getattr(self, name), 1)
        if self.width % self.n_heads:
            reject("n_heads", f"a divisor of the width {self.width}", self.n_heads)

    def backbone(self) -> nn.Module:
        """Return the library's blocks."""
        library = imported("transformers", "transformers")
        config = library.Mamba2Config(
            **NO_TOKENS,
            hidden_size=self.width,
            num_hidden_layers=self.n_layers,
            num_heads=self.n_heads,
            head_dim=2 * self.width // self.n_heads,
            expand=2,
            state_size=self.state_size,
            n_groups=1,
            chunk_size=self.chunk_size,
        )
        return library.Mamba2Model(config)

    def state_numbers(self) -> int:
        """2 d channels of N numbers."""
        return 2 * self.width * self.state_size


@MODELS.register("rwkv", "tokens", "vectors")
@dataclass(frozen=True)
class RWKVConfig(LibraryConfig):
    """RWKV version 4."""

    state_name: ClassVar[str] = "state"

    feedforward_size: int = 0
    """Hidden units of the feed-forward network; 0 for 4 d."""

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("feedforward_size", self.feedforward_size, 0)

    def initial_state(self, batch: int, weight: Tensor) -> list[Tensor]:
        """Return the five tensors (B, d, layers) that the library keeps."""
        state = [weight.new_zeros(batch, self.width, self.n_layers) for _ in range(5)]
        state[4] -= 1e30
        return state

    def read_step(self, blocks: Callable[..., Any], stream: Tensor, state: list[Tensor]) -> tuple[Tensor, Any]:
        """Read sequence by sequence: the library mixes the sequences of a batch when it reads one step.

        It changes the state it is given in place.
        """
        parts = []
        for index in range(len(stream)):
            own = [tensor[index : index + 1] for tensor in state]
            result = blocks(inputs_embeds=stream[index : index + 1], use_cache=True, return_dict=True, state=own)
            parts.append(result.last_hidden_state)
        return torch.cat(parts), state

    def backbone(self) -> nn.Module:
        """Return the library's blocks."""
        library = imported("transformers", "transformers")
        config = library.RwkvConfig(
            **NO_TOKENS,
            hidden_size=self.width,
            num_hidden_layers=self.n_layers,
            intermediate_size=self.feedforward_size or 4 * self.width,
            rescale_every=0,
        )
        return library.RwkvModel(config)

    def state_numbers(self) -> int:
        """Numerator, denominator and maximum of each channel, and the two last inputs."""
        return 5 * self.width
