"""Causal traceability by hand, runs against n-grams, pictures, terminal views, and the trace command."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from rich.console import Console

from analysis.bootstrap import Interval
from analysis.cli.parse import parse
from analysis.cli.trace_command import Command
from analysis.plots.style import figure
from analysis.plots.trace_terminal import shade, strips, trace_view
from analysis.plots.tracing import (
    diverging,
    effect_bars,
    kind_bars,
    kind_label,
    memory_label,
    text_strip,
    trace_figure,
)
from analysis.runs import ORACLE, TRIGRAM, against_ngrams, load_run
from analysis.trace_effects import cohen, correlation, effects, ratio_of_means
from analysis.tracing import Stored, Traceability, match, measure, places, steps, total_variation
from mosaics.catalogue import MODELS
from mosaics.edit import Remove, change
from mosaics.moons_model import MoonsModelConfig
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.mosaic_v2 import MemoryMosaicV2Config
from mosaics.origins import origins
from mosaics.tasks.moons import MoonsTaskConfig
from mosaics.tasks.recipe import Recipe
from mosaics.tasks.regbench import laptop_recipe
from mosaics.trace import trace
from mosaics.training import TrainConfig, train
from regbench.problems import load
from regbench.suites import RegBench, RegBenchLaptop
from regbench.vocabulary import encode
from toyworlds.core.validate import DataError, InputError
from toyworlds.three_moons import ThreeMoons

LETTERS = ".abcd|"


@pytest.fixture(scope="module")
def problems():
    return load(RegBenchLaptop(), "test", 0, 12, seed=0)


@pytest.fixture(scope="module")
def mosaic():
    """A small mosaic far from its start, so that its memories differ."""
    model = MemoryMosaicConfig(vocabulary=6, n_heads=2, width=16, persistent_size=4).build(0).double().eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data.add_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64), alpha=0.2)
    return model


@pytest.fixture(scope="module")
def version_2():
    """One block of version 2 far from its start, whose persistent memory adds nothing."""
    config = MemoryMosaicV2Config(vocabulary=6, n_layers=1, n_heads=2, width=16, window=4, delay=3)
    model = config.build(0).double().eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data.add_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64), alpha=0.2)
    model.blocks[0].second.output.weight.data.zero_()
    return model


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders of two short runs of a mosaic, one of version 2, and one of a moons model."""
    folder = tmp_path_factory.mktemp("runs")
    recipe = laptop_recipe()
    task = replace(recipe.task, train_size=64, validation_size=10, test_size=10)
    training = replace(recipe.training, steps=4, warmup_steps=1, evaluate_every=2, threads=1)
    small = Recipe(replace(recipe.model, width=16, n_heads=2, persistent_size=8), task, training)
    for seed in (0, 1):
        small.train(seed, folder / f"mosaic-{seed}", progress=False)
    second = MemoryMosaicV2Config(vocabulary=6, n_layers=1, n_heads=2, width=16, window=4, delay=3)
    small._replace(model=second).train(0, folder / "version-2", progress=False)
    moons = MoonsTaskConfig(ThreeMoons(length=60), batch_size=2, evaluation_rows=2)
    train(MoonsModelConfig().build(0), moons.build(0), TrainConfig(steps=2), folder / "moons", progress=False)
    return folder


def stored_by_hand():
    """Two memories, three outputs; memory 0 has three pairs, memory 1 two."""
    table = pd.DataFrame({"layer": 0, "head": [0, 0, 0, 1, 1], "index": [0, 1, 2, 0, 1]})
    weights = np.array([0.4, 0.4, 0.2, 0.5, 0.5])
    contributions = np.array([[2.0, 0, 0], [0.01, 0, 0], [0, 0.5, 0], [0, 1.0, 0], [0, 1.0, 0]])
    return Stored(table, weights, contributions, np.array([0, 0, 0, 1, 1]), np.array([1.0, 0.5, 0.0]))


def test_expected_shifts_by_hand():
    stored = stored_by_hand()
    np.testing.assert_allclose(stored.shift([0, 3], "silence"), [-2.0, -1.0, 0.0])
    whole = stored.contributions[:3].sum(0)
    np.testing.assert_allclose(stored.shift([0], "remove"), (0.4 * whole - [2.0, 0, 0]) / 0.6)
    np.testing.assert_allclose(stored.shift([3], "remove"), 0.0, atol=1e-15)  # the other pair says the same
    np.testing.assert_allclose(stored.shift([3, 4], "remove"), [0.0, -2.0, 0.0])  # nobody is left


def test_matching_by_hand():
    stored = stored_by_hand()
    how = Traceability(intervention="silence", account="contribution", pairs=4, floor=0.1, ratio=1.25, share=0.25)
    assert match(stored, how) == ([0], [1])  # 2 weighs less, 3 and 4 contribute alike
    assert match(stored, replace(how, share=0.001)) == ([], [])
    removal = Traceability(floor=0.1, share=0.9)
    named, _ = match(stored, removal)
    assert 3 not in named  # removing one of two that say the same is expected to do nothing


def test_distance_by_hand():
    logits = np.log([[0.5, 0.5], [0.2, 0.8]])
    assert total_variation(logits[0], logits[1]) == pytest.approx(0.3)
    assert total_variation(logits[0], logits + 3.0).tolist() == pytest.approx([0.0, 0.3])


def test_the_expected_removal_is_that_of_the_model_where_nothing_else_follows():
    """One block of contextual memories: the trace foresees the logits after a removal, up to the last norm's sigma."""
    config = MemoryMosaicConfig(vocabulary=6, n_layers=1, n_heads=2, width=16, second="none")
    model = config.build(0).double().eval()
    tokens = np.array([1, 2, 5, 2, 1, 3, 5, 1, 2, 5, 3])
    stored = Stored.of(trace(model, tokens))
    pair = int(stored.table.query("head == 1 and index == 4").index[0])
    expected = stored.shift([pair], "remove")
    seen = change(model, tokens, [Remove(0, 1, 4)], since=10)
    factors = seen.after / (seen.before + expected)
    np.testing.assert_allclose(factors, factors[0], rtol=1e-9)
    assert not np.allclose(seen.after / seen.before, seen.after[0] / seen.before[0], rtol=1e-7)


@pytest.mark.parametrize(("memory", "head", "index"), [("short", 1, 8), ("long", 0, 4)])
def test_the_expected_removal_knows_the_levels_of_the_second_version(version_2, memory, head, index):
    """The same where the persistent memory is silent: a pair's weight goes to the others of its own level alone."""
    tokens = np.array([1, 2, 5, 2, 1, 3, 5, 1, 2, 5, 3])
    stored = Stored.of(trace(version_2, tokens))
    assert len(set(stored.memory)) == 4
    pair = int(stored.table.query("memory == @memory and head == @head and index == @index").index[0])
    expected = stored.shift([pair], "remove")
    (place,) = places(stored.table.loc[[pair]])
    seen = change(version_2, tokens, [Remove(0, head, index, memory)], since=10)
    np.testing.assert_array_equal(seen.after, change(version_2, tokens, [Remove(**place)], since=10).after)
    factors = seen.after / (seen.before + expected)
    np.testing.assert_allclose(factors, factors[0], rtol=1e-9)
    assert not np.allclose(seen.after / seen.before, seen.after[0] / seen.before[0], rtol=1e-7)


def test_steps_are_labelled_rows(problems):
    how = Traceability(first=25)
    drawn = list(steps(problems, how))
    assert drawn == list(steps(problems, how))
    assert drawn != list(steps(problems, replace(how, seed=1)))
    assert all(row >= 25 and problems.labels[problem, row] >= 0 for problem, row in drawn)
    assert 0 < len(drawn) <= len(problems)
    assert list(steps(problems, replace(how, first=10_000))) == []


@pytest.mark.parametrize("intervention", ["silence", "remove"])
@pytest.mark.parametrize(("name", "pairs"), [("mosaic", 4), ("version_2", 1)])
def test_measurements(request, name, pairs, problems, intervention):
    how = Traceability(intervention=intervention, pairs=pairs, floor=0.1, ratio=2.0, share=0.5)
    table = measure(request.getfixturevalue(name), problems, how)
    lines = table[table["pairs"] > 0]
    assert len(table) == len(list(steps(problems, how)))
    assert len(lines) >= 2
    assert (lines["expected_matched"] < lines["expected_named"]).all()
    ratio = lines["weight_named"] / lines["weight_matched"]
    assert ratio.between(1 / 2.0, 2.0).all()
    assert lines["effect_named"].between(0.0, 1.0).all()
    assert set(lines["flip_named"]) <= {0.0, 1.0}


def test_an_effect_is_the_distance_of_the_predictions(mosaic, problems):
    how = Traceability(pairs=1, floor=0.1, ratio=2.0, share=0.5)
    line = measure(mosaic, problems, how).query("pairs == 1").iloc[0]
    tokens = problems.tokens[int(line["problem"]), : int(line["row"]) + 1]
    stored = Stored.of(trace(mosaic, tokens.astype(np.int64)))
    ((pair,), _) = match(stored, how)
    place = stored.table.loc[pair, ["layer", "head", "index"]].tolist()
    seen = change(mosaic, tokens.astype(np.int64), [Remove(*place)], since=int(line["row"]))
    assert line["effect_named"] == pytest.approx(seen.total_variation)
    assert line["expected_named"] == pytest.approx(stored.expected("remove")[pair])


def made_table(seed=0, n=40):
    rng = np.random.default_rng(seed)
    named, matched = rng.uniform(0.2, 0.6, n), rng.uniform(0.0, 0.1, n)
    return pd.DataFrame({
        "pairs": [2] * (n - 1) + [0],
        "weight_named": 0.3, "weight_matched": 0.3,
        "expected_named": named, "expected_matched": matched,
        "effect_named": named, "effect_matched": matched,
        "flip_named": 1.0, "flip_matched": 0.0,
    })  # fmt: skip


def test_effect_sizes():
    first, second = made_table(0), made_table(1)
    found = effects([first, second], n=200)
    used = [table[:-1] for table in (first, second)]
    assert (found.problems, found.without, found.pairs) == (78, 2, 2.0)
    means = [table["effect_named"].mean() for table in used]
    assert found.named["effect"].estimate == pytest.approx(np.mean(means))
    assert found.difference["effect"].low > 0.25
    assert found.difference["flip"].estimate == found.larger.estimate == 1.0
    assert found.correlation.estimate == pytest.approx(1.0)
    differences = [(table["effect_named"] - table["effect_matched"]).to_numpy() for table in used]
    assert found.standardised.estimate == pytest.approx(np.mean([d.mean() / d.std(ddof=1) for d in differences]))
    assert found.standardised.low > 2.0
    null = effects([first.assign(effect_named=first["effect_matched"][::-1].to_numpy())], n=200)
    assert null.difference["effect"].low < 0.0 < null.difference["effect"].high


def test_statistics_by_hand():
    assert cohen([np.array([[3.0, 5.0], [1.0, 1.0]])]) == pytest.approx(3.0 / np.sqrt(2.0))
    assert ratio_of_means([np.array([[3.0, 5.0], [1.0, 1.0]])]) == pytest.approx(4.0)
    values = np.array([[0.0, 1.0], [2.0, 3.0], [1.0, 3.0], [5.0, 7.0]])
    assert correlation([values]) == pytest.approx(1.0)
    assert correlation([values * [[1.0], [1.0], [-1.0], [-1.0]]]) == pytest.approx(-1.0)


def test_what_cannot_be_measured_is_refused(mosaic, problems):
    with pytest.raises(InputError, match="intervention: expected one of silence, remove"):
        Traceability(intervention="removal")
    with pytest.raises(InputError, match="share: expected a number of at least 0 and below 1"):
        Traceability(share=1.0)
    with pytest.raises(InputError, match="a labelled row from 5000 on"):
        measure(mosaic, problems, Traceability(first=5000))
    with pytest.raises(InputError, match="tables: expected at least one"):
        effects([made_table()[-1:]])


def test_runs_against_ngrams(runs):
    found = against_ngrams([runs / "mosaic-0", runs / "mosaic-1"])
    entry = found["models"]["mosaic"]
    loaded = load_run(runs / "mosaic-1")
    assert entry["seeds"] == [0, 1]
    assert entry["parameters"] == loaded.model.num_parameters()
    assert entry["dfa_accuracy"]["values"][1] == loaded.saved.result["final"]["test_dfa_accuracy"]
    lead = entry["total_variation"]["lead"][TRIGRAM]
    values = np.array(entry["total_variation"]["values"])
    assert lead["values"] == pytest.approx(found["baselines"][TRIGRAM]["total_variation"] - values)
    assert lead["t_interval"]["estimate"] == pytest.approx(np.mean(lead["values"]))
    assert "excess" not in found["baselines"][TRIGRAM]
    assert "excess" in found["baselines"]["trigram, Witten-Bell"]
    assert entry["cross_entropy"]["lead"][ORACLE]["t_interval"]["high"] < 0.0
    best = found["baselines"][ORACLE]
    assert all(
        best["dfa_accuracy"] > entry["dfa_accuracy"] for name, entry in found["baselines"].items() if name != ORACLE
    )
    assert best["excess"] > 0.0
    with pytest.raises(InputError, match="at least two runs of mosaic"):
        against_ngrams([runs / "mosaic-0"])
    with pytest.raises(InputError, match="runs of RegBench"):
        against_ngrams([runs / "mosaic-0", runs / "moons"])


def test_a_loaded_run_predicts_as_when_it_was_trained(runs):
    loaded = load_run(runs / "mosaic-0")
    assert loaded.world == RegBench(**vars(RegBenchLaptop()))
    task = laptop_recipe().task
    metrics = replace(task, train_size=64, validation_size=10, test_size=10).build(0).evaluate(loaded.model)
    assert metrics == loaded.saved.result["final"]
    assert load_run(runs / "mosaic-0", "best").saved.result["best"] is not None


def test_pictures(mosaic):
    found = trace(mosaic, [1, 2, 5, 2, 1, 3, 5, 1, 2])
    letters = [LETTERS[token] for token in found.inputs]
    followed = origins(mosaic, found.inputs, 2, against="mean")
    page = trace_figure(found, followed, letters, 2, "'b'")
    strip, _, paths, _, memories, bars = page.axes[:6]
    for ax, sums in ((strip, found.by_source(2, "mean").sum().to_numpy()), (paths, followed.contributions)):
        assert [text.get_text() for text in ax.texts] == letters
        shades = [tuple(patch.get_facecolor()) for patch in ax.patches]
        assert shades == [diverging()(0.5 + 0.5 * value / np.abs(sums).max()) for value in sums]
    assert len(memories.get_yticks()) == 4
    heights = [bar.get_width() for bar in bars.patches]
    assert heights[-1] == pytest.approx(sum(heights[:-1]))
    assert heights[-1] == pytest.approx(found.predicted[2] - found.predicted.mean())


def test_long_texts_are_wrapped():
    _, ax = figure()
    text_strip(ax, list("ab" * 70), np.linspace(-1, 1, 140), 1.0, wrap=100)
    assert len(ax.patches) == 140
    assert ax.get_ylim() == (1.5, -0.5)
    low, high = (ax.patches[place].get_facecolor() for place in (0, 139))
    assert low[0] > low[2]
    assert high[2] > high[0]


def test_bars_carry_their_numbers():
    _, ax = figure()
    kind_bars(ax, ["embedding", "pairs, block 0"], np.array([0.5, -1.25]))
    assert [text.get_text() for text in ax.texts] == ["+0.50", "-1.25", "-0.75"]
    _, ax = figure()
    sides = {"named": {"effect": Interval(0.4, 0.3, 0.5)}, "matched": {"effect": Interval(0.1, 0.05, 0.2)}}
    effect_bars(ax, type("Effects", (), sides), "effect", "effect")
    assert [bar.get_height() for bar in ax.patches] == [0.4, 0.1]


def test_names():
    assert memory_label("blocks.1.contextual", 2) == "block 1, head 2"
    assert memory_label("blocks.0.contextual.short", 1) == "block 0 short, head 1"
    assert memory_label("memory", 0) == "head 0"
    assert kind_label("pair 1") == "pairs, block 1"
    assert kind_label("embedding") == "embedding"


def test_terminal_view(mosaic):
    found = trace(mosaic, [1, 2, 5, 2, 1, 3, 5, 1, 2])
    letters = [LETTERS[token] for token in found.inputs]
    console = Console(width=100, record=True, file=io.StringIO())
    followed = origins(mosaic, found.inputs, 2, against="mean")
    console.print(trace_view(found, followed, letters, 2, top=len(found.parts)))
    said = console.export_text()
    assert said.count("\nab|bac|ab") == 2
    began = followed.contributions.sum()
    assert f"along all paths: {began:+.4f}, constants {followed.constant:+.4f}" in said
    assert began + followed.constant == pytest.approx(found.predicted[2] - found.predicted.mean(), abs=1e-6)
    assert f"{found.predicted[2] - found.predicted.mean():+.4f}" in said
    assert "3: ab|b then a" in said
    assert "number 3" in said


def test_strips_without_colours():
    lines = strips(list("abcdef"), np.array([0.0, 1.0, -0.5, 0.0, 0.0, 0.0]), width=4)
    assert [str(line) for line in lines] == ["abcd", " █    raised", "  ▄   lowered", "ef"]
    assert shade(0.0) == "rgb(255,255,255)"
    assert shade(1.0) == shade(2.0) != shade(-1.0)


def command(*words):
    parse(Command, [str(word) for word in words], "mosaicbench trace").run()


def test_the_command_traces_a_symbol(runs, tmp_path, capsys):
    files = ["--figure", tmp_path / "trace.png", "--table", tmp_path / "trace.csv"]
    command(runs / "mosaic-0", "--text", "abab|ab|abb", "--output", "b", "--remove", 2, *files)
    said = capsys.readouterr().out
    assert "prediction after 11 tokens" in said
    assert "traced: b" in said
    assert "without the 2 pairs" in said
    table = pd.read_csv(tmp_path / "trace.csv")
    found = trace(load_run(runs / "mosaic-0").model, [1, 2, 1, 2, 5, 1, 2, 5, 1, 2, 2])
    assert table["output_2"].sum() == pytest.approx(found.predicted[2])
    assert (tmp_path / "trace.png").stat().st_size > 10_000
    command(runs / "mosaic-0", "--row", 3, "--position", 7, "--weights", "best", "--against", "none")
    assert "prediction after 8 tokens" in capsys.readouterr().out


def test_the_command_traces_the_second_version(runs, tmp_path, capsys):
    files = ["--figure", tmp_path / "trace.png", "--table", tmp_path / "trace.csv"]
    command(runs / "version-2", "--text", "abab|ab|abb", "--output", "b", "--remove", 3, "--top", 400, *files)
    said = capsys.readouterr().out
    assert "block 0 short, head 1" in said
    assert "block 0 long, head 0" in said
    model, tokens = load_run(runs / "version-2").model, [1, 2, 1, 2, 5, 1, 2, 5, 1, 2, 2]
    found = trace(model, tokens)
    assert pd.read_csv(tmp_path / "trace.csv")["output_2"].sum() == pytest.approx(found.predicted[2])
    most = found.frame(2, "mean").query("kind == 'pair'").nlargest(3, "contribution")
    edits = [Remove(line.layer, line.head, line.index_, line.memory)
             for line in most.rename(columns={"index": "index_"}).itertuples()]  # fmt: skip
    assert f"{change(model, tokens, edits, since=10).total_variation:.4f}" in said


def test_the_command_traces_an_observation(runs, tmp_path, capsys):
    command(runs / "moons", "--position", 30, "--figure", tmp_path / "moons.png")
    said = capsys.readouterr().out
    assert "Prediction after 31 steps" in said
    assert said.count("moon") >= 3
    assert (tmp_path / "moons.png").stat().st_size > 10_000
    command(runs / "moons", "--position", 0)
    assert "Prediction after 1 step" in capsys.readouterr().out
    with pytest.raises(InputError, match="position: expected a step before which pairs were stored, for a figure"):
        command(runs / "moons", "--position", 0, "--figure", tmp_path / "none.png")


def test_the_command_refuses_what_it_cannot_trace(runs, tmp_path):
    with pytest.raises(DataError, match="no such file"):
        command(tmp_path)
    with pytest.raises(InputError, match=r"output: expected one of the characters \.abcd"):
        command(runs / "mosaic-0", "--output", "z")
    with pytest.raises(InputError, match="row: expected none with a text to read"):
        command(runs / "mosaic-0", "--text", "ab", "--row", 3)
    with pytest.raises(InputError, match="text: expected characters among"):
        command(runs / "mosaic-0", "--text", "xyz")
    with pytest.raises(InputError, match="figure: expected a file in a folder that exists"):
        command(runs / "mosaic-0", "--figure", tmp_path / "nowhere" / "a.png")
    with pytest.raises(InputError, match=r"figure: expected a file whose name ends in one of \.png, \.pdf, \.svg"):
        command(runs / "mosaic-0", "--figure", tmp_path / "a.doc")
    with pytest.raises(InputError, match="row: expected a whole number from 0 to"):
        command(runs / "mosaic-0", "--row", 10**9)
    with pytest.raises(InputError, match="remove: expected none for a run on moons"):
        command(runs / "moons", "--remove", 2)
    with pytest.raises(InputError, match="position: expected a whole number from -5 to 4; got 9"):
        command(runs / "mosaic-0", "--text", "ababa", "--position", 9)
    tiny("lstm").train(0, tmp_path / "lstm", progress=False)
    with pytest.raises(DataError, match=r"expected a run of mosaic on regbench, .*; got lstm on regbench"):
        command(tmp_path / "lstm")


def tiny(model):
    """Return a recipe of another model, of one update."""
    recipe = laptop_recipe()
    task = replace(recipe.task, train_size=8, validation_size=2, test_size=2, batch_size=4)
    return Recipe(MODELS[model](vocabulary=6, width=16), task, TrainConfig(steps=1))


@pytest.mark.parametrize("name", ["transformer", "rotary_transformer"])
def test_the_command_traces_transformers(name, tmp_path, capsys):
    tiny(name).train(0, tmp_path / "run", progress=False)
    command(tmp_path / "run", "--text", "abab|ba", "--position", 5, "--remove", 2, "--top", 1000,
            "--figure", tmp_path / "trace.png", "--table", tmp_path / "trace.csv")  # fmt: skip
    said = capsys.readouterr().out
    assert "pairs, block 1" in said
    assert "hidden units, block 0" in said
    assert ("position " in said) == (name == "transformer")
    assert "5: abab|b" in said
    assert " then " not in said
    assert "without the 2 pairs that add the most" in said
    table = pd.read_csv(tmp_path / "trace.csv")
    assert (table["kind"] == "pair").sum() == 2 * 8 * 6
    run = load_run(tmp_path / "run")
    found = run.model(torch.from_numpy(encode("abab|b", 6)).long()[None])[0, -1]
    sums = table[[f"output_{token}" for token in range(6)]].sum()
    np.testing.assert_allclose(sums, found.detach().numpy(), atol=1e-5)
    assert (tmp_path / "trace.png").stat().st_size > 10_000
