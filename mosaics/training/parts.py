"""Parts of a global batch: what one process computes at once, and how much of the loss it is.

    L = sum_p w_p L_p / sum_p w_p,     w_p the terms (labelled tokens, say) that L_p, the loss of part p, is the mean of

The rows of the batch are cut into parts of `micro_batch` rows, the last one smaller; each process takes an equal
number of parts in a row. A process that is left with fewer repeats a part with share 0, because all processes must
take part in every exchange of gradients; so is a part without any term.

    share = w_p / w * processes              gradients of the processes are averaged

w_p is ``task.weight(part)``; a task without that method trains on whole batches alone. Rows are the first axis of
every tensor of a batch, in a population the second.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from toyworlds.core.validate import reject

Batch = dict[str, Tensor]


class Part(NamedTuple):
    """A part of a batch."""

    batch: Batch
    first_row: int
    """Where it begins in the global batch; its dropout is drawn for this row."""
    share: Tensor | None
    """Factor of its loss, a scalar or one number a member; None for 1."""


class Size(NamedTuple):
    """What a global batch holds, for the record of times; zeros where the task does not tell."""

    sequences: int = 0
    """Sequences, those of all members of a population, and all that share a packed row."""
    tokens: int = 0
    """Inputs of the model, padding not counted."""
    padded: int = 0
    """Inputs of the model, padding counted."""


def rows_of(batch: Batch, axis: int) -> int:
    """Return the number of rows, which all tensors must share."""
    sizes = {name: item.shape[axis] if item.dim() > axis else None for name, item in batch.items()}
    if len(set(sizes.values())) != 1 or None in sizes.values():
        reject("batch", f"tensors with the same number of rows on axis {axis}, to cut it into parts", sizes)
    return int(next(iter(batch.values())).shape[axis])


def weight_of(task: Any, batch: Batch) -> Tensor:
    """Return the terms that the loss of `batch` is the mean of, float64: a scalar or one number a member."""
    return torch.as_tensor(task.weight(batch), dtype=torch.float64)


def size_of(task: Any, batch: Batch, axis: int) -> Size:
    """Return sequences and tokens of a batch, where the task has a method `tokens`."""
    if not hasattr(task, "tokens"):
        return Size()
    members = next(iter(batch.values())).shape[0] if axis else 1
    count = int(batch["segments"].amax(-1).sum()) if "segments" in batch else rows_of(batch, axis) * members
    return Size(count, *task.tokens(batch))


def cut(
    task: Any, batch: Batch, *, axis: int = 0, micro_batch: int | None = None, rank: int = 0, processes: int = 1
) -> list[Part]:
    """Return the parts of `batch` that process `rank` of `processes` computes, in order; the sum is the whole loss."""
    if micro_batch is None and processes == 1:
        return [Part(batch, 0, None)]
    if not hasattr(task, "weight"):
        option = "parallel" if processes > 1 else "micro_batch"
        reject(option, "none for a task without a method `weight`", type(task).__name__)
    rows = rows_of(batch, axis)
    length = min(micro_batch or math.ceil(rows / processes), rows)
    starts = range(0, rows, length)
    each = math.ceil(len(starts) / processes)
    pieces = {first: _piece(batch, axis, first, min(length, rows - first)) for first in starts}
    weights = {first: weight_of(task, piece) for first, piece in pieces.items()}
    whole = torch.stack(list(weights.values())).sum(0)
    real = next((first for first in starts if (weights[first] > 0).all()), 0)
    spare = Part(pieces[real], real, torch.zeros_like(whole))
    own = starts[rank * each : (rank + 1) * each]
    parts = [Part(pieces[f], f, weights[f] / whole * processes) if weights[f].any() else spare for f in own]
    return parts + [spare] * (each - len(parts))


def _piece(batch: Batch, axis: int, first: int, count: int) -> Batch:
    return {name: item.narrow(axis, first, count) for name, item in batch.items()}
