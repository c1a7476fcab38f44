"""The two ends of a sequence model: tokens or vectors in, logits or vectors out, checked once.

    tokens (B, T) int64    h_T = E[x_T]       logits_T = scale E h_T (or a matrix of its own) + no bias
    vectors (B, T, C)      h_T = W_in x_T     output_T = W_out h_T

Errors: InputError for a wrong shape or dtype, a context over a fixed limit and, on a CPU, a token that is outside the
vocabulary.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from toyworlds.core.validate import integer, reject


class EndsConfig(Protocol):
    """The fields that every config with these ends has."""

    @property
    def vocabulary(self) -> int:
        """Number of tokens; 0 for vectors."""
        ...

    @property
    def channels(self) -> int:
        """Numbers in a vector; 0 for tokens."""
        ...

    @property
    def width(self) -> int:
        """Width d of the residual stream."""
        ...


def numbers(argument: str, given: Any, expected: str) -> Tensor:
    """Return what a caller gave for a tensor as one; InputError where torch cannot make one of it."""
    try:
        return torch.as_tensor(given)
    except (TypeError, ValueError, RuntimeError):
        reject(argument, expected, given)


def whole(argument: str, given: Tensor) -> Tensor:
    """Return tokens as int64; InputError where they are not whole numbers."""
    if given.is_floating_point() or given.is_complex() or given.dtype == torch.bool:
        reject(argument, "tokens, whole numbers as int64", given.tolist())
    return given.long()


def check_ends(vocabulary: int, channels: int) -> None:
    """Check that a config asks for tokens or for vectors, not for both or neither."""
    integer("vocabulary", vocabulary, 0)
    integer("channels", channels, 0)
    if (vocabulary > 0) == (channels > 0):
        reject("vocabulary, channels", "one of the two above 0", (vocabulary, channels))


class Ends(nn.Module):
    """Embedding and read-out of one model; `limit` is the longest context it can read, None for any."""

    def __init__(self, config: EndsConfig, *, tied: bool = True, scale: float = 1.0, limit: int | None = None) -> None:
        super().__init__()
        self.vocabulary, self.channels = config.vocabulary, config.channels
        self.scale, self.limit = scale, limit
        if config.vocabulary:
            self.embedding: nn.Module = nn.Embedding(config.vocabulary, config.width)
            self.head = None if tied else nn.Linear(config.width, config.vocabulary, bias=False)
        else:
            self.embedding = nn.Linear(config.channels, config.width)
            self.head = nn.Linear(config.width, config.channels)

    def enter(self, inputs: Tensor) -> Tensor:
        """Residual stream (B, T, d) of a batch of inputs."""
        self.check(inputs, "batch, time")
        if self.limit is not None and inputs.shape[1] > self.limit:
            reject("inputs", f"a context of at most {self.limit} steps, the model's limit", inputs.shape[1])
        return self.embedding(inputs)

    def enter_step(self, inputs: Tensor, position: int = 0) -> Tensor:
        """Residual stream (B, d) of one input a sequence, the one at `position`."""
        self.check(inputs, "batch")
        if self.limit is not None and position >= self.limit:
            reject("inputs_t", f"a context of at most {self.limit} steps, the model's limit", position + 1)
        return self.embedding(inputs)

    def leave(self, stream: Tensor) -> Tensor:
        """Logits or vectors of the last residual stream."""
        stream = stream if self.scale == 1.0 else stream * self.scale
        if self.head is not None:
            return self.head(stream)
        return nn.functional.linear(stream, self.matrix)

    @property
    def matrix(self) -> Tensor:
        """Weight of the read-out, (vocabulary or channels, d)."""
        weight = (self.embedding if self.head is None else self.head).weight
        assert isinstance(weight, Tensor)
        return weight

    def lookup_parameters(self) -> int:
        """Parameters that are looked up, not multiplied by: an embedding that is not the read-out as well."""
        lookup = isinstance(self.embedding, nn.Embedding) and self.head is not None
        return sum(parameter.numel() for parameter in self.embedding.parameters()) if lookup else 0

    def check(self, inputs: Tensor, axes: str) -> None:
        """Check shape, dtype and range of inputs with the leading `axes`."""
        dimensions = axes.count(",") + 1 + (self.channels > 0)
        if self.channels:
            fits = inputs.dim() == dimensions and inputs.shape[-1] == self.channels and inputs.is_floating_point()
            wanted = f"vectors ({axes}, {self.channels}) of floats"
        else:
            fits = inputs.dim() == dimensions and inputs.dtype == torch.int64
            wanted = f"tokens ({axes}) of int64"
        if not fits or inputs.numel() == 0:
            reject("inputs", f"{wanted}, at least one", (tuple(inputs.shape), str(inputs.dtype)))
        if self.vocabulary and _can_be_looked_at(inputs):
            low, high = int(inputs.min()), int(inputs.max())
            if low < 0 or high >= self.vocabulary:
                reject("inputs", f"tokens from 0 to {self.vocabulary - 1}", low if low < 0 else high)


def _can_be_looked_at(inputs: Tensor) -> bool:
    """Tell whether the values of a tensor are at hand: on a CPU, outside torch.compile and torch.vmap.

    A look at those on a CUDA device would make every forward pass wait for the device, which finds a token outside
    the vocabulary by itself.
    """
    if inputs.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    return not torch._C._functorch.is_batchedtensor(inputs)
