"""`mosaicbench score`: a run whose options are damaged or do not fit its weights is one line that names the file."""

import json
import shutil

import pytest

from analysis.cli import run
from analysis.cli.score_command import score_run
from toyworlds.core.validate import DataError


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("score") / "run"
    assert run(["train", "moons", "--out", str(out), "--steps", "10"]) == 0
    return out


def edited(trained, tmp_path, change):
    """Return a copy of the run whose config.json is changed."""
    copy = shutil.copytree(trained, tmp_path / "run")
    config = json.loads((copy / "config.json").read_text())
    change(config)
    (copy / "config.json").write_text(json.dumps(config))
    return copy


def test_scores_of_a_run(trained):
    scores = score_run(trained)
    assert 0.0 <= scores["alignment"] <= 1.0
    assert {"error_134_200", "horizon", "causal_alignment"} <= set(scores)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["task"]["options"].pop("world"), r"config\.json: expected the name, .*KeyError\('world'\)"),
        (lambda c: c["model"].pop("seed"), r"config\.json: expected the name, .*KeyError\('seed'\)"),
        (lambda c: c.pop("task"), r"config\.json: expected the name, .*KeyError\('task'\)"),
        (lambda c: c.update(model=None), r"config\.json: expected the name, "),
        (lambda c: c["model"].update(name="mosaic"), "expected a run of the moons model; got one of 'mosaic'"),
        (lambda c: c["model"].update(seed="one"), r"config\.json: seed"),
        (lambda c: c["model"]["options"].update(n_head=2), r"config\.json: model: .*did you mean 'n_heads'"),
        (lambda c: c["model"]["options"].update(n_heads=2), r"model\.safetensors: does not fit .*size mismatch"),
        (lambda c: c["model"].update(seed=[0, 1]), r"model\.safetensors: does not fit "),
        (
            lambda c: c["task"]["options"]["world"].update(train_periods=[[1.0, 2.0]], held_out_periods=[[1.0, 3.0]]),
            r"config\.json: 2 moons have 4 channels; the model 6",
        ),
    ],
)
def test_a_damaged_run_names_its_file(trained, tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        score_run(edited(trained, tmp_path, change))
