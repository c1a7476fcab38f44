"""Small Memory Mosaics and transformers with every option, and their inputs: what traces and origins are tried on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from mosaics.baselines.transformer import RotaryTransformerConfig, TransformerConfig
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.mosaic_v2 import MemoryMosaicV2Config

BASE = MemoryMosaicConfig(vocabulary=7, n_layers=2, n_heads=2, width=8, persistent_size=5)
TRANSFORMER = TransformerConfig(vocabulary=7, n_layers=2, n_heads=2, width=8, context=12)
BASE_V2 = MemoryMosaicV2Config(vocabulary=7, n_layers=2, n_heads=2, width=8, window=4, delay=3)
TOKENS = torch.tensor([1, 4, 2, 2, 6, 0, 3, 1, 5, 2, 4, 1])
OPTIONS: list[dict[str, Any]] = [
    {},
    {"pre_norm": False, "bias": True},
    {"peek": 0, "key_kernel": 2},
    {"peek": 2, "value_kernel": 2, "bias": True},
    {"persistent_banks": 3, "tied_embedding": False, "bias": True},
    {"second": "feedforward", "bias": True},
    {"second": "none", "pre_norm": False},
    {"variant": "nano"},
    {"key_norm": "gaussian"},
    {"key_norm": "dot", "leaky": False, "tied_key_value": True, "bias": True},
    {"vocabulary": 0, "channels": 3, "bias": True, "pre_norm": False},
]
OPTIONS_V2: list[dict[str, Any]] = [
    {},
    {"delay": 9},
    {"levels": "one"},
    {"gated_key": False, "tied_embedding": False},
    {"adaptive_bandwidth": False},
    {"levels": "one", "gated_key": False, "adaptive_bandwidth": False},
    {"vocabulary": 0, "channels": 3},
]
TRANSFORMERS = [
    TRANSFORMER,
    replace(TRANSFORMER, bias=False, tied_embedding=False),
    replace(TRANSFORMER, positions="rotary"),
    replace(TRANSFORMER, vocabulary=0, channels=3),
    RotaryTransformerConfig(vocabulary=7, n_layers=2, n_heads=1, width=8),
]
RANDOM = st.builds(
    MemoryMosaicConfig,
    vocabulary=st.just(7),
    n_layers=st.integers(1, 3),
    n_heads=st.sampled_from([1, 2, 4]),
    width=st.just(8),
    persistent_size=st.integers(1, 6),
    pre_norm=st.booleans(),
    bias=st.booleans(),
    peek=st.integers(0, 3),
    key_kernel=st.integers(1, 2),
    value_kernel=st.integers(0, 3),
    key_norm=st.sampled_from(["unit", "gaussian", "dot"]),
    second=st.sampled_from(["persistent", "feedforward", "none"]),
)


def inputs_of(config: Any, length: int, seed: int = 0) -> Tensor:
    """Return tokens (T,) or vectors (T, C), whatever the model reads."""
    generator = torch.Generator().manual_seed(seed)
    if getattr(config, "vocabulary", 0):
        return torch.randint(config.vocabulary, (length,), generator=generator)
    return torch.randn(length, config.channels, generator=generator, dtype=torch.float64)
