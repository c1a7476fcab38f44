"""The slow twin computes what the model computes, so the benchmark compares like with like."""

import torch

from benchmarks import slow_mosaic
from mosaics.mosaic import MemoryMosaicConfig


def test_outputs_and_gradients_are_equal():
    model = MemoryMosaicConfig(vocabulary=9, n_heads=2, width=8, persistent_banks=2).build().double()
    tokens = torch.randint(9, (2, 11), generator=torch.Generator().manual_seed(0))
    results = []
    for forward in (model, lambda tokens: slow_mosaic.logits(model, tokens)):
        logits = forward(tokens)
        results.append((logits, *torch.autograd.grad(logits.square().sum(), list(model.parameters()))))
    for ours, slow in zip(*results, strict=True):
        torch.testing.assert_close(ours, slow, rtol=1e-9, atol=1e-12)
