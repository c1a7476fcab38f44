"""Many small models of one kind as one model: parameters stacked on a leading axis of members, torch.vmap over it.

    stacked(x)[s] = model_s(x[s]),   s = 0 .. members - 1

Any model whose operations torch.vmap can batch will do: mosaics, transformers, plain recurrences written in torch; an
LSTM of torch's library will not, and says so. Random numbers (dropout, the delay of Memory Mosaics v2) are drawn once
and used by all members: each has those that it would draw alone, from the same state of the generator, where its
tensors have the shapes that they have alone.

>>> from mosaics.baselines.transformer import TransformerConfig
>>> models = StackedModel(TransformerConfig(vocabulary=5, width=8, n_heads=2), seeds=(1, 2, 3))
>>> models(torch.zeros(3, 4, 7, dtype=torch.int64)).shape
torch.Size([3, 4, 7, 5])

Errors: InputError for a model that torch.vmap cannot batch.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from mosaics.base import count_parameters
from toyworlds.core.validate import integer, reject

SLASH = "/"
"""Stands for the dot of a parameter's name, which torch does not allow in the name of a stacked one."""


class _Applied(nn.Module):
    """function(model, ...) as a module, so that functional_call can exchange the model's parameters meanwhile."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, function: Callable[..., Any], *given: Any) -> Any:
        return function(self.model, *given)


class StackedModel(nn.Module):
    """The models that `config` builds from `seeds`; see the module."""

    def __init__(self, config: Any, seeds: Sequence[int]) -> None:
        super().__init__()
        self.config, self.seed = config, tuple(integer("seeds", seed, 0) for seed in seeds)
        if not self.seed:
            reject("seeds", "at least one seed", seeds)
        self.members = len(self.seed)
        models = [config.build(seed) for seed in self.seed]
        parameters, buffers = stack_module_state(models)
        self.weights = nn.ParameterDict({name.replace(".", SLASH): nn.Parameter(p) for name, p in parameters.items()})
        self.kept = nn.Module()
        for name, buffer in buffers.items():
            self.kept.register_buffer(name.replace(".", SLASH), buffer, persistent=name in models[0].state_dict())
        self._like = [_Applied(copy.deepcopy(models[0]))]  # in a list: its parameters are no one's

    def forward(self, *inputs: Tensor) -> Tensor:
        """Outputs of all members, (members, ...), for inputs (members, ...), one each."""
        outputs: Tensor = self.each(lambda model, *given: model(*given), *inputs)
        return outputs

    def each(self, function: Callable[..., Any], *given: Any) -> Any:
        """Results of function(model_s, given_s, ...), stacked; `given` are (members, ...) tensors or dicts of them."""

        def apply(tensors: dict[str, Tensor], *own: Any) -> Any:
            return functional_call(self._like[0], tensors, (function, *own))

        with warnings.catch_warnings():
            # torch's attention on a CPU goes through the members one by one: each is a call long enough
            warnings.filterwarnings("ignore", message="There is a performance drop", category=UserWarning)
            try:
                return torch.vmap(apply, randomness="same")(self._tensors(), *given)
            except RuntimeError as error:
                if "Batching rule not implemented" not in str(error):
                    raise
                reject("model", "one that torch.vmap can batch", type(self.config).__name__, str(error).split(". ")[0])

    @property
    def like(self) -> nn.Module:
        """A lone model of the kind, whose weights are no member's."""
        model: nn.Module = self._like[0].model
        return model

    def of(self, index: int, function: Callable[..., Any], *given: Any) -> Any:
        """Result of function(model, ...) for the member `index` alone."""
        own = {name: tensor[index] for name, tensor in self._tensors().items()}
        return functional_call(self._like[0], own, (function, *given))

    @torch.no_grad()
    def member(self, index: int) -> nn.Module:
        """Return a lone model with the weights of member `index`."""
        lone: nn.Module = self.config.build(self.seed[index])
        like = next(self.parameters())
        lone.to(like.device, like.dtype).train(self.training)
        tensors = dict(lone.named_parameters()) | dict(lone.named_buffers())
        for name, tensor in self._tensors().items():
            tensors[name.removeprefix("model.")].copy_(tensor[index])
        return lone

    def train(self, mode: bool = True) -> StackedModel:
        """Switch all members to training or, with False, to evaluation."""
        super().train(mode)
        for like in getattr(self, "_like", []):
            like.train(mode)
        return self

    def num_parameters(self) -> int:
        """Count the numbers that training can change, of one member."""
        return count_parameters(self) // self.members

    def flops_per_token(self, context: int) -> float:
        """Operations of one step of one member after `context` steps."""
        model: Any = self.like
        flops: float = model.flops_per_token(context)
        return flops

    def _tensors(self) -> dict[str, Tensor]:
        """Stacked parameters and buffers by the names that they have in `_Applied`."""
        named = dict(self.weights.items()) | dict(self.kept.named_buffers())
        return {f"model.{name.replace(SLASH, '.')}": tensor for name, tensor in named.items()}


def lone_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give the tensors of a :class:`StackedModel`, by its names, the names that they have in a lone model."""
    return {name.partition(".")[2].replace(SLASH, "."): tensor for name, tensor in tensors.items()}
