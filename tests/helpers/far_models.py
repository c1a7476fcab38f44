"""Models whose biases, norms, bandwidths and memories are far from their start."""

from __future__ import annotations

from typing import Any

import torch


def far(config: Any, seed: int = 0) -> Any:
    """Build a model in float64 and move each of its numbers."""
    model = config.build(seed).double().eval()
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data.add_(noise, alpha=0.3)
    return model
