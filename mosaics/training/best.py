"""The best weights so far by one metric; in a population the best of each member, whenever it had them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mosaics.interface import Metrics
from toyworlds.core.validate import choice


class Best:
    """Keeps the best value of the metric `monitor`, its step and the weights; one of each a member."""

    def __init__(self, monitor: str, higher_is_better: bool, members: int | None) -> None:
        self.monitor, self.members = monitor, members
        self.sign = -1.0 if higher_is_better else 1.0
        self.values: list[float | None] = [None] * (members or 1)
        self.steps = [0] * (members or 1)
        self.waited = 0
        self.weights: dict[str, Tensor] = {}

    def see(self, step: int, metrics: Metrics, weights: dict[str, Tensor]) -> None:
        """Take note of an evaluation; `waited` counts those in a row without a new best."""
        values: Any = metrics[choice("monitor", self.monitor, metrics)]
        values = values if self.members else [values]
        better = [self._better(new, old) for new, old in zip(values, self.values, strict=True)]
        self.waited = 0 if any(better) else self.waited + 1
        if not self.weights:
            self.weights = {name: item.detach().clone() for name, item in weights.items()}
        for member in (m for m, improved in enumerate(better) if improved):
            self.values[member], self.steps[member] = values[member], step
            for name, item in weights.items():
                chosen = (member,) if self.members else ()
                self.weights[name][chosen] = item.detach()[chosen]

    def _better(self, new: float | None, old: float | None) -> bool:
        return new is not None and (old is None or self.sign * new < self.sign * old)

    def summary(self) -> dict[str, Any] | None:
        """Return {"step", "value"}, lists in a population; None before any evaluation."""
        if not self.weights:
            return None
        return {
            "step": self.steps if self.members else self.steps[0],
            "value": self.values if self.members else self.values[0],
        }

    def notes(self) -> dict[str, Any]:
        """Return what a checkpoint keeps, besides the weights."""
        return {"values": self.values, "steps": self.steps, "waited": self.waited}

    def restore(self, notes: dict[str, Any], weights: dict[str, Tensor], like: dict[str, Tensor]) -> None:
        """Put back what a checkpoint kept, on the devices of the weights `like`."""
        self.values, self.steps, self.waited = list(notes["values"]), list(notes["steps"]), notes["waited"]
        self.weights = {name: torch.empty_like(like[name]).copy_(item) for name, item in weights.items()}
