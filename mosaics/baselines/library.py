"""Sequence models of other libraries behind our interface: their blocks between our two ends.

    h_0 = E[x],   h_L = blocks of the library (its own final norm included),   logits = h_L E^T

`state_space` and `linear_attention` beside this file define the models. Their libraries come with
``pip install 'mosaicbench[baselines]'``; nothing of them is imported before a model is built. InputError when the
library is not installed.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from mosaics.base import count_parameters, seeded
from mosaics.ends import Ends, check_ends
from toyworlds.core.validate import integer, reject

NO_TOKENS: dict[str, Any] = {"vocab_size": 1, "pad_token_id": None, "bos_token_id": None, "eos_token_id": None}
"""The library's own embedding is not used: inputs reach its blocks as vectors."""


@dataclass(frozen=True)
class LibraryConfig:
    """A model of another library; the subclasses say which."""

    needs: ClassVar[str] = "transformers"
    """What has to be installed or present."""
    size_field: ClassVar[str] = "feedforward_size"
    """The field that `mosaics.sizes.match_parameters` changes."""
    state_name: ClassVar[str] = "past_key_values"
    """What the library calls the recurrent state."""

    vocabulary: int = 0
    """Number of tokens; 0 for vectors."""
    channels: int = 0
    """Numbers in one vector; 0 for tokens."""
    n_layers: int = 2
    """Blocks."""
    width: int = 128
    """Width d of the residual stream."""
    tied_embedding: bool = True
    """One matrix for embedding and read-out (tokens only)."""

    def __post_init__(self) -> None:
        check_ends(self.vocabulary, self.channels)
        integer("n_layers", self.n_layers, 1)
        integer("width", self.width, 1)

    def backbone(self) -> nn.Module:
        """Return the library's blocks."""
        raise NotImplementedError

    def initial_state(self, batch: int, weight: Tensor) -> Any:
        """Return the state before any input, on the device of `weight`; None where the library makes it itself."""
        return None

    def read_step(self, blocks: Callable[..., Any], stream: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Output (B, 1, d) of the blocks for one input (B, 1, d), and the new state."""
        given = {} if state is None else {self.state_name: state}
        result = blocks(inputs_embeds=stream, use_cache=True, return_dict=True, **given)
        return result.last_hidden_state, getattr(result, self.state_name)

    def state_numbers(self) -> int:
        """Numbers of recurrent state that one block updates at every step."""
        raise NotImplementedError

    def build(self, seed: int = 0) -> LibraryModel:
        """Return the model that starts from `seed`."""
        return LibraryModel(self, seed)


class LibraryModel(nn.Module):
    """The library's blocks between our ends."""

    def __init__(self, config: LibraryConfig, seed: int = 0) -> None:
        super().__init__()
        self.config, self.seed = config, integer("seed", seed, 0)
        with seeded(seed, "library"):
            self.ends = Ends(config, tied=config.tied_embedding)
            if config.vocabulary:
                nn.init.normal_(self.ends.matrix, std=config.width**-0.5)
            self.blocks = config.backbone()
            self.blocks.set_input_embeddings(nn.Identity())  # type: ignore[operator]

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (B, T, vocabulary) of tokens (B, T), or vectors of vectors."""
        return self.ends.leave(self._read(self.ends.enter(inputs), use_cache=False).last_hidden_state)

    def initial_state(self, batch_size: int) -> Any:
        """Return the state before any input; None where the library makes it when it reads the first."""
        return self.config.initial_state(integer("batch_size", batch_size, 1), self.ends.matrix)

    def prefill(self, inputs: Tensor) -> tuple[Tensor, Any]:
        """Outputs of `forward`, and the state after the last input."""
        result = self._read(self.ends.enter(inputs), use_cache=True)
        return self.ends.leave(result.last_hidden_state), getattr(result, self.config.state_name)

    def step(self, inputs_t: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Read one input a sequence, (B,) or (B, C)."""
        stream, state = self.config.read_step(self.blocks, self.ends.enter_step(inputs_t)[:, None], state)
        return self.ends.leave(stream[:, 0]), state

    def num_parameters(self) -> int:
        """Count the numbers that training can change."""
        return count_parameters(self)

    def flops_per_token(self, context: int) -> float:
        """Operations of one step: 2 a weight used, 5 a number of recurrent state; whatever the context."""
        maps = 2.0 * (self.num_parameters() - self.ends.lookup_parameters())
        return maps + 5.0 * self.config.n_layers * self.config.state_numbers()

    def _read(self, stream: Tensor, use_cache: bool) -> Any:
        return self.blocks(inputs_embeds=stream, use_cache=use_cache, return_dict=True)


def imported(module: str, package: str) -> Any:
    """Import `module` of `package`; InputError says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        reject("model", f"the package {package} (pip install 'mosaicbench[baselines]')", str(error))
