"""What the sequence models of this package share: a seeded generator, the start of the weights, counting.

A model is built from (config, seed): the same two give the same weights on one version of torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from toyworlds.core.seeds import Stream
from toyworlds.core.validate import integer


@contextmanager
def seeded(seed: int, *names: str | int) -> Iterator[None]:
    """Draw torch's random numbers from the stream (seed, names) inside, and from where they were after."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(Stream(seed, "mosaics", *names).words(0, 1)[0] >> 1))
        yield


def seed_or_seeds(seed: int | Sequence[int]) -> int | tuple[int, ...]:
    """Return a seed as int, several (those of a population) as a tuple; InputError for what is no whole number."""
    if isinstance(seed, Iterable):
        return tuple(integer("seed", one, 0) for one in seed)
    return integer("seed", seed, 0)


def count_parameters(module: nn.Module) -> int:
    """Numbers that training can change; a shared matrix counts once."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def initialise(module: nn.Module, std: float | None, outputs: int, *, embedding_std: float) -> None:
    """Draw the weights of linear maps and embeddings from N(0, std^2), biases 0.

    std None means 1 / sqrt(fan-in). The matrices of the submodules named ``output``, which write into the residual
    stream, are drawn with std / sqrt(outputs), so that a sum of `outputs` of them keeps its size.
    """
    for name, part in module.named_modules():
        weight, bias = getattr(part, "weight", None), getattr(part, "bias", None)
        if isinstance(part, nn.LayerNorm) or not isinstance(weight, nn.Parameter) or weight.dim() < 2:
            continue
        size = (weight[0].numel() ** -0.5) if std is None else std
        if isinstance(part, nn.Embedding):
            size = embedding_std
        if name.rpartition(".")[2] == "output":
            size /= outputs**0.5
        nn.init.normal_(weight, std=size)
        if isinstance(bias, Tensor):
            nn.init.zeros_(bias)
