"""A population's members end where their lone runs do."""

from dataclasses import replace

import pytest
import torch

from mosaics.baselines.recurrent import LSTMConfig
from mosaics.baselines.transformer import RotaryTransformerConfig, TransformerConfig
from mosaics.moons_model import MoonsModelConfig
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.mosaic_v2 import MemoryMosaicV2Config
from mosaics.stacked import StackedModel
from mosaics.tasks.moons import MoonsTaskConfig
from mosaics.tasks.regbench import RegBenchTaskConfig
from mosaics.training import TrainConfig, TrainingError, train
from mosaics.training.population import StackedTask, train_population
from regbench.suites import RegBenchLaptop
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


LANGUAGES = RegBenchTaskConfig(RegBenchLaptop(), train_size=12, validation_size=2, test_size=2, batch_size=4)
SMALL = {"vocabulary": LANGUAGES.vocabulary, "n_layers": 1, "n_heads": 2, "width": 8}
MODELS = {
    "mosaic": MemoryMosaicConfig(**SMALL),
    "mosaic, tied, gaussian": MemoryMosaicConfig(**SMALL, tied_key_value=True, key_norm="gaussian", value_kernel=1),
    "v2": MemoryMosaicV2Config(**SMALL, window=16, delay=4, shortest_delay=4, longest_delay=9),
    "transformer": TransformerConfig(**SMALL, context=LANGUAGES.longest),
    "rotary transformer": RotaryTransformerConfig(**SMALL),
}
LEARNING = TrainConfig(
    steps=20,
    learning_rate=1e-2,
    warmup_steps=3,
    weight_decay=0.1,
    clip_norm=0.5,
    dtype="float64",
    device="cpu",
    threads=1,
)


def equal_to_lone_runs(model, task, config, rates):
    trained = train_population(model, task, config, (3, 8), learning_rates=rates, members=3, progress=False)
    assert [(one.seed, one.learning_rate) for one in trained] == [(s, r) for s in (3, 8) for r in rates]
    for one in trained:
        lone = model.build(one.seed)
        alone = replace(config, learning_rate=one.learning_rate)
        expected = train(lone, task.build(one.seed), alone, progress=False)
        own = dict(one.model.named_parameters())
        for name, parameter in lone.named_parameters():
            torch.testing.assert_close(own[name], parameter, rtol=0, atol=1e-9)
        assert one.result.final == pytest.approx(expected.final, abs=1e-9)
        for got, want in zip(one.result.history, expected.history, strict=True):
            assert got == pytest.approx(want, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_members_of_any_kind_equal_their_lone_runs(name):
    """Each with its own data order and learning rate; batches are padded to the longest of the members' texts."""
    equal_to_lone_runs(MODELS[name], LANGUAGES, LEARNING, (1e-2, 3e-3))


def test_members_with_dropout_equal_their_lone_runs():
    model = replace(MODELS["mosaic"], vocabulary=0, channels=6, output_dropout=0.2, contextual_dropout=0.1)
    equal_to_lone_runs(model, TASK, replace(LEARNING, steps=5), (1e-2,))


def test_the_best_weights_of_a_stacked_member_have_the_names_of_a_lone_model(tmp_path):
    config = replace(LEARNING, steps=4, evaluate_every=2)
    (first, _) = train_population(MODELS["mosaic"], LANGUAGES, config, (1, 2), tmp_path, progress=False)
    lone = MODELS["mosaic"].build(1)
    assert first.result.best_weights.keys() == lone.state_dict().keys()
    again = train_population(MODELS["mosaic"], LANGUAGES, config, (1, 2), tmp_path, progress=False)
    assert again[0].result.final == first.result.final
    assert torch.equal(again[0].model.norm.weight, first.model.norm.weight)


def test_the_moons_model_takes_a_learning_rate_a_member():
    equal_to_lone_runs(MoonsModelConfig(), TASK, replace(CONFIG, steps=5, evaluate_every=None), (1e-2, 1e-3))


def test_micro_batches_add_up_to_the_batch():
    config = replace(LEARNING, steps=3)
    whole = train_population(MODELS["mosaic"], LANGUAGES, config, (1, 2), progress=False)
    cut = train_population(MODELS["mosaic"], LANGUAGES, replace(config, micro_batch=2), (1, 2), progress=False)
    for a, b in zip(whole, cut, strict=True):
        torch.testing.assert_close(a.model.norm.weight, b.model.norm.weight, rtol=0, atol=1e-9)


def test_stacked_outputs_and_members():
    models = StackedModel(MODELS["transformer"], (4, 5))
    tokens = torch.randint(LANGUAGES.vocabulary, (2, 3, 9))
    outputs = models(tokens)
    assert models.num_parameters() == MODELS["transformer"].build(4).num_parameters()
    assert models.flops_per_token(9) == MODELS["transformer"].build(4).flops_per_token(9)
    for i, seed in enumerate((4, 5)):
        torch.testing.assert_close(outputs[i], MODELS["transformer"].build(seed)(tokens[i]))
        assert torch.equal(models.member(i).norm.weight, models.weights["norm/weight"][i])


def test_what_cannot_be_stacked_says_so():
    lstm = LSTMConfig(vocabulary=LANGUAGES.vocabulary, width=8, n_layers=1)
    with pytest.raises(InputError, match=r"model: expected one that torch.vmap can batch; got 'LSTMConfig'"):
        train_population(lstm, LANGUAGES, LEARNING, (1, 2), progress=False)
    with pytest.raises(InputError, match="dropout: expected 0 where the batches of members differ in length"):
        train_population(replace(MODELS["mosaic"], output_dropout=0.1), LANGUAGES, LEARNING, (1, 2), progress=False)
    with pytest.raises(InputError, match="compile: expected none"):
        train_population(MODELS["mosaic"], LANGUAGES, replace(LEARNING, compile="model"), (1, 2), progress=False)
    with pytest.raises(InputError, match="seeds: expected at least one"):
        StackedModel(lstm, ())
    batch = StackedTask(LANGUAGES, (1, 2)).batch(0)
    assert batch["labels"].shape == batch["tokens"].shape
    assert (batch["labels"][batch["tokens"] == 0] == -1).all()
