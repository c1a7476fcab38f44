"""What models and tasks look like to the training loop, to the studies and to each other.

B sequences, T steps; tokens (B, T) int64 -> logits (B, T, vocabulary), or vectors (B, T, C) -> vectors.
Output t is the prediction of what comes after input t, made from inputs 0 .. t alone.

A model that takes packed rows has ``forward(inputs, segments=None)``, as `mosaics.stack` describes it.

A population is one model whose parameters all carry a leading axis of `members` independent models: its
inputs may carry the same axis, its losses and metrics do. A lone model has no `members`, or None.
"""

from __future__ import annotations

import inspect
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from toyworlds.core.validate import reject

Metrics = dict[str, float | list[float]]
"""A number a name; in a population a list of numbers, one a member."""


@runtime_checkable
class SequenceModel(Protocol):
    """A model of sequences and a ``torch.nn.Module``; `config` is its frozen dataclass, `seed` its start."""

    config: Any
    seed: Any

    def forward(self, inputs: Tensor) -> Tensor:
        """Predict what follows each input: one output a step, made from the inputs up to that step."""
        ...

    def initial_state(self, batch_size: int) -> Any:
        """Return the state before any input."""
        ...

    def step(self, inputs_t: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Read one input a sequence, (B,) or (B, C); return the prediction of the next and the new state."""
        ...

    def num_parameters(self) -> int:
        """Count the numbers that training can change (of one member, in a population)."""
        ...

    def flops_per_token(self, context: int) -> float:
        """Floating-point operations of a forward pass, for one step after a context of `context` steps."""
        ...


class Task(Protocol):
    """What a model is trained on: batches (a pure function of config, seed and step), a loss, metrics.

    All tensors of a batch have its rows on the same axis: the first, in a population the second. Three methods are a
    task's own choice:

        check(model)                        raises an InputError for a model that cannot be trained on the task; asked
                                            before anything is trained or written
        weight(batch) -> float or Tensor    how many terms `loss` is the mean of (in a population one number a member),
                                            so that the loss of a batch is the weighted mean of those of its parts;
                                            needed where a batch is cut into parts
        tokens(batch) -> (int, int)         inputs that the model reads without and with padding, for tokens per second

    A task's config may have `movable`, the names of options that say where data lie and not which: a run may be
    continued with others.
    A batch with ``segments`` (B, T) has packed rows, whose sequences are numbered 1, 2, .. in each row, padding 0.
    """

    config: Any
    seed: Any

    def batch(self, step: int) -> dict[str, Tensor]:
        """Return the batch of training step `step`, on the CPU."""
        ...

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Return the loss to be minimised: a scalar; in a population one number a member."""
        ...

    def evaluate(self, model: nn.Module) -> Metrics:
        """Return the metrics of `model` on data that it was not trained on (called without gradients)."""
        ...


def takes_segments(model: nn.Module) -> bool:
    """Tell whether a model takes packed rows: whether its forward pass has an argument `segments`."""
    inner = model.module if isinstance(model, nn.parallel.DistributedDataParallel) else model
    inner = getattr(inner, "_orig_mod", inner)  # of torch.compile
    return "segments" in inspect.signature(type(inner).forward).parameters


def check_takes_segments(model: nn.Module) -> None:
    """Raise an InputError for a model that takes no packed rows."""
    if not takes_segments(model):
        expected = "one that takes packed rows, forward(inputs, segments)"
        reject("model", expected, type(model).__name__, "rows of one sequence each suit every model")
