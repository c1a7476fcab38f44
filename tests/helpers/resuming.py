"""A training that is killed and continued, next to one that is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mosaics.training import TrainConfig, train


class KilledError(Exception):
    """Stands for a kill."""


def check_exact_resume(model: Any, task: Any, config: TrainConfig, folder: Path, *, killed: int) -> None:
    """Kill a training behind step `killed`, continue it, and compare history and weights bit by bit."""

    def kill(step: int, _: Any) -> dict[str, float]:
        if step == killed:
            raise KilledError
        return {}

    whole, resumed = model.build(1), model.build(1)
    expected = train(whole, task.build(1), config, folder / "whole", progress=False)
    with pytest.raises(KilledError):
        train(model.build(1), task.build(1), config, folder / "cut", progress=False, observe=kill)
    result = train(resumed, task.build(1), config, folder / "cut", progress=False)
    assert result.history == expected.history
    for name, item in whole.state_dict().items():
        assert torch.equal(item, resumed.state_dict()[name]), name
