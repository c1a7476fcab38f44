"""The state oracle against enumeration of every automaton of small laws, and answers worked out by hand."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.optimize import linprog

from regbench.ngram import NGram
from regbench.oracle import StateOracle
from regbench.suites import RegBench
from toyworlds.core.validate import InputError


@dataclass(frozen=True)
class Law:
    symbols: int
    sizes: list[int]
    edges: tuple[int, int]
    numbers: list[int]
    with_targets: bool = True


def state_choices(alphabet, edges, targets):
    """(probability, {symbol: target}) of one state's edges; targets=None leaves the targets out."""
    low, high = edges
    for d in range(low, high + 1):
        sets = list(itertools.combinations(alphabet, d))
        for chosen in sets:
            ways = [None] if targets is None else list(itertools.permutations(targets, d))
            for way in ways:
                yield (
                    1 / ((high - low + 1) * len(sets) * len(ways)),
                    dict.fromkeys(chosen) if way is None else dict(zip(chosen, way, strict=True)),
                )


def enumerate_posterior(text, states, law):
    """Posterior over the law of the present state: {tuple of allowed symbols: probability}, by brute force.

    text and states are one string's tokens and the states 0, q_1, q_2 .. along it (one more than tokens).
    """
    posterior: dict[tuple[int, ...], float] = {}
    for number in law.numbers:
        if max(states) >= number:
            continue
        for size in law.sizes:
            alphabets = list(itertools.combinations(range(1, law.symbols + 1), size))
            for alphabet in alphabets:
                others = [[t for t in range(number) if t != q] for q in range(number)]
                counted = others if law.with_targets else [None] * (max(states) + 1)
                each = [list(state_choices(alphabet, law.edges, targets)) for targets in counted]
                for automaton in itertools.product(*each):
                    weight = math.prod(p for p, _ in automaton) / (len(alphabets) * len(law.sizes) * len(law.numbers))
                    for t, token in enumerate(text):
                        out = automaton[states[t]][1]
                        if token not in out or (law.with_targets and out[token] != states[t + 1]):
                            weight = 0.0
                            break
                        weight /= len(out)
                    if weight > 0:
                        allowed = tuple(sorted(automaton[states[len(text)]][1]))
                        posterior[allowed] = posterior.get(allowed, 0.0) + weight
    total = sum(posterior.values())
    return {allowed: weight / total for allowed, weight in posterior.items()}


def least_l1(posterior, symbols):
    """Value of min over the simplex of E |p - truth|_1, by linear programming."""
    laws = list(posterior)
    truth = np.array([[(c in law) / len(law) for c in range(1, symbols + 1)] for law in laws])
    cost = np.concatenate([np.zeros(symbols), np.repeat(list(posterior.values()), symbols)])
    eye, gap = np.tile(np.eye(symbols), (len(laws), 1)), np.eye(len(laws) * symbols)
    upper = np.block([[eye, -gap], [-eye, -gap]])
    bound = np.concatenate([truth.ravel(), -truth.ravel()])
    equal = np.concatenate([np.ones(symbols), np.zeros(len(laws) * symbols)])[None]
    return linprog(cost, A_ub=upper, b_ub=bound, A_eq=equal, b_eq=[1.0]).fun


def check_rows(text, states, law):
    symbols = law.symbols
    oracle = StateOracle(min(law.sizes), max(law.sizes), *law.edges)
    rows = {
        objective: oracle.predict(np.array([text]), np.array([states[1:]]), symbols + 2, objective=objective)[
            0, :, 1:-1
        ]
        for objective in ("cross_entropy", "dfa_accuracy", "total_variation")
    }
    for i in range(len(text)):
        posterior = enumerate_posterior(text[: i + 1], states[: i + 2], law)
        truth = {allowed: np.isin(np.arange(1, symbols + 1), allowed) / len(allowed) for allowed in posterior}
        mean = sum(p * truth[allowed] for allowed, p in posterior.items())
        np.testing.assert_allclose(rows["cross_entropy"][i], mean, rtol=0, atol=1e-12)
        inclusion = sum(p * (truth[allowed] > 0) for allowed, p in posterior.items())
        assert inclusion[rows["dfa_accuracy"][i].argmax()] == pytest.approx(inclusion.max(), abs=1e-12)
        reached = sum(p * np.abs(rows["total_variation"][i] - truth[allowed]).sum() for allowed, p in posterior.items())
        assert rows["total_variation"][i].sum() == pytest.approx(1.0, abs=1e-12)
        assert reached == pytest.approx(least_l1(posterior, symbols), abs=1e-9)


def test_equals_enumeration_of_whole_automata():
    # 3 symbols, alphabets of 2 or 3, 3 states, 1 or 2 edges: 2,376 automata, targets and all
    check_rows([1, 2, 1, 1, 3, 2, 1], [0, 1, 2, 0, 1, 0, 2, 0], Law(3, [2, 3], (1, 2), [3]))


def test_number_of_states_and_targets_do_not_matter():
    # 3 or 4 states, told apart by name: state 3 occurs, so there must be 4; the symbols' law is the same
    check_rows([2, 1, 1, 2], [0, 1, 0, 3, 2], Law(2, [2], (1, 2), [3, 4]))


@pytest.mark.parametrize(("seed", "low"), [(0, 1), (1, 1), (2, 1), (3, 2), (4, 3)])
def test_equals_enumeration_of_edges(seed, low):
    # 5 symbols, alphabets of 3 to 5, up to 3 edges, 3 states; texts drawn from the law, targets left out
    rng = np.random.default_rng(seed)
    alphabet = rng.permutation(5)[: rng.integers(3, 6)] + 1
    out = [rng.permutation(alphabet)[: rng.integers(low, 4)] for _ in range(3)]
    states, text = [0], []
    for _ in range(7):
        text.append(int(rng.choice(out[states[-1]])))
        states.append(int(rng.integers(3)))
    check_rows(text, states, Law(5, [3, 4, 5], (low, 3), [3], with_targets=False))


def test_first_rows_by_hand():
    # 'a' led from state 0 to state 1; now state 1, nothing seen there: E[d/a]/d = E[1/a | a seen once] for 'a'.
    sizes = np.arange(4, 19)
    got = StateOracle().predict(np.array([[1]]), np.array([[1]]))[0, 0]
    assert got[1] == pytest.approx((1 / sizes).mean())
    assert got[2] == pytest.approx(((sizes - 1) / (17 * sizes)).mean())
    # back in state 0 with one visit: P(d) ~ d * 1/d = flat, so 'a' has E[1/d] = (1 + 1/2 + 1/3) / 3
    got = StateOracle().predict(np.array([[1, 2]]), np.array([[1, 0]]))[0, 1]
    assert got[1] == pytest.approx(11 / 18)
    assert got.sum() == pytest.approx(1.0)


def test_a_state_seen_often_with_one_symbol_has_one_edge():
    text, states = np.full((1, 60), 5), np.arange(1, 61)[None] % 2
    row = StateOracle().predict(text, states)[0, -1]
    assert row[5] > 1 - 1e-8
    assert row.sum() == pytest.approx(1.0, abs=1e-12)


def draw_problem(rng, strings, states=12):
    """One problem by the published law, raw states kept, with plain generator calls."""
    number = int(rng.integers(4, states + 1))
    alphabet = rng.permutation(18)[: rng.integers(4, 19)] + 1
    edges = []
    for q in range(number):
        d = int(rng.integers(1, 4))
        others = rng.permutation([t for t in range(number) if t != q])[:d]
        edges.append(list(zip(rng.permutation(alphabet)[:d].tolist(), others.tolist(), strict=True)))
    text, state, truth = [], [], []
    for s in range(strings):
        steps = [(19, 0)] * (s > 0)
        for _ in range(int(rng.integers(1, 50))):
            q = steps[-1][1] if steps else 0
            steps.append(edges[q][rng.integers(len(edges[q]))])
        for token, q in steps:
            text.append(token)
            state.append(q)
            row = np.zeros(20)
            row[[c for c, _ in edges[q]]] = 1 / len(edges[q])
            truth.append(row)
    return text, state, np.array(truth)


def test_no_learner_beats_it():
    rng = np.random.default_rng(5)
    oracle, gap, miss, distance = StateOracle(), [], [], []
    for _ in range(40):
        text, state, truth = draw_problem(rng, 6)
        tokens, states = np.array([text]), np.array([state])
        learner = NGram(3, "witten-bell").predict(tokens)[0]
        best = {
            o: oracle.predict(tokens, states, objective=o)[0]
            for o in ("cross_entropy", "dfa_accuracy", "total_variation")
        }
        row = np.arange(len(text))
        allowed = truth > 0
        gap.append(np.sum(truth[allowed] * np.log(best["cross_entropy"][allowed] / learner[allowed])) / len(text))
        hit, own = (allowed[row, p.argmax(axis=1)].mean() for p in (best["dfa_accuracy"], learner))
        miss.append(hit - own)
        near = {o: np.abs(p - truth).sum(axis=1).mean() for o, p in best.items()}
        distance.append(np.abs(learner - truth).sum(axis=1).mean() - near["total_variation"])
        assert np.isfinite(gap[-1])
    for paired in (gap, miss, distance):
        assert np.mean(paired) > 4 * np.std(paired) / np.sqrt(len(paired))


def test_each_objective_is_best_at_its_own_measure():
    rng = np.random.default_rng(9)
    oracle, by = StateOracle(), {"cross_entropy": [], "total_variation": []}
    for _ in range(60):
        text, state, truth = draw_problem(rng, 4)
        for objective, into in by.items():
            p = oracle.predict(np.array([text]), np.array([state]), objective=objective)[0]
            into.append(np.abs(p - truth).sum(axis=1).mean())
    paired = np.subtract(by["cross_entropy"], by["total_variation"])
    assert paired.mean() > 4 * paired.std() / np.sqrt(len(paired))


def test_row_does_not_see_the_future():
    rng = np.random.default_rng(3)
    text, state, _ = draw_problem(rng, 3)
    whole = StateOracle().predict(np.array([text]), np.array([state]))[0]
    for cut in (1, 7, len(text) // 2):
        part = StateOracle().predict(np.array([text[:cut]]), np.array([state[:cut]]))[0]
        np.testing.assert_allclose(part, whole[:cut], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("tokens", "states", "match"),
    [
        ([[1, 2]], [[1]], "states: expected shape"),
        ([[1, 19, 2]], [[1, 1, 2]], "after each separator"),
        ([[1, 2, 3, 4, 5, 6, 7]], [[0] * 7], "probability 0"),
        ([[1, 2]], [[1, -1]], "raw states from 0"),
    ],
)
def test_bad_states(tokens, states, match):
    with pytest.raises(InputError, match=match):
        StateOracle().predict(np.array(tokens), np.array(states))


def test_law_of_a_world():
    assert StateOracle.of(RegBench()) == StateOracle(4, 18, 1, 3)
    with pytest.raises(InputError, match="dirichlet"):
        StateOracle.of(RegBench(dirichlet=1.0))


def test_bad_law_and_objective():
    with pytest.raises(InputError, match="min_alphabet"):
        StateOracle(min_alphabet=2)
    with pytest.raises(InputError, match="objective"):
        StateOracle().predict(np.array([[1]]), np.array([[1]]), objective="l2")
    with pytest.raises(InputError, match="vocabulary"):
        StateOracle().predict(np.array([[1]]), np.array([[1]]), vocabulary=10)


def test_expects_what_it_gets():
    # under its own law the entropy of the oracle's row equals in the mean the cross-entropy that the row gets
    rng = np.random.default_rng(11)
    surprise = []
    for _ in range(120):
        text, state, truth = draw_problem(rng, 4)
        p = StateOracle().predict(np.array([text]), np.array([state]))[0]
        log = np.log(np.where(p > 0, p, 1.0))
        surprise.append(((p - truth) * log).sum(axis=1).mean())
    assert abs(np.mean(surprise)) < 4 * np.std(surprise) / np.sqrt(len(surprise))
    assert np.std(surprise) / np.sqrt(len(surprise)) < 0.02
