"""Minimal and canonical automata: against a library, against brute force, and properties that must hold."""

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regbench import draw, edges
from regbench.automaton import Automata, Automaton
from regbench.minimize import canonical
from regbench.suites import RegBench, RegBenchLaptop


@st.composite
def automata(draw_, weighted=True):
    """Small automata of any shape: dead ends, self-loops, unreachable states, any start."""
    states, symbols = draw_(st.integers(1, 5)), draw_(st.integers(1, 3))
    target = st.integers(-1, states - 1)
    next_state = np.array(draw_(st.lists(target, min_size=states * symbols, max_size=states * symbols)))
    next_state = next_state.reshape(1, states, symbols)
    weights = None
    if weighted and draw_(st.booleans()):
        drawn = draw_(st.lists(st.integers(1, 3), min_size=states * symbols, max_size=states * symbols))
        weights = np.where(next_state >= 0, np.array(drawn).reshape(next_state.shape), 0)
    return Automaton(Automata(next_state, np.array([draw_(st.integers(0, states - 1))]), np.array([states]), weights))


def laws(automaton, depth):
    """{string: law of the next symbol} for all accepted strings of at most `depth` symbols."""
    found = {}
    for length in range(depth + 1):
        for string in itertools.product(range(automaton.batch.symbols), repeat=length):
            if automaton.accepts(string):
                found[string] = tuple(automaton.law_after(string).round(12))
    return found


def renamed(automaton, order):
    """The same automaton with state q called order[q]."""
    rows = [(order[q], a, order[r], w) for q, a, r, w in automaton.edges]
    return Automaton.from_edges(
        rows, symbols=automaton.batch.symbols, start=order[automaton.start], states=automaton.n_states
    )


@settings(max_examples=150, deadline=None)
@given(automata())
def test_minimise_keeps_the_language_and_is_idempotent(automaton):
    minimal = automaton.minimise()
    assert laws(minimal, 4) == laws(automaton, 4)
    again = minimal.minimise()
    assert again.edges == minimal.edges
    assert again.n_states == minimal.n_states
    assert minimal.n_states <= Automaton(automaton.batch.trim()).n_states


@settings(max_examples=150, deadline=None)
@given(automata(), st.randoms(use_true_random=False))
def test_canonical_form_ignores_the_names_of_states(automaton, random):
    order = list(range(automaton.n_states))
    random.shuffle(order)
    other = renamed(automaton, order)
    assert other.minimise().edges == automaton.minimise().edges
    assert other.batch.hashes() == automaton.batch.hashes()
    assert other == automaton


@settings(max_examples=150, deadline=None)
@given(automata(), automata())
def test_equal_exactly_when_all_laws_are_equal(one, two):
    # Strings shorter than the sum of the state numbers tell any two automata apart.
    if one.batch.symbols == two.batch.symbols:
        depth = min(one.n_states + two.n_states - 1, 6)
        same = laws(one, depth) == laws(two, depth)
        if one == two or depth == one.n_states + two.n_states - 1:
            assert (one == two) == same
            assert (one.batch.hashes() == two.batch.hashes()) == same


def test_states_that_differ_in_a_missing_edge_stay_apart():
    # 1 allows a, 2 allows a and b: a rule that ignores missing edges would merge them
    automaton = Automaton.from_edges([(0, "a", 1), (0, "b", 2), (1, "a", 0), (2, "a", 0), (2, "b", 0)], symbols=2)
    assert automaton.minimise().n_states == 3


def test_equal_futures_are_merged_and_numbered_breadth_first():
    automaton = Automaton.from_edges(
        [(0, "b", 1), (0, "a", 3), (1, "c", 0), (2, "c", 0), (3, "a", 2), (3, "b", 1)], symbols=3
    )
    assert automaton.minimise().edges == [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 2, 1), (1, 1, 2, 1), (2, 2, 0, 1)]


def test_chain_that_needs_every_round_of_refinement():
    # states 0 .. 6 in a row, all 'a', and only the last differs: each round splits off one more
    rows = [(q, "a", q + 1) for q in range(6)] + [(6, "b", 0)]
    assert Automaton.from_edges(rows, symbols=2).minimise().n_states == 7
    ring = [(q, "a", (q + 1) % 6) for q in range(6)]
    assert Automaton.from_edges(ring, symbols=2).minimise().n_states == 1


def test_weights_keep_states_apart_that_symbols_do_not():
    rows = [(0, "a", 1), (0, "b", 2), (1, "a", 0, 1), (1, "b", 0, 2), (2, "a", 0, 2), (2, "b", 0, 1)]
    assert Automaton.from_edges(rows, symbols=2).minimise().n_states == 3
    even = [row[:3] for row in rows]
    assert Automaton.from_edges(even, symbols=2).minimise().n_states == 1
    scaled = [(*row[:3], 7) for row in even]
    assert Automaton.from_edges(scaled, symbols=2) == Automaton.from_edges(even, symbols=2)


def test_many_edges_and_states_at_once():
    # 9 and more symbols a state need more than one 64-bit key in the refinement
    rows = [(q, a, (q + 1) % 20) for q in range(20) for a in range(18)]
    assert Automaton.from_edges(rows, symbols=18).minimise().n_states == 1
    rows.remove((5, 17, 6))
    assert Automaton.from_edges(rows, symbols=18).minimise().n_states == 20


def test_hashes_are_those_of_version_1():
    """A change of these is a change of every split: it needs a new version of the world."""
    loop = Automaton.from_edges([(0, "a", 1), (1, "a", 1), (1, "b", 0)], symbols=18)
    assert loop.batch.hashes() == ["e83f837d34ad52fd6481eae11f35e9bc"]


def test_number_of_a_raw_state_is_its_class():
    block = draw.draw_block(RegBench().language_law, 1, ("train",), 0)
    found = canonical(block)
    raw, minimal = edges.to_automata(block, 18), edges.to_automata(found.table, 18)
    state, symbol = np.random.default_rng(0).integers(0, [[12], [18]], (2, len(raw)))
    each = np.arange(len(raw))
    after, number = raw.next_state[each, state, symbol], found.number
    follows = (number[state, each] >= 0) & (after >= 0)
    here = number[state, each][follows]
    assert follows.sum() > 200
    assert np.array_equal(minimal.next_state[each[follows], here, symbol[follows]], number[after, each][follows])


def library_minimal(automaton):
    """Number of states and equality key by automata-lib, on the trimmed complete automaton."""
    from automata.fa.dfa import DFA

    transitions = {q: {} for q in range(automaton.n_states)}
    for q, a, r, _ in automaton.edges:
        transitions[q][str(a)] = r
    states = set(transitions)
    letters = {str(a) for a in range(automaton.batch.symbols)}
    return DFA(
        states=states,
        input_symbols=letters,
        transitions=transitions,
        initial_state=automaton.start,
        final_states=states,
        allow_partial=True,
    )


def check_against_library(count, seed):
    world = RegBenchLaptop() if seed % 2 else RegBench()
    block = draw.draw_block(world.language_law, seed, ("library",), 0)
    raw = edges.to_automata(block.take(np.arange(count)), world.symbols)
    minimal = raw.minimise()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for row in range(count):
            theirs = library_minimal(raw[row])
            least = theirs.to_complete().minify()
            sink = any(
                len(targets) < world.symbols for q, targets in theirs.transitions.items() if q in reached(raw[row])
            )
            assert len(least.states) - sink == minimal.n_states[row]
            assert theirs == library_minimal(minimal[row])
            if row:
                assert (theirs == library_minimal(raw[row - 1])) == (raw[row] == raw[row - 1])


def reached(automaton):
    found, stack = set(), [automaton.start]
    while stack:
        q = stack.pop()
        if q not in found:
            found.add(q)
            stack += [r for p, _, r, _ in automaton.edges if p == q]
    return found


@pytest.mark.parametrize("seed", [0, 1])
def test_against_automata_lib(seed):
    check_against_library(60, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 4, 5])
def test_against_automata_lib_on_ten_thousand(seed):
    check_against_library(2500, seed)
