"""The code of docs/own_model.md runs, and its model keeps what the page promises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from mosaics.interface import SequenceModel
from mosaics.registry import MODELS

PAGE = Path(__file__).parents[2] / "docs" / "own_model.md"


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    found = {"__name__": "own_model"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("own_model"))  # the page saves its model where it runs
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
            exec(compile(block, str(PAGE), "exec", dont_inherit=True), found)
    return found


def test_the_page_runs(names):
    assert MODELS["my_gru"] is names["MyGRUConfig"]
    assert abs(names["count"](names["config"]) / names["target"] - 1) < 0.05
    assert names["result"].final["validation_loss"] > 0
    assert [len(row) for row in names["rows"]] == [8, 6]
    tokens = torch.tensor([[1, 2, 3]])
    assert torch.equal(names["same"](tokens), names["model"].eval()(tokens))


def test_its_model_keeps_the_contract(names):
    model = names["MyGRUConfig"](vocabulary=5).build().double().eval()
    assert isinstance(model, SequenceModel)
    tokens = torch.tensor([[1, 2, 3, 4], [0, 4, 2, 1]])
    full, state = model(tokens), model.initial_state(2)
    for position in range(4):
        output, state = model.step(tokens[:, position], state)
        torch.testing.assert_close(output, full[:, position])
    changed = model(torch.tensor([[1, 2, 0, 4], [0, 4, 0, 1]]))
    assert torch.equal(changed[:, :2], full[:, :2])
    assert not torch.allclose(changed[:, 2:], full[:, 2:])
