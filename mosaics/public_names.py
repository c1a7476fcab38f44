"""Names and shapes of every tensor of a Memory Mosaic, ours against those of the public code's three variants.

    ours                                 'library'                              'nano'
    ends.embedding.weight                emb.weight                             mosaic.wte.weight
    blocks.i.contextual.key.project      blocks.i.attn.k_featurizer.conv        mosaic.h.i.attn.k_featurizer.W_k
    blocks.i.contextual.value.project    blocks.i.attn.v_featurizer.linear      mosaic.h.i.attn.v_featurizer.W_v
    blocks.i.second.keys                 blocks.i.pmem.pmem.M_k<bank>           mosaic.h.i.mlp.P_k
    ...

'eft' has 'library' names but for the key extractor, leaky_average.{linear, leaky_beta_w_under}.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mosaics.mosaic import MemoryMosaicConfig


@dataclass(frozen=True)
class Entry:
    """One tensor: ours, or its part `bank`; the public name and shape; other public names that hold the same."""

    ours: str
    public: str
    shape: tuple[int, ...]
    bank: int | None = None
    copies: tuple[str, ...] = ()


def table(config: MemoryMosaicConfig, variant: str) -> Iterator[Entry]:
    """Every tensor of a model, ours against the public code's."""
    size = (config.vocabulary, config.width)
    root = "mosaic." if variant == "nano" else ""
    embedding, head = ("mosaic.wte.weight", "lm_head.weight") if variant == "nano" else ("emb.weight", "head.weight")
    yield Entry("ends.embedding.weight", embedding, size, copies=(head,) if config.tied_embedding else ())
    if not config.tied_embedding:
        yield Entry("ends.head.weight", head, size)
    yield from _norm(config, "norm", root + ("ln_f" if variant == "nano" else "ln_out"))
    for index in range(config.n_layers):
        ours = f"blocks.{index}."
        public = f"mosaic.h.{index}." if variant == "nano" else f"blocks.{index}."
        norms = ("ln_1", "ln_2") if variant == "nano" else ("ln1", "ln2")
        yield from _norm(config, ours + "norm", public + norms[0])
        yield from _contextual(config, variant, ours + "contextual.", public + "attn.")
        if config.second == "persistent":
            yield from _norm(config, ours + "second_norm", public + norms[1])
            unit = public + ("mlp." if variant == "nano" else "pmem.")
            yield from _persistent(config, variant, ours + "second.", unit)


def _norm(config: MemoryMosaicConfig, ours: str, public: str) -> Iterator[Entry]:
    for part in ("weight", "bias") if config.bias else ("weight",):
        yield Entry(f"{ours}.{part}", f"{public}.{part}", (config.width,))


def _linear(config: MemoryMosaicConfig, ours: str, public: str, kernel: int = 0) -> Iterator[Entry]:
    size = (config.width, config.width, kernel) if kernel else (config.width, config.width)
    yield Entry(f"{ours}.weight", f"{public}.weight", size)
    if config.bias:
        yield Entry(f"{ours}.bias", f"{public}.bias", (config.width,))


def _key(config: MemoryMosaicConfig, variant: str, ours: str, public: str) -> Iterator[Entry]:
    heads: tuple[int, ...] = (config.n_heads,)
    if variant == "nano":
        heads = (1, config.n_heads, 1, 1)
        yield from _linear(config, f"{ours}key.project", f"{public}k_featurizer.W_k")
        yield Entry(f"{ours}key.leaky_beta", f"{public}k_featurizer.leaky_avg.leaky_key_beta", heads)
        yield Entry(f"{ours}key.kernel_beta", f"{public}k_featurizer.key_scale", heads)
        return
    if variant == "eft":
        average = f"{public}leaky_average."
        yield from _linear(config, f"{ours}key.project", average + "linear")
        copies = (average + "leaky_beta_u_under",)
        yield Entry(f"{ours}key.leaky_beta", average + "leaky_beta_w_under", heads, copies=copies)
    else:
        yield from _linear(config, f"{ours}key.project", f"{public}k_featurizer.conv", config.key_kernel)
        yield Entry(f"{ours}key.leaky_beta", f"{public}leaky_key_beta", heads)
    yield Entry(f"{ours}key.kernel_beta", f"{public}kernel_beta", heads)


def _contextual(config: MemoryMosaicConfig, variant: str, ours: str, public: str) -> Iterator[Entry]:
    yield from _key(config, variant, ours, public)
    nano = variant == "nano"
    heads = (1, config.n_heads, 1, 1) if nano else (config.n_heads,)
    if config.value_kernel:
        yield from _linear(config, f"{ours}value.project", f"{public}v_featurizer.conv", config.value_kernel)
    else:
        yield from _linear(config, f"{ours}value.project", f"{public}v_featurizer.{'W_v' if nano else 'linear'}")
        yield Entry(f"{ours}value.mix", f"{public}v_featurizer.coef", heads)
    yield Entry(f"{ours}value.value_beta", f"{public}{'v_featurizer.val_scale' if nano else 'value_beta'}", heads)
    yield from _linear(config, f"{ours}output", f"{public}c_proj")


def _persistent(config: MemoryMosaicConfig, variant: str, ours: str, public: str) -> Iterator[Entry]:
    yield from _key(config, variant, ours, public)
    size = (config.n_heads, config.memories, config.width // config.n_heads)
    if variant == "nano":
        for part, name in (("keys", "P_k"), ("values", "P_v")):
            yield Entry(f"{ours}{part}", f"{public}{name}", (config.persistent_banks, 1, *size))
        yield Entry(f"{ours}value_beta", f"{public}out_scale", (1, config.n_heads, 1, 1))
    else:
        for bank in range(config.persistent_banks):
            for part, name in (("keys", "M_k"), ("values", "M_v")):
                yield Entry(f"{ours}{part}", f"{public}pmem.{name}{bank}", (1, *size), bank)
        yield Entry(f"{ours}value_beta", f"{public}value_beta", (config.n_heads,))
    yield from _linear(config, f"{ours}output", f"{public}c_proj")
