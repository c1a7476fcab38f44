"""The Memory Mosaic: blocks of contextual and persistent memories on a residual stream.

    h_0 = E[x]
    h' = h + contextual(LN(h)),   h = h' + persistent(LN(h'))          pre-norm (published)
    h = LN(h),  h' = h + contextual(h),  h' = LN(h'),  h = h' + persistent(h')       post-norm option
    logits = LN(h_L) W_head^T / sqrt(d)

    ours                                public code: 'library'              'nano'
    blocks.i.contextual                 blocks.i.attn                       mosaic.h.i.attn
    blocks.i.second                     blocks.i.pmem                       mosaic.h.i.mlp
    key.leaky_beta, key.kernel_beta     leaky_key_beta, kernel_beta         leaky_avg.leaky_key_beta, key_scale
    value.mix, value_beta               v_featurizer.coef, value_beta       coef, val_scale / out_scale

Variant 'nano': norms + 1e-10, the scale's exponent clipped at ln 65535 after the power, logits not divided by
sqrt(d), weights from N(0, 0.02^2). 'eft', a third public file, is 'library' without dropout of contextual weights.

Reference: Memory Mosaics, arXiv 2405.06394, sec. 6; its public code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from mosaics.base import initialise, seeded
from mosaics.ends import Ends, check_ends
from mosaics.extractors import LeakyKey, PeekingValue
from mosaics.registry import MODELS
from mosaics.stack import Stack, StoreMaker
from mosaics.units import ContextualMemory, FeedForward, PersistentMemory
from toyworlds.core.validate import choice, integer, real, reject

NANO_OFFSET = 1e-10
NANO_LIMIT = math.log(65535.0)
LIBRARY_LIMIT = 5.0


@MODELS.register("mosaic", "tokens", "vectors", "segments")
@dataclass(frozen=True)
class MemoryMosaicConfig:
    """Memory Mosaic: contextual and persistent memories (the paper's model of sequences)."""

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
    second: Literal["persistent", "feedforward", "none"] = "persistent"
    """Second unit of a block: persistent memories, a feed-forward network (ablation), or none (contextual only)."""
    persistent_size: int = 0
    """Pairs in one persistent memory; 0 for 7 d / 2, which gives a block as many parameters as a transformer's."""
    persistent_banks: int = 1
    """Persistent memories a head, whose outputs are averaged."""
    feedforward_size: int = 0
    """Hidden units of the feed-forward network; 0 for as many parameters as the persistent memories."""
    peek: int = 1
    """Steps that a value looks ahead; 0 (ablation) stores a pair before it is used."""
    key_kernel: int = 1
    """Inputs that a key is a linear map of, before the leaky average."""
    value_kernel: int = 0
    """Inputs that a value is a linear map of; 0 for the published mixture of two projected inputs."""
    leaky: bool = True
    """Leaky average of keys; off in an ablation."""
    key_norm: Literal["unit", "gaussian", "dot"] = "unit"
    """Keys of one norm; or free norms (ablations) under the kernel -|k - k'|^2 / 2 or under the product k.k'."""
    tied_key_value: bool = False
    """One projection for keys and values of a contextual memory (ablation)."""
    pre_norm: bool = True
    """Norm before a unit, off the residual stream; else on it."""
    bias: bool = False
    """Biases in linear maps and norms."""
    tied_embedding: bool = True
    """One matrix for embedding and read-out (tokens only)."""
    variant: Literal["library", "nano"] = "library"
    """Variant of the public code: norms, limits, logit scale, start."""
    context: int = 0
    """Longest context that is accepted; 0 for any, since nothing in the model depends on it."""
    contextual_dropout: float = 0.0
    """Dropout of contextual retrieval weights (published 0.05; computes T x T tables on a CPU)."""
    persistent_dropout: float = 0.0
    """Dropout of persistent retrieval weights (published 0.05; computes whole tables on a CPU)."""
    output_dropout: float = 0.0
    """Dropout of what a unit adds to the residual stream (published 0.05)."""
    embedding_dropout: float = 0.0
    """Dropout of the embedding (the 'nano' variant has it)."""

    def __post_init__(self) -> None:
        check_ends(self.vocabulary, self.channels)
        for name in ("n_layers", "n_heads", "width", "persistent_banks", "key_kernel"):
            integer(name, getattr(self, name), 1)
        for name in ("persistent_size", "feedforward_size", "peek", "value_kernel", "context"):
            integer(name, getattr(self, name), 0)
        if self.width % self.n_heads:
            reject("n_heads", f"a divisor of the width {self.width}", self.n_heads)
        choice("second", self.second, ("persistent", "feedforward", "none"))
        choice("key_norm", self.key_norm, ("unit", "gaussian", "dot"))
        choice("variant", self.variant, ("library", "nano"))
        for name in ("contextual_dropout", "persistent_dropout", "output_dropout", "embedding_dropout"):
            if real(name, getattr(self, name), 0.0) >= 1.0:
                reject(name, "a number from 0 up to, but not including, 1", getattr(self, name))
        if self.tied_key_value and self.value_kernel > 1:
            reject("value_kernel", "0 or 1 with tied_key_value", self.value_kernel)

    @property
    def memories(self) -> int:
        """Pairs in one persistent memory."""
        return self.persistent_size or 7 * self.width // 2

    @property
    def hidden(self) -> int:
        """Hidden units of the feed-forward network."""
        return self.feedforward_size or self.width + self.memories * self.persistent_banks

    @property
    def size_field(self) -> str:
        """The field that `mosaics.sizes.match_parameters` changes."""
        return {"persistent": "persistent_size", "feedforward": "feedforward_size", "none": "width"}[self.second]

    def build(self, seed: int = 0) -> MemoryMosaic:
        """Return the model that starts from `seed`."""
        return MemoryMosaic(self, seed)


class Block(nn.Module):
    """One contextual memory unit and the second unit, each between a norm and the residual stream."""

    def __init__(self, config: MemoryMosaicConfig) -> None:
        super().__init__()
        self.pre_norm = config.pre_norm
        self.norm = nn.LayerNorm(config.width, bias=config.bias)
        self.contextual = contextual_memory(config)
        self.second_norm = nn.LayerNorm(config.width, bias=config.bias) if config.second != "none" else None
        self.second = second_unit(config)
        self.dropout = nn.Dropout(config.output_dropout)

    def forward(self, x: Tensor, state: list[Any] | None = None, segments: Tensor | None = None) -> Tensor:
        """Residual stream after the block; a fresh `state`, where given, ends up as after T steps."""
        for index, (norm, unit) in enumerate(self.units()):
            x = x if self.pre_norm else norm(x)
            x = x + self.dropout(unit(norm(x) if self.pre_norm else x, state[index] if state else None, segments))
        return x

    def step(self, x: Tensor, state: list[Any]) -> Tensor:
        """Residual stream (batch, d) after the block for one input."""
        for (norm, unit), unit_state in zip(self.units(), state, strict=True):
            x = x if self.pre_norm else norm(x)
            x = x + self.dropout(unit.step(norm(x) if self.pre_norm else x, unit_state))
        return x

    def units(self) -> list[tuple[Any, Any]]:
        """Norm and unit, in order."""
        first: tuple[Any, Any] = (self.norm, self.contextual)
        return [first] if self.second is None else [first, (self.second_norm, self.second)]

    def initial_state(self, batch: int, make_store: StoreMaker | None = None) -> list[Any]:
        """State of each unit before any input."""
        first = self.contextual.initial_state(batch, make_store)
        return [first] if self.second is None else [first, self.second.initial_state(batch)]


def contextual_memory(config: MemoryMosaicConfig) -> ContextualMemory:
    """Build the contextual memory unit of one block."""
    value = PeekingValue(
        config.width,
        config.n_heads,
        peek=config.peek,
        kernel=config.value_kernel,
        bias=config.bias,
        offset=NANO_OFFSET if config.variant == "nano" else 0.0,
        tied=config.tied_key_value,
    )
    return ContextualMemory(
        leaky_key(config, power=1),
        value,
        nn.Linear(config.width, config.width, bias=config.bias),
        score="gaussian" if config.key_norm == "gaussian" else "dot",
        dropout=config.contextual_dropout,
    )


def second_unit(config: MemoryMosaicConfig) -> PersistentMemory | FeedForward | None:
    """Build the second unit of one block."""
    if config.second == "none":
        return None
    if config.second == "feedforward":
        return FeedForward(config.width, config.hidden, bias=config.bias)
    return PersistentMemory(
        leaky_key(config, power=2),
        nn.Linear(config.width, config.width, bias=config.bias),
        config.memories,
        banks=config.persistent_banks,
        dropout=config.persistent_dropout,
    )


def leaky_key(config: MemoryMosaicConfig, power: int) -> LeakyKey:
    """Build a key extractor whose scale is taken to `power`."""
    nano = config.variant == "nano"
    return LeakyKey(
        config.width,
        config.n_heads,
        kernel=config.key_kernel,
        bias=config.bias,
        leaky=config.leaky,
        norm="unit" if config.key_norm == "unit" else "free",
        offset=NANO_OFFSET if nano else 0.0,
        limit=NANO_LIMIT / power if nano else LIBRARY_LIMIT,
        power=power,
        by_head=power == 2,
    )


class MemoryMosaic(Stack):
    """The model of this file."""

    def __init__(self, config: MemoryMosaicConfig, seed: int = 0) -> None:
        super().__init__(config, seed)
        nano = config.variant == "nano"
        with seeded(seed, "mosaic"):
            scale = 1.0 if nano or config.channels else config.width**-0.5
            self.ends = Ends(config, tied=config.tied_embedding, scale=scale, limit=config.context or None)
            self.dropout = nn.Dropout(config.embedding_dropout)
            self.blocks = nn.ModuleList([Block(config) for _ in range(config.n_layers)])
            self.norm = nn.LayerNorm(config.width, bias=config.bias)
            embedding = config.width**-0.5 if config.tied_embedding else 1.0
            if nano:
                initialise(self, 0.02, 2 * config.n_layers, embedding_std=0.02)
            else:
                initialise(self, None, config.n_layers, embedding_std=embedding)

    def flops_per_token(self, context: int) -> float:
        """Operations of one step at the end of `context` steps: 2 a weight used, 4 d a pair looked at."""
        pairs = max(context - self.config.peek, 0)
        return 2.0 * self.multiplied_parameters() + self.config.n_layers * 4.0 * self.config.width * pairs
