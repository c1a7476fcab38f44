"""The law of languages: bounds, uniformity, the public histograms, and Dirichlet weights."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from regbench import draw
from regbench.distinct import survivors
from regbench.draw import BLOCK, LanguageLaw
from regbench.suites import RegBench

COUNTS = json.loads((Path(__file__).parents[1] / "data" / "regbench_law_counts.json").read_text())
LAW = RegBench().language_law


@pytest.fixture(scope="module")
def block():
    return draw.draw_block(LAW, 5, ("train",), 2)


def used_states(table):
    return np.arange(table.shape[0])[:, None] < table.n_states


def test_bounds_and_distinctness(block):
    assert set(np.unique(block.n_states)) == set(range(4, 13))
    degree = block.present.sum(axis=1)
    used = used_states(block)
    assert set(np.unique(degree[used])) == {1, 2, 3}
    assert not degree[~used].any()
    state = np.arange(12)[:, None, None]
    assert not (block.present & (block.target == state)).any(), "no self-loop"
    assert not (block.present & (block.target >= block.n_states)).any()
    for i, j in ((0, 1), (0, 2), (1, 2)):
        both = block.present[:, i] & block.present[:, j]
        assert (block.symbol[:, i] < block.symbol[:, j])[both].all(), "symbols distinct and in order"
        assert not (block.target[:, i] == block.target[:, j])[both].any(), "targets distinct"
    symbols = np.zeros((128, BLOCK), bool)
    symbols[block.symbol.reshape(-1, BLOCK), np.arange(BLOCK)] = True
    assert symbols[:18].sum(axis=0).max() <= 18
    assert not symbols[18:127].any()


def test_choices_are_uniform(block):
    used = used_states(block)
    assert stats.chisquare(np.bincount(block.n_states)[4:]).pvalue > 1e-3
    assert stats.chisquare(np.bincount(block.present.sum(axis=1)[used])[1:]).pvalue > 1e-3
    assert stats.chisquare(np.bincount(block.symbol[block.present])).pvalue > 1e-3
    twelve = block.n_states == 12
    target = block.target[3][:, twelve][block.present[3][:, twelve]]
    assert stats.chisquare(np.delete(np.bincount(target, minlength=12), 3)).pvalue > 1e-3


def test_symbol_and_target_are_independent():
    law = LanguageLaw(4, (5, 5), (4, 4), (2, 2), 0.0)
    table = draw.draw_block(law, 0, ("x",), 0)
    pairs = np.bincount(table.symbol[0].ravel() * 5 + table.target[0].ravel(), minlength=20).reshape(4, 5)[:, 1:]
    assert stats.chisquare(pairs.ravel()).pvalue > 1e-3


def test_edges_never_exceed_the_other_states():
    table = draw.draw_block(LanguageLaw(6, (2, 4), (5, 6), (1, 3), 0.0), 0, ("x",), 0)
    degree = table.present.sum(axis=1)
    for states in (2, 3, 4):
        mine = table.n_states == states
        assert degree[:states, mine].max() == states - 1
        shares = np.bincount(degree[:states, mine].ravel())[1:]
        assert len(shares) == 1 or stats.chisquare(shares).pvalue > 1e-3


def histograms(count, seed):
    table = survivors(LAW, seed, "train", True).languages(0, count).canonical.table
    symbols = np.zeros((128, count), bool)
    symbols[table.symbol.reshape(-1, count), np.arange(count)] = True
    return {
        "states": table.n_states,
        "edges": table.present.sum(axis=(0, 1)),
        "symbols_used": symbols[:127].sum(axis=0),
        "out_degree_of_all_states": table.present.sum(axis=1)[used_states(table)],
    }


@pytest.fixture(scope="module")
def raw_draws():
    return {name: np.bincount(values, minlength=40) for name, values in histograms(50_000, 0).items()}


@pytest.mark.parametrize("name", ["states", "edges", "symbols_used", "out_degree_of_all_states"])
def test_same_law_as_the_public_generator(raw_draws, name):
    ours, theirs = raw_draws[name], np.zeros(40, int)
    for value, count in COUNTS[name].items():
        theirs[int(value)] = count
    cells = np.stack([ours, theirs])
    rare = cells.sum(axis=0) < 10
    cells = np.column_stack([cells[:, ~rare], cells[:, rare].sum(axis=1)])
    assert stats.chi2_contingency(cells[:, cells.sum(axis=0) > 0]).pvalue > 1e-3
    distance = np.abs(np.cumsum(ours) / ours.sum() - np.cumsum(theirs) / theirs.sum()).max()
    effective = ours.sum() * theirs.sum() / (ours.sum() + theirs.sum())
    assert stats.kstwobign.sf(distance * np.sqrt(effective)) > 1e-3


def test_the_comparison_would_notice_one_more_edge():
    law = LanguageLaw(18, (4, 12), (4, 18), (1, 4), 0.0)
    table = survivors(law, 0, "train", True).languages(0, 4000).canonical.table
    theirs = np.zeros(49, int)
    for value, count in COUNTS["edges"].items():
        theirs[int(value)] = count
    cells = np.stack([np.bincount(table.present.sum(axis=(0, 1)), minlength=49), theirs])
    assert stats.chi2_contingency(cells[:, cells.sum(axis=0) > 10]).pvalue < 1e-6


@pytest.mark.parametrize(
    ("seed", "split", "number", "same"),
    [(5, "train", 2, True), (6, "train", 2, False), (5, "test", 2, False), (5, "train", 1, False)],
)
def test_same_names_same_languages(block, seed, split, number, same):
    assert np.array_equal(draw.draw_block(LAW, seed, (split,), number).symbol, block.symbol) == same


@pytest.mark.parametrize("concentration", [0.5, 1.0, 2.5])
def test_dirichlet_weights(concentration):
    law = LanguageLaw(18, (4, 12), (4, 18), (3, 3), concentration)
    table = draw.draw_block(law, 1, ("x",), 0)
    used = used_states(table)
    weight = table.weight.transpose(0, 2, 1)[used] / 256
    assert np.all(weight.sum(axis=1) == 1.0)
    assert weight.min() >= 1 / 256
    # Dirichlet(c, c, c): mean 1/3, variance (1/3)(2/3) / (3 c + 1); 3 of 256 parts are given out evenly
    scale = (253 / 256) ** 2
    np.testing.assert_allclose(weight.mean(axis=0), 1 / 3, atol=0.006)
    np.testing.assert_allclose(weight.var(axis=0), scale * (2 / 9) / (3 * concentration + 1), rtol=0.03)


def test_weights_leave_the_edges_as_they_are():
    weighted = draw.draw_block(LanguageLaw(18, (4, 12), (4, 18), (1, 3), 1.0), 5, ("train",), 2)
    plain = draw.draw_block(LAW, 5, ("train",), 2)
    assert np.array_equal(weighted.symbol, plain.symbol)
    assert np.array_equal(weighted.target, plain.target)
    assert np.array_equal(weighted.weight > 0, weighted.present)
