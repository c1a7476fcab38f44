"""A recipe: the config of a model, of its task and of its training; and models of one size for a task of tokens."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

from mosaics.registry import MODELS
from mosaics.sizes import count, match_parameters
from mosaics.training import Result, TrainConfig, train
from toyworlds.core.validate import choice


class Recipe(NamedTuple):
    """What to train on what, and how."""

    model: Any
    """Config of the model."""
    task: Any
    """Config of the task."""
    training: TrainConfig

    def train(
        self, seed: int = 0, out: str | Path | None = None, *, progress: bool | None = None
    ) -> tuple[Any, Result]:
        """Train the model from `seed`, which also draws the batches; `out`, `progress` are those of `train`.

        Returns the model, with its last weights, and the result, with its best.
        """
        model = self.model.build(seed)
        training = dataclasses.replace(self.training, seed=seed)
        return model, train(model, self.task.build(seed), training, out, progress=progress)


def sized(name: str, task: Any, options: dict[str, Any], *, positions_counted: bool = True) -> Any:
    """Return the config of a registered model of tokens for `task`, with those of the `options` that it has.

    Any model but the mosaic gets the mosaic's parameter count, by its size field; a table of learned positions beside
    it where that is not counted: in a small model it would take the place of most of the feed-forward networks.
    `task` is a config with a `vocabulary` and a `longest` row, in tokens.
    """
    import mosaics.catalogue  # noqa: F401  (fills the registries)

    choice("model", name, MODELS.names("tokens"))
    mosaic = _configured(MODELS["mosaic"], task, options)
    if name == "mosaic":
        return mosaic
    config = _configured(MODELS[name], task, options)
    return match_parameters(config, count(mosaic) + (0 if positions_counted else positions_of(config)))


def positions_of(config: Any) -> int:
    """Return the parameters of a model's table of learned positions."""
    return config.context * config.width if getattr(config, "positions", "") == "learned" else 0


def _configured(model: Any, task: Any, options: dict[str, Any]) -> Any:
    fields = {field.name: field.default for field in dataclasses.fields(model)}
    known = {name: value for name, value in options.items() if name in fields}
    limit = {"context": task.longest} if fields.get("context") else {}
    return model(**known, **limit, vocabulary=task.vocabulary)
