"""Automata as arrays: answers worked out by hand, and chains whose long run is known."""

import numpy as np
import pytest

from regbench.automaton import Automata, Automaton
from regbench.chain import state_entropy, transition_matrix
from toyworlds.core.validate import InputError

# a* b with b leading back: 0 -a-> 1, 1 -a-> 1, 1 -b-> 0
LOOP = [(0, "a", 1), (1, "a", 1), (1, "b", 0)]


def test_reading_by_hand():
    automaton = Automaton.from_edges(LOOP, symbols=3)
    assert automaton.states_along("aabab") == [0, 1, 1, 0, 1, 0]
    assert automaton.states_along("abba") == [0, 1, 0, -1, -1]
    assert automaton.accepts("")
    assert automaton.accepts([0, 0, 1])
    assert not automaton.accepts("b")
    assert automaton.law_after("").tolist() == [1.0, 0.0, 0.0]
    assert automaton.law_after("aa").tolist() == [0.5, 0.5, 0.0]


def test_batch_reads_each_its_own_string():
    batch = Automata.of([Automaton.from_edges(LOOP, symbols=2), Automaton.from_edges([(0, 1, 0)], symbols=2)])
    symbols = np.array([[0, 1, -1], [1, 0, -1]])
    assert batch.states_along(symbols).tolist() == [[0, 1, 0, -1], [0, 0, -1, -1]]
    assert batch.accepts(symbols).tolist() == [True, False]
    assert batch.accepts(np.full((2, 3), -1)).tolist() == [True, True]


def test_weights_make_the_law():
    automaton = Automaton.from_edges([(0, "a", 0, 3), (0, "b", 0, 1)], symbols=2)
    assert automaton.law_after("ab").tolist() == [0.75, 0.25]
    assert automaton != Automaton.from_edges([(0, "a", 0), (0, "b", 0)], symbols=2)
    assert automaton == Automaton.from_edges([(0, "a", 0, 30), (0, "b", 0, 10)], symbols=2)


def test_arrays_are_read_only_and_own():
    given = np.zeros((1, 1, 1), np.int64)
    batch = Automata(given, np.zeros(1, int), np.ones(1, int))
    given[:] = -1
    assert batch.next_state[0, 0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        batch.next_state[0, 0, 0] = -1


def test_stationary_by_hand():
    # 0 -> 1 always, 1 -> 1 or 0 evenly: pi = (1/3, 2/3), entropy 2/3 ln 2
    batch = Automaton.from_edges(LOOP, symbols=2).batch
    np.testing.assert_allclose(batch.stationary(), [[1 / 3, 2 / 3]], atol=1e-14)
    np.testing.assert_allclose(batch.entropy_rate(), 2 / 3 * np.log(2), atol=1e-14)


def test_stationary_of_a_periodic_chain_is_the_average():
    batch = Automaton.from_edges([(0, 0, 1), (1, 0, 2), (2, 0, 0)], symbols=1).batch
    np.testing.assert_allclose(batch.stationary(), np.full((1, 3), 1 / 3), atol=1e-14)


def test_stationary_weighs_closed_classes_by_the_chance_to_end_there():
    # from 0: a (3 of 4) to the closed class {1}, b (1 of 4) to {2, 3}
    edges = [(0, 0, 1, 3), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 3, 1), (3, 0, 2, 1)]
    batch = Automaton.from_edges(edges, symbols=2).batch
    np.testing.assert_allclose(batch.stationary(), [[0, 0.75, 0.125, 0.125]], atol=1e-14)
    assert batch.entropy_rate() == pytest.approx(0.0, abs=1e-14)


def test_stationary_solves_its_equation_on_random_languages():
    from regbench.suites import RegBenchWeighted, automata_of

    world = RegBenchWeighted()
    batch = automata_of(world.generate(3, "test", 0, 60), world)
    pi, matrix = batch.stationary(), transition_matrix(batch)
    np.testing.assert_allclose(pi.sum(axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(np.einsum("nq,nqr->nr", pi, matrix), pi, atol=1e-12)
    for row in range(5):  # against the average of many explicit steps
        share, total = np.eye(batch.states)[batch.start[row]], np.zeros(batch.states)
        for _ in range(20000):
            total += share
            share = share @ matrix[row]
        np.testing.assert_allclose(pi[row], total / 20000, atol=2e-3)


def test_entropy_rate_is_the_mean_surprise_of_long_texts():
    from regbench.problems import load
    from regbench.suites import RegBench

    problems = load(RegBench(strings=(8, 8), lengths=(400, 400)), "test", 0, 20, seed=1)
    entropy = state_entropy(problems.automata)[np.arange(20)[:, None], problems.states]
    late = problems.inside & (np.arange(entropy.shape[1]) % 401 > 100)
    measured = np.array([entropy[i][late[i]].mean() for i in range(20)])
    assert np.abs(measured - problems.automata.entropy_rate()).max() < 0.08


def test_dead_end_has_no_long_run():
    with pytest.raises(InputError, match="an edge out of every state"):
        Automaton.from_edges([(0, "a", 1)], symbols=1, states=2).batch.stationary()


def test_trim_drops_the_unreachable_and_keeps_the_order():
    automaton = Automaton.from_edges([(2, "a", 0), (1, "b", 2), (0, "b", 2, 5), (0, "a", 0, 1)], symbols=2, start=2)
    trimmed = Automaton(automaton.batch.trim())
    assert trimmed.edges == [(0, 0, 0, 1), (0, 1, 1, 5), (1, 0, 0, 1)]
    assert (trimmed.start, trimmed.n_states) == (1, 2)
    assert trimmed == automaton


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Automaton.from_edges([(0, "d", 0)], symbols=3), "symbol: expected a character among 'abc'"),
        (lambda: Automaton.from_edges([(0, 3, 0)], symbols=3), "from 0 to 2"),
        (lambda: Automaton.from_edges([(0, 0, 0), (0, 0, 1)], symbols=1), "a second one"),
        (lambda: Automaton.from_edges([(0, 0, 0, 0)], symbols=1), "weight"),
        (lambda: Automaton.from_edges([(0, 0)], symbols=1), "perhaps a weight"),
        (lambda: Automaton.from_edges([(0, "ab", 1), (1, "c", 0)]), "symbol: expected a character among .*; got 'ab'"),
        (lambda: Automaton.from_edges([(0, "", 1)]), "symbol: expected a character among .*; got ''"),
        (lambda: Automaton.from_edges([(0, "a", 0)]).accepts(["ab"]), "symbol: expected a character"),
        (lambda: Automaton.from_edges([(0, 0, 200)], symbols=1), "^next state: .* from 0 to 126; got 200"),
        (lambda: Automaton.from_edges([(200, 0, 0)], symbols=1), "^state: .* from 0 to 126; got 200"),
        (lambda: Automaton.from_edges([("q0", "a", "q1")]), "^state: expected a whole number .*; got 'q0'"),
        (lambda: Automaton.from_edges([(0, "a", 1.5)]), "^next state: expected a whole number .*; got 1.5"),
        (lambda: Automaton.from_edges([(0, "a", 0)], start="x"), "^start: expected a whole number .*; got 'x'"),
        (lambda: Automata([[[300]]], [0], [1]), "^next_state: expected numbers that fit int8; got 300"),
        (lambda: Automata([[[0]]], [0], [-300]), "^n_states: expected numbers that fit int8; got -300"),
        (lambda: Automata(np.full((1, 2, 1), 300), np.zeros(1, int), np.full(1, 2)), "fit int8"),
        (lambda: Automata(np.full((1, 2, 1), 2), np.zeros(1, int), np.full(1, 2)), "below n_states"),
        (lambda: Automata(np.full((1, 2, 1), 0), np.zeros(1, int), np.full(1, 1)), "unused states"),
        (lambda: Automata(np.full((1, 2, 1), -1), np.full(1, 2), np.full(1, 2)), "start"),
        (lambda: Automata(np.full((1, 2, 1), -1), np.zeros(1, int), np.full(1, 3)), "n_states"),
        (lambda: Automata(np.full((1, 2), -1), np.zeros(1, int), np.full(1, 2)), "next_state"),
        (lambda: Automata(np.full((1, 2, 1), 0.5), np.zeros(1, int), np.full(1, 2)), "whole numbers"),
        (
            lambda: Automata(np.zeros((1, 1, 1), int), np.zeros(1, int), np.ones(1, int), np.zeros((1, 1, 1), int)),
            "a weight that has no edge",
        ),
        (lambda: Automaton.from_edges(LOOP, symbols=2).law_after("ab" + "b"), "rejected at place 2, in state 0"),
        (lambda: Automaton.from_edges(LOOP, symbols=2).batch.states_along(np.array([[2]])), "numbers from -1 to 1"),
        (lambda: Automaton.from_edges(LOOP, symbols=2).batch[1], "automaton"),
    ],
)
def test_bad_input(build, message):
    with pytest.raises(InputError, match=message):
        build()
