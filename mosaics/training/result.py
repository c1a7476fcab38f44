"""What a training returns, and the error that it ends with when the numbers go wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from mosaics.interface import Metrics
from mosaics.training.folder import Record
from toyworlds.core.validate import DataError

SUMMARY = ("steps", "stopped_early", "final", "best", "seconds")
"""Fields of a Result that ``result.json`` keeps."""


class TrainingError(DataError):
    """Training went wrong: a loss or a gradient is not finite."""


@dataclass(frozen=True)
class Result:
    """What :func:`mosaics.training.train` returns; the model holds the last weights and is in evaluation mode.

    `final` are the metrics at the end; `best` is None, or {"step", "value"} of the monitored metric (lists in a
    population), whose weights are `best_weights`; `seconds` counts the work that the result rests on. `timing` holds
    a record of :mod:`mosaics.training.meter` for every record of `history` that this process computed.
    """

    steps: int
    history: list[Record]
    final: Metrics
    best: dict[str, Any] | None
    best_weights: dict[str, Tensor] = field(repr=False)
    stopped_early: bool
    seconds: float
    timing: list[Record] = field(default_factory=list, repr=False)
