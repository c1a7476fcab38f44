"""A population's members end where their lone runs do."""

from dataclasses import replace

import pytest
import torch

from mosaics.moons_model import MoonsModelConfig
from mosaics.tasks.moons import MoonsTaskConfig
from mosaics.training import TrainConfig, TrainingError, train
from mosaics.training.population import train_population
from toyworlds import ThreeMoons
from toyworlds.core.validate import InputError

TASK = MoonsTaskConfig(ThreeMoons(length=40), batch_size=4, evaluation_rows=3)
CONFIG = TrainConfig(
    steps=20, learning_rate=1e-2, dtype="float64", device="cpu", threads=1, evaluate_every=5, bias_correction=False
)
SEEDS = (3, 8, 11)


@pytest.mark.parametrize("clip", [None, 0.05])
@pytest.mark.parametrize("options", [{}, {"learn_beta": True, "score": "gaussian", "linear": "plain"}])
def test_members_equal_their_lone_runs(options, clip):
    model, config = MoonsModelConfig(**options), replace(CONFIG, clip_norm=clip, weight_decay=0.1)
    trained = train_population(model, TASK, config, SEEDS, members=2, progress=False)
    assert [t.seed for t in trained] == list(SEEDS)
    for seed, one in zip(SEEDS, trained, strict=True):
        lone = model.build(seed)
        expected = train(lone, TASK.build(seed), config, progress=False)
        for name, parameter in lone.named_parameters():
            own = dict(one.model.named_parameters())[name]
            torch.testing.assert_close(own, parameter, rtol=0, atol=1e-9)
            torch.testing.assert_close(one.result.best_weights[name], expected.best_weights[name], rtol=0, atol=1e-9)
        assert one.result.best["step"] == expected.best["step"]
        assert one.result.final == pytest.approx(expected.final, abs=1e-9)
        for got, want in zip(one.result.history, expected.history, strict=True):
            assert got == pytest.approx(want, rel=1e-7, abs=1e-9)
    assert clip is None or any(record.get("gradient_norm", 0) > clip for record in one.result.history)


def test_each_member_keeps_its_own_best():
    config, seen = replace(CONFIG, monitor="score", higher_is_better=True), {}

    def observe(step, model):
        seen[step] = model.key_map.detach().clone()
        return {"score": {0: [0.0, 5.0], 5: [1.0, 1.0], 10: [3.0, 2.0], 15: [2.0, 5.0], 20: [3.0, 4.0]}[step]}

    trained = train_population(MoonsModelConfig(), TASK, config, (1, 2), progress=False, observe=observe)
    assert [t.result.best for t in trained] == [{"step": 10, "value": 3.0}, {"step": 0, "value": 5.0}]
    assert torch.equal(trained[0].result.best_weights["key_map"], seen[10][0])
    assert torch.equal(trained[1].result.best_weights["key_map"], seen[0][1])


def test_folders_are_read_again(tmp_path):
    first = train_population(MoonsModelConfig(), TASK, CONFIG, SEEDS, tmp_path, members=2, progress=False)
    again = train_population(MoonsModelConfig(), TASK, CONFIG, SEEDS, tmp_path, members=2, progress=False)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["seeds-11-11", "seeds-3-8"]
    for a, b in zip(first, again, strict=True):
        assert (a.result.history, a.result.final) == (b.result.history, b.result.final)
        assert torch.equal(a.model.output_map, b.model.output_map)


def test_refusals():
    with pytest.raises(InputError, match="seeds"):
        train_population(MoonsModelConfig(), TASK, CONFIG, (1, 1))
    with pytest.raises(InputError, match="patience"):
        train_population(MoonsModelConfig(), TASK, replace(CONFIG, patience=1), (1, 2))
    model = MoonsModelConfig().build((1, 2))
    with torch.no_grad():
        model.output_map[1].fill_(torch.nan)
    with pytest.raises(TrainingError, match="step 0, seed 2, member 1"):
        train(model, TASK.build((1, 2)), replace(CONFIG, evaluate_every=None), progress=False)
