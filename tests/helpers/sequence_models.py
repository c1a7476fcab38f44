"""Small models of every kind and option, random configs, and inputs for them."""

from __future__ import annotations

import torch
from hypothesis import strategies as st

from mosaics.baselines.recurrent import LSTMConfig
from mosaics.baselines.transformer import RotaryTransformerConfig, TransformerConfig
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.mosaic_v2 import MemoryMosaicV2Config

SMALL = {"n_heads": 2, "width": 8}
MOSAICS = {
    "published": {},
    "own_pair_seen": {"peek": 0},
    "peek_3": {"peek": 3},
    "no_leaky_average": {"leaky": False},
    "gaussian": {"key_norm": "gaussian"},
    "dot": {"key_norm": "dot", "peek": 2},
    "tied_key_value": {"tied_key_value": True},
    "feedforward": {"second": "feedforward"},
    "contextual_only": {"second": "none"},
    "post_norm": {"pre_norm": False, "bias": True},
    "banks": {"persistent_banks": 2, "variant": "nano"},
    "convolutions": {"key_kernel": 3, "value_kernel": 2, "tied_embedding": False},
    "tied_convolution": {"key_kernel": 2, "value_kernel": 1, "tied_key_value": True},
}
CONFIGS = {
    **{name: (MemoryMosaicConfig, {"persistent_size": 5, **SMALL, **options}) for name, options in MOSAICS.items()},
    "v2": (MemoryMosaicV2Config, {"window": 4, "delay": 3, "shortest_delay": 1, "longest_delay": 4, **SMALL}),
    "v2_wide_window": (
        MemoryMosaicV2Config,
        {"window": 50, "delay": 1, "shortest_delay": 1, "longest_delay": 2, **SMALL},
    ),
    **{
        f"v2_{name}": (
            MemoryMosaicV2Config,
            {"window": 4, "delay": 3, "shortest_delay": 1, "longest_delay": 4} | SMALL | off,
        )
        for name, off in {
            "one_level": {"levels": "one"},
            "steady_key": {"gated_key": False},
            "steady_bandwidth": {"adaptive_bandwidth": False},
            "all_off": {"levels": "one", "gated_key": False, "adaptive_bandwidth": False},
        }.items()
    },
    "transformer": (TransformerConfig, {"context": 16, **SMALL}),
    "rotary": (RotaryTransformerConfig, SMALL),
    "lstm": (LSTMConfig, {"width": 8}),
}


def build(name, seed=0, **ends):
    """Return the model `name` in float64 and evaluation mode, with tokens unless `ends` says otherwise."""
    config, options = CONFIGS[name]
    return config(**(ends or {"vocabulary": 7}), **options).build(seed).double().eval()


def inputs(model, batch, length, seed=0):
    """Return random inputs of the model's kind."""
    generator = torch.Generator().manual_seed(seed)
    if model.config.channels:
        return torch.randn(batch, length, model.config.channels, generator=generator, dtype=torch.float64)
    return torch.randint(0, model.config.vocabulary, (batch, length), generator=generator)


@st.composite
def mosaics(draw):
    heads = draw(st.integers(1, 3))
    tied = draw(st.booleans())
    return MemoryMosaicConfig(
        vocabulary=draw(st.integers(1, 9)),
        n_layers=draw(st.integers(1, 2)),
        n_heads=heads,
        width=heads * draw(st.integers(1, 5)),
        second=draw(st.sampled_from(["persistent", "feedforward", "none"])),
        persistent_size=draw(st.integers(1, 6)),
        persistent_banks=draw(st.integers(1, 2)),
        peek=draw(st.integers(0, 4)),
        key_kernel=draw(st.integers(1, 3)),
        value_kernel=draw(st.integers(0, 1 if tied else 3)),
        leaky=draw(st.booleans()),
        key_norm=draw(st.sampled_from(["unit", "gaussian", "dot"])),
        tied_key_value=tied,
        pre_norm=draw(st.booleans()),
        bias=draw(st.booleans()),
        tied_embedding=draw(st.booleans()),
        variant=draw(st.sampled_from(["library", "nano"])),
    )


@st.composite
def second_versions(draw):
    heads = draw(st.integers(1, 3))
    return MemoryMosaicV2Config(
        vocabulary=draw(st.integers(1, 9)),
        n_layers=draw(st.integers(1, 2)),
        n_heads=heads,
        width=heads * draw(st.integers(1, 5)),
        window=draw(st.integers(1, 9)),
        delay=draw(st.integers(1, 9)),
    )
