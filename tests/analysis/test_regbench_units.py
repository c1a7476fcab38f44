"""Which unit serves what: orders by hand, groups that cover all rows, units whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from analysis.regbench_units import (
    Rows,
    cross_entropy,
    earlier_visits,
    group_means,
    groups,
    names_of_units,
    needed,
    news,
    order_needed,
    output_maps,
    outputs,
    selectivity,
    tokens_read,
)
from analysis.scores.codes import class_targets
from analysis.scores.dci import dci
from analysis.studies.regbench_units_jobs import dealt
from mosaics.baselines.recurrent import LSTMConfig
from mosaics.baselines.transformer import TransformerConfig
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.tasks.regbench import predict
from regbench.automaton import Automata, Automaton
from regbench.metrics import score
from regbench.problems import from_texts, load
from regbench.suites import RegBenchLaptop
from toyworlds.core.validate import InputError


@pytest.fixture(scope="module")
def problems():
    return load(RegBenchLaptop(), "test", 0, 30, seed=0)


def hand(edges, text, symbols=2):
    return from_texts([text], Automata.of([Automaton.from_edges(edges, symbols=symbols)]))


def test_orders_by_hand():
    # state 0: a -> 1; state 1: a -> 1, b -> 0. After b: state 0; after a: state 1; after '|': state 0.
    one_token = hand([(0, "a", 1), (1, "b", 0), (1, "a", 1)], "aab|a")
    assert order_needed(one_token).tolist() == [[2, 2, 2, 2, 2]]
    # state 0: a -> 1; state 1: a -> 2; state 2: a -> 0, b -> 0. 'a' alone tells nothing, nor do 'aa', 'aaa', 'aaaa'.
    counting = hand([(0, "a", 1), (1, "a", 2), (2, "a", 0), (2, "b", 0)], "aaaaa|aab")
    #   a: 1, told by '|a' (3); aa: 2, by '|aa' (4); aaa: 0, by '|aaa' (5); then longer; '|': 2; ..; b: state 0 (2)
    assert order_needed(counting).tolist() == [[3, 4, 5, 5, 5, 2, 3, 4, 2]]
    assert groups(counting)["order"][0].tolist() == [[2, 3, 4, 4, 4, 1, 2, 3, 1]]


def test_one_law_for_all_states_needs_no_context():
    # both states allow the same, so that minimising leaves one
    alike = hand([(0, "a", 1), (0, "b", 1), (1, "a", 0), (1, "b", 0)], "ab|b")
    assert order_needed(alike).tolist() == [[1, 1, 1, 1]]


def test_an_order_tells_the_law(problems):
    """Rows with the same last n - 1 tokens in the same language have the same law, n the order needed."""
    order, truth, marked = order_needed(problems), problems.truth(), problems.vocabulary - 1
    for problem in range(10):
        laws: dict[tuple, list] = {}
        for row in range(problems.lengths[problem]):
            text = [marked, *problems.tokens[problem, : row + 1].tolist()]
            n = int(order[problem, row])
            if n < 5:
                laws.setdefault((n, *text[len(text) - n + 1 :]), []).append(truth[problem, row])
        for same in laws.values():
            np.testing.assert_array_equal(same, same[:1] * len(same))


def test_visits_by_hand():
    there = hand([(0, "a", 1), (1, "b", 0), (1, "a", 1)], "aab|a")  # states 1 1 0 0 1
    assert earlier_visits(there).tolist() == [[0, 1, 0, 1, 2]]
    number, names = groups(there)["visits"]
    assert [names[n] for n in number[0]] == ["0", "1-2", "0", "1-2", "1-2"]


def test_groups_cover_every_row(problems):
    for number, names in groups(problems).values():
        assert number[problems.inside].min() >= 0
        assert number[problems.inside].max() < len(names)


def test_news_add_up_to_the_oracle(problems):
    parts = news(problems, RegBenchLaptop())
    assert list(parts) == ["order 1", "order 2", "order 3", "state"]
    total = sum(parts.values())[problems.inside]
    np.testing.assert_allclose(total.sum(1), 1.0)
    assert total.min() > -1e-12
    np.testing.assert_allclose(parts["state"][problems.inside].sum(1), 0.0, atol=1e-9)


def test_drawn_rows(problems):
    rows = Rows.draw(problems, 5, seed=1)
    table = rows.row.reshape(-1, 5)
    assert (np.diff(table) > 0).all()
    assert table.min() >= 2
    assert problems.inside[rows.problem, rows.row].all()
    assert not np.array_equal(rows.row, Rows.draw(problems, 5, seed=2).row)
    with pytest.raises(InputError, match="each: expected a whole number from 1"):
        Rows.draw(problems, 1000)
    read = tokens_read(problems, rows)
    np.testing.assert_array_equal(read["last token"].sum(1), 1.0)


def mosaic():
    return MemoryMosaicConfig(vocabulary=6, n_heads=2, width=16, persistent_size=8).build(0).eval()


@pytest.mark.parametrize("name", ["mosaic", "transformer"])
def test_a_silenced_head_is_a_changed_map(name, problems):
    """Silencing a head equals zero columns of the map behind it, and its mean as a bias."""
    model = mosaic() if name == "mosaic" else TransformerConfig(vocabulary=6, n_heads=2, width=16).build(0).eval()
    few = problems.take(slice(0, 6))
    put_out = outputs(model, few)
    assert put_out.shape == (*few.tokens.shape, 4, 8)
    assert names_of_units(model) == ["block 0, head 0", "block 0, head 1", "block 1, head 0", "block 1, head 1"]
    whole, change = needed(model, few, put_out)
    mean = torch.from_numpy(put_out[few.inside].mean(0)[3])
    silent = output_maps(model)[1]
    with torch.no_grad():
        bias = silent.weight[:, 8:] @ mean + (0.0 if silent.bias is None else silent.bias)
        silent.weight[:, 8:] = 0.0
        silent.bias = torch.nn.Parameter(bias)
    expected = score(predict(model, few.tokens), few, kind="logits").values["cross_entropy"]
    np.testing.assert_allclose((whole + change[:, :, 3])[few.inside], expected[few.inside], atol=1e-5)


def test_the_model_is_left_as_it_was(problems):
    model, few = mosaic(), problems.take(slice(0, 4))
    before = cross_entropy(model, few)
    needed(model, few, outputs(model, few))
    np.testing.assert_array_equal(cross_entropy(model, few), before)


def test_models_without_heads_are_refused():
    with pytest.raises(InputError, match="model: expected a mosaic or a transformer"):
        output_maps(LSTMConfig(vocabulary=6, width=16).build(0))


def test_group_means_by_hand():
    differences = np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 5.0]])
    found = group_means(differences, np.array([0, 0, 2]), 3)
    np.testing.assert_array_equal(found, [[2.0, np.nan, 0.0], [0.0, np.nan, 5.0]])


def test_selectivity_by_hand():
    group = np.array([0, 0, 1, 1])
    one_each = np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 5.0], [0.0, 1.0]])
    assert selectivity(one_each, class_targets(group)) == pytest.approx(1.0)
    assert selectivity(np.ones((4, 2)), class_targets(group)) == pytest.approx(0.0)
    helpful = np.column_stack([one_each[:, 0], -one_each[:, 1]])  # silencing unit 1 only helps: it does not count
    assert selectivity(helpful, [class_targets(group)]) == pytest.approx(1.0)


def test_units_made_of_one_order_each_are_disentangled_until_dealt_anew(problems):
    """Four units, each a mixture of the news of one order: D is 1; with their numbers dealt to all, it is not."""
    rows = Rows.draw(problems, 20)
    factors = [rows.of(part) for part in news(problems, RegBenchLaptop()).values()]
    rng = np.random.default_rng(0)
    codes = np.stack([factor @ rng.normal(size=(4, 8)) for factor in factors], 1)
    found = dci(codes, factors)
    assert (found.importance.argmax(1) == np.arange(4)).all()
    assert found.informativeness > 0.99
    assert found.disentanglement == pytest.approx(1.0)
    mixed = dealt(codes, 4, 0)
    np.testing.assert_allclose(np.sort(mixed.reshape(len(codes), -1)), np.sort(codes.reshape(len(codes), -1)))
    assert dci(mixed, factors).disentanglement < 0.8


def test_dealing_stays_within_a_layer():
    codes = np.arange(16.0).reshape(1, 4, 4)
    mixed = dealt(codes, 2, 3)
    assert set(mixed[0, :2].ravel()) == set(range(8))
    assert not np.array_equal(mixed, codes)
    np.testing.assert_array_equal(mixed, dealt(codes, 2, 3))


def test_padding_does_not_count(problems):
    wider = replace(problems, **{
        name: np.pad(getattr(problems, name), ((0, 0), (0, 3)), constant_values=fill)
        for name, fill in (("tokens", 0), ("labels", -1), ("states", -1), ("raw_states", -1))
    })  # fmt: skip
    assert (order_needed(wider)[~wider.inside] == 0).all()
    model = mosaic()
    one, other = (outputs(model, given)[given.inside] for given in (problems, wider))
    np.testing.assert_allclose(one, other, atol=1e-5)
