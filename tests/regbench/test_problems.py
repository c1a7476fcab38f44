"""Rows, splits and loading: contracts of the world, the law of the texts, and texts that do not fit."""

import dataclasses
import hashlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import regbench
from regbench.automaton import Automata, Automaton
from regbench.distinct import survivors, tenth
from regbench.problems import labels_of, walk
from regbench.suites import RegBench, RegBenchLaptop, RegBenchPaper, RegBenchWeighted
from toyworlds.core.storage import write_dataset
from toyworlds.core.validate import InputError
from toyworlds.world import WORLDS, World

NAMES = WORLDS.names("automata")


def row(data, i):
    return {name: np.asarray(values[i]).tolist() for name, values in data.items()}


@pytest.fixture(scope="module")
def train():
    return RegBench().generate(5, "train", 0, 1500)


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_makes_rows_that_agree_with_their_automata(name):
    world = WORLDS[name]()
    assert isinstance(world, World)
    problems = regbench.load(world, "test", 0, 60, seed=3)
    assert np.array_equal(walk(problems.tokens, problems.automata), problems.states)
    assert np.array_equal(walk(problems.tokens, problems.raw), problems.raw_states)
    assert tuple(problems.raw.hashes()) == tuple(problems.automata.hashes()) == problems.languages
    assert np.array_equal(problems.labels, labels_of(problems.tokens, problems.vocabulary))
    strings = 1 + problems.strings.max(axis=1)
    assert world.strings[0] <= strings.min() <= strings.max() <= world.strings[1]
    assert world.states[0] <= problems.raw.n_states.min() <= problems.raw.n_states.max() <= world.states[1]


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_as_declared(name):
    world = WORLDS[name]()
    rows = world.generate(1, "validation", 0, 20)
    assert list(rows) == [column.name for column in world.columns()]
    for column in world.columns():
        values = rows[column.name]
        assert len(values) == 20
        if column.dtype == "string":
            assert all(len(text) == 32 for text in values)
            continue
        flat = values.values if column.ragged else values
        assert flat.dtype == column.dtype
        assert column.low <= flat.min() <= flat.max() <= column.high
        assert flat.shape[1:] == column.shape[1:]


def test_reference_text_by_its_letters(train):
    problems = regbench.load(RegBench(), "train", 0, 3, seed=5)
    strings = problems.text(0).split("|")
    assert all(problems.automata[0].accepts(string) for string in strings)
    starts = train["string_starts"][0]
    ends = [*(starts[1:] - 1), len(train["tokens"][0])]
    assert [int(b - a) for a, b in zip(starts, ends, strict=True)] == [len(string) for string in strings]


@pytest.mark.parametrize(("start", "count"), [(0, 1), (511, 2), (700, 400), (1499, 1)])
def test_any_stretch_alone_is_the_same(train, start, count):
    survivors.cache_clear()
    part = RegBench().generate(5, "train", start, count)
    for i in range(0, count, 37):
        assert row(part, i) == row(train, start + i)


def test_seed_and_split_change_every_row(train):
    other = RegBench().generate(6, "train", 0, 200)
    assert not set(train["language"]) & set(RegBench().generate(5, "test", 0, 200)["language"])
    assert len(set(train["language"][:200]) & set(other["language"])) < 5
    assert all(row(train, i)["tokens"] != row(other, i)["tokens"] for i in range(200))


def test_bytes_of_version_1():
    """A change of these bytes is a new version of the world."""
    digests = {}
    for world in (RegBench(), RegBenchPaper(), RegBenchWeighted()):
        digest = hashlib.sha256()
        for values in world.generate(7, "train", 1000, 40).values():
            data = values.values if hasattr(values, "values") else values
            digest.update("".join(data).encode() if data.dtype == object else np.ascontiguousarray(data).tobytes())
        digests[world.name] = digest.hexdigest()[:16]
    assert digests == {
        "regbench": "7a0402155f64ec52",
        "regbench_paper": "6cf25103f60c9e26",
        "regbench_weighted": "b268f7bfd1743c9c",
    }


def test_splits_never_share_a_language_whatever_the_seed_and_preset():
    found = {split: set() for split in RegBench().splits()}
    for world in (RegBench(), RegBenchPaper(), RegBenchLaptop(lengths=(1, 2))):
        for seed in range(3):
            for split, languages in found.items():
                names = world.generate(seed, split, 0, 300)["language"]
                assert len(set(names)) == 300, "distinct within a split"
                languages.update(names)
    assert not found["train"] & found["test"]
    assert not found["train"] & found["validation"]
    assert not found["validation"] & found["test"]


def test_shares_of_the_splits():
    digests = survivors(RegBench().language_law, 0, "train", True).languages(0, 20_000).digests
    counts = np.bincount(tenth(list(set(digests))), minlength=10)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_independent_rows_repeat_and_leak():
    world = RegBenchLaptop(independent=True, lengths=(1, 2))
    train, test = (world.generate(0, split, 0, 2000)["language"] for split in ("train", "test"))
    assert len(set(train)) < 2000
    assert set(train) & set(test)


def test_a_law_with_few_languages_runs_out_with_a_clear_error():
    world = RegBench(symbols=2, states=(2, 2), alphabet=(1, 2), edges=(1, 1))
    with pytest.raises(InputError, match=r"rows of train: expected at most [1-9]"):
        world.generate(0, "train", 0, 100)


def test_lengths_and_numbers_of_strings_are_uniform(train):
    strings = train["string_starts"].lengths
    assert stats.chisquare(np.bincount(strings)[10:]).pvalue > 1e-3
    rows = zip(train["string_starts"], train["tokens"], strict=True)
    lengths = np.concatenate([np.diff([*starts, len(tokens) + 1]) - 1 for starts, tokens in rows])
    assert stats.chisquare(np.bincount(lengths)[1:]).pvalue > 1e-3


@pytest.mark.parametrize("world", [RegBench(), RegBenchPaper(), RegBenchWeighted()], ids=lambda world: world.name)
def test_sampling_follows_the_law(world):
    # Given the state, the next symbol has the automaton's law: standardised counts over all states and symbols
    problems = regbench.load(world, "train", 0, 800, seed=2)
    law, shape = problems.automata.law(), problems.automata.next_state.shape
    problem, place = np.nonzero(problems.labels >= 0)
    state = problems.states[problem, place]
    counts = np.zeros(shape)
    np.add.at(counts, (problem, state, problems.labels[problem, place] - 1), 1)
    visits = counts.sum(axis=2, keepdims=True)
    free = (law > 0) & (law < 1) & (visits >= 30)
    z = ((counts - visits * law) / np.sqrt(np.maximum(visits * law * (1 - law), 1e-9)))[free]
    assert counts[law == 0].sum() == 0
    assert len(z) > 3000
    assert abs(z.mean()) < 5 / math.sqrt(len(z))
    assert abs((z**2).mean() - 1) < 0.1
    assert np.abs(z).max() < 6.5


def test_successive_symbols_are_independent_given_the_states():
    # Slots of one string come from one 32-bit number: digits next to each other must not be related
    law = {"symbols": 3, "states": (4, 4), "alphabet": (3, 3), "edges": (3, 3)}
    world = RegBench(**law, strings=(19, 19), lengths=(49, 49), independent=True)
    tokens = world.generate(0, "train", 0, 600)["tokens"].padded(0).reshape(-1)
    symbols = tokens[tokens < 4].reshape(-1, 49) - 1
    for gap in (1, 2, 5):
        pairs = np.bincount((symbols[:, :-gap] * 3 + symbols[:, gap:]).ravel(), minlength=9)
        assert stats.chisquare(pairs).pvalue > 1e-4


def test_load_from_a_folder_is_load_from_the_world(tmp_path):
    world = RegBenchWeighted(strings=(2, 3), lengths=(1, 6))
    write_dataset(world, 4, {"train": 50, "test": 10}, tmp_path / "data")
    for split, rows in (("train", 50), ("test", 10)):
        stored, made = regbench.load(tmp_path / "data", split), regbench.load(world, split, 0, rows, seed=4)
        for name in ("tokens", "labels", "lengths", "states", "raw_states", "languages"):
            assert np.array_equal(getattr(stored, name), getattr(made, name)), name
        assert np.array_equal(stored.automata.weights, made.automata.weights)
        assert np.array_equal(stored.truth(), made.truth())
    part = regbench.load(tmp_path / "data", "train", 7, 11)
    assert part.languages == regbench.load(world, "train", 7, 11, seed=4).languages


def test_take_cuts_padding():
    problems = regbench.load(RegBench(), "test", 0, 10)
    order = np.argsort(problems.lengths)[:3]
    some = problems.take(order)
    assert some.tokens.shape == (3, problems.lengths[order].max())
    assert some.languages == tuple(problems.languages[i] for i in order)
    assert some.text(1) == problems.text(int(order[1]))
    assert np.array_equal(some.truth()[0], problems.truth()[order[0], : some.tokens.shape[1]])


def test_truth_by_hand():
    automaton = Automaton.from_edges([(0, "a", 1), (1, "a", 1), (1, "b", 0)], symbols=2)
    problems = regbench.from_texts(["ab|a"], automaton.batch)
    assert problems.truth()[0].tolist() == [[0, 0.5, 0.5, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 0.5, 0.5, 0]]
    assert problems.labels.tolist() == [[2, -1, 1, -1]]
    assert problems.strings.tolist() == [[0, 0, 1, 1]]


@settings(max_examples=60, deadline=None)
@given(st.text("ab|", min_size=1, max_size=8))
def test_from_texts_takes_exactly_what_the_automaton_accepts(text):
    automaton = Automaton.from_edges([(0, "a", 1), (1, "a", 1), (1, "b", 0)], symbols=2)
    strings = text.split("|")
    if all(string and automaton.accepts(string) for string in strings):
        assert regbench.from_texts([text], automaton.batch).text(0) == text
    else:
        with pytest.raises(InputError, match=r"texts\[0\]: "):
            regbench.from_texts([text], automaton.batch)


ONE = Automata(np.zeros((1, 1, 2), int), np.zeros(1, int), np.ones(1, int))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([""], "at least one token"),
        (["ac"], "got 'c' at place 1"),
        (["a||b"], "got an empty one"),
        (["a|"], "got an empty one"),
        ([np.array([1, 4])], "tokens from 1 to 3"),
        ([np.array([0, 1])], "tokens from 1 to 3"),
        ([np.array([1.0])], "whole numbers"),
        (["a", "b"], "one for each of 1 automata"),
    ],
)
def test_texts_that_do_not_fit(texts, message):
    with pytest.raises(InputError, match=message):
        regbench.from_texts(texts, ONE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: {"labels": np.where(p.labels > 0, 20, p.labels)}, "labels: expected whole numbers from -1 to 18"),
        (lambda p: {"labels": np.full_like(p.labels, -100)}, "labels"),
        (lambda p: {"labels": p.labels[:, :-1]}, "labels: expected shape"),
        (lambda p: {"tokens": p.tokens + 2}, "tokens: expected whole numbers from 0 to 19"),
        (lambda p: {"states": p.states + 12}, "states"),
        (lambda p: {"raw_states": p.raw_states - 2}, "raw_states"),
        (lambda p: {"lengths": p.lengths + 1000}, "lengths"),
        (lambda p: {"lengths": p.lengths[1:]}, "as many lengths"),
        (lambda p: {"automata": p.automata.take(slice(3))}, "tokens: expected shape"),
    ],
)
def test_arrays_that_do_not_fit(change, message):
    problems = regbench.load(RegBench(), "test", 0, 4)
    with pytest.raises(InputError, match=message):
        dataclasses.replace(problems, **change(problems))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"symbols": 12}, "alphabet: expected at most 12, the symbols of the vocabulary; got 18"),
        ({"symbols": 63}, "symbols"),
        ({"states": (3, 12), "edges": (3, 3)}, "targets can be distinct"),
        ({"states": (2, 3)}, "targets can be distinct"),
        ({"alphabet": (2, 18)}, "symbols can be distinct"),
        ({"lengths": (0, 49)}, r"lengths\[0\]: expected a whole number from 1"),
        ({"strings": (0, 19)}, r"strings\[0\]"),
        ({"strings": (19, 10)}, r"strings\[1\]"),
        ({"edges": (0, 3)}, r"edges\[0\]"),
        ({"edges": 3}, "a pair"),
        ({"states": (4, 200)}, r"states\[1\]"),
        ({"strings": (10, 1000)}, "tokens in a text"),
        ({"dirichlet": -1.0}, "dirichlet"),
        ({"dirichlet": 0.3}, "multiple of 0.5"),
    ],
)
def test_configs_that_cannot_be(options, message):
    with pytest.raises(InputError, match=message):
        RegBench(**options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, "valid", 0, 1), "did you mean 'validation'"),
        ((-1, "train", 0, 1), "seed"),
        ((0, "train", -1, 1), "start"),
        ((0, "train", 0, 0), "count"),
    ],
)
def test_rows_that_cannot_be(arguments, message):
    with pytest.raises(InputError, match=message):
        RegBench().generate(*arguments)


def test_load_takes_languages_only(tmp_path):
    from toyworlds.three_moons import ThreeMoons

    with pytest.raises(InputError, match="a RegBench world"):
        regbench.load(ThreeMoons(), "validation", 0, 1)
    write_dataset(ThreeMoons(), 0, {"validation": 1}, tmp_path / "moons")
    with pytest.raises(InputError, match="got 'three_moons'"):
        regbench.load(tmp_path / "moons", "validation")


def test_load_needs_an_end_for_a_world():
    with pytest.raises(InputError, match="stop"):
        regbench.load(RegBench(), "test")
