"""Metrics: the published values to 1e-9, answers by hand, a plain recount, and predictions that cannot be."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import regbench
from regbench.automaton import Automata, Automaton
from regbench.metrics import CONVENTIONS, METRICS, score
from regbench.suites import RegBench, RegBenchWeighted
from toyworlds.core.validate import InputError

DATA = Path(__file__).parents[1] / "data"
REFERENCE = json.loads((DATA / "regbench_ngram_problems.json").read_text())


@pytest.fixture(scope="module")
def published():
    automata = [Automaton.from_edges(p["transitions"], start=p["start"]) for p in REFERENCE["problems"]]
    return regbench.from_texts([p["text"] for p in REFERENCE["problems"]], Automata.of(automata))


def stored(problems, file, name):
    out = np.zeros((*problems.tokens.shape, problems.vocabulary))
    with np.load(DATA / file) as arrays:
        for i, length in enumerate(problems.lengths):
            out[i, :length] = arrays[f"{name}_{i}"]
    return out


@pytest.fixture(scope="module")
def model(published):
    return score(stored(published, "regbench_model_probs.npz", "problem"), published)


def test_published_values_of_a_model(model):
    mean = model.mean("all_rows")
    assert mean["dfa_accuracy"] == pytest.approx(0.6204238921001927, abs=1e-12)
    assert mean["l1"] == pytest.approx(1.225186855694673, abs=1e-9)
    assert mean["total_variation"] == pytest.approx(1.225186855694673 / 2, abs=1e-9)
    assert model.counted("all_rows").sum() == 1557


@pytest.mark.parametrize(
    ("rows", "count", "accuracy"), [("before_separator", 1503, 0.6220891550), ("labelled", 1499, 0.6210807205)]
)
def test_published_row_conventions(model, rows, count, accuracy):
    assert model.counted(rows).sum() == count
    assert model.mean(rows)["dfa_accuracy"] == pytest.approx(accuracy, abs=1e-9)


def test_published_values_of_the_deficient_trigram(published):
    rows = stored(published, "regbench_ngram_trigram.npz", "trigram_probs")
    mean = score(rows, published, allow_deficient=True).mean()
    for name in ("dfa_accuracy", "l1"):
        assert mean[name] == pytest.approx(REFERENCE["reference"]["trigram_backoff"][name], abs=1e-9)
    with pytest.raises(InputError, match=r"predicted\[0, 73\].*got 0.857.*allow_deficient=True"):
        score(rows, published)


def test_the_automaton_itself_is_perfect():
    for world in (RegBench(), RegBenchWeighted()):
        problems = regbench.load(world, "test", 0, 30)
        mean = score(problems.truth(), problems).mean()
        assert mean["dfa_accuracy"] == 1.0
        assert mean["l1"] == pytest.approx(0.0, abs=1e-14)
        assert mean["excess"] == pytest.approx(0.0, abs=1e-14)
        assert mean["cross_entropy"] == pytest.approx(mean["label_loss"], abs=0.03)


def by_hand():
    # 0 -a-> 1; 1 -a-> 1, 1 -b-> 0;   text "ab|a", tokens . a b |
    automaton = Automaton.from_edges([(0, "a", 1), (1, "a", 1), (1, "b", 0)], symbols=2)
    problems = regbench.from_texts(["ab|a"], automaton.batch)
    p = np.array([[[0, 0.2, 0.7, 0.1], [0, 0.5, 0.5, 0], [0.1, 0.1, 0.8, 0], [0.4, 0.3, 0.3, 0]]])
    return p, problems


def test_every_metric_by_hand():
    p, problems = by_hand()
    values = score(p, problems).values
    # truths: (a b evenly), a, a, (a b evenly); labels: b, none, a, none
    np.testing.assert_allclose(values["dfa_accuracy"][0], [1, 1, 0, 0])  # row 3 argmax is padding
    np.testing.assert_allclose(values["l1"][0], [0.6, 1.0, 1.8, 0.8], atol=1e-15)
    expected = [-0.5 * math.log(0.2 * 0.7), math.log(2), -math.log(0.1), -math.log(0.3)]
    np.testing.assert_allclose(values["cross_entropy"][0], expected, atol=1e-14)
    np.testing.assert_allclose(values["excess"][0], np.array(expected) - [math.log(2), 0, 0, math.log(2)], atol=1e-14)
    np.testing.assert_allclose(values["label_loss"][0], [-math.log(0.7), np.nan, -math.log(0.1), np.nan], atol=1e-14)


def test_groups_by_hand():
    p, problems = by_hand()
    scores = score(p, problems)
    assert scores.mean("before_separator")["l1"] == pytest.approx((0.6 + 1.8 + 0.8) / 3)
    assert scores.mean("labelled")["l1"] == pytest.approx((0.6 + 1.8) / 2)
    np.testing.assert_allclose(scores.by_position("before_separator")["l1"], [0.6, np.nan, 1.8, 0.8])
    np.testing.assert_allclose(scores.by_position(width=3)["l1"], [3.4 / 3, 0.8])
    np.testing.assert_allclose(scores.by_string()["l1"], [0.8, 1.3])
    np.testing.assert_allclose(scores.by_string()["label_loss"], [-math.log(0.7), -math.log(0.1)])
    np.testing.assert_allclose(scores.by_problem()["dfa_accuracy"], [0.5])


def test_against_a_plain_recount():
    problems = regbench.load(RegBenchWeighted(), "test", 0, 12, seed=8)
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(*problems.tokens.shape, 20)) * 3
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    truth, scores = problems.truth(), score(logits, problems, kind="logits")
    for name in METRICS:
        np.testing.assert_allclose(scores.values[name], score(p, problems).values[name], atol=1e-12)
    inside = problems.inside
    entropy = -(truth * np.log(np.where(truth > 0, truth, 1))).sum(axis=-1)
    dense = {
        "dfa_accuracy": np.take_along_axis(truth, p.argmax(axis=-1)[..., None], axis=-1)[..., 0] > 0,
        "l1": np.abs(p - truth).sum(axis=-1),
        "cross_entropy": -(truth * np.log(p)).sum(axis=-1),
        "excess": -(truth * np.log(p)).sum(axis=-1) - entropy,
    }
    for name, expected in dense.items():
        np.testing.assert_allclose(scores.values[name][inside], expected[inside], atol=1e-12)
        assert np.isnan(scores.values[name][~inside]).all()
    strings = [text.split("|") for text in map(problems.text, range(12))]
    total, number = np.zeros(19), np.zeros(19)
    for i, parts in enumerate(strings):
        place = 0
        for j, string in enumerate(parts):
            rows = range(place - 1 if j else 0, place + len(string))
            total[j] += sum(scores.values["l1"][i, r] for r in rows)
            number[j] += len(rows)
            place += len(string) + 1
    np.testing.assert_allclose(scores.by_string()["l1"], (total / np.maximum(number, 1))[: max(map(len, strings))])


def test_logits_may_deny_a_token_and_be_float32():
    p, problems = by_hand()
    with np.errstate(divide="ignore"):
        logits = np.log(p).astype(np.float32) + 100
    mine = score(logits, problems, kind="logits").mean("labelled")
    assert mean_close(mine, score(p, problems).mean("labelled"))


def mean_close(one, two):
    return all(one[name] == pytest.approx(two[name], abs=1e-5) for name in METRICS)


def test_denied_symbols_cost_infinity_and_padding_is_not_looked_at():
    problems = regbench.load(RegBench(), "test", 0, 5)
    p = problems.truth()
    p[:, :, 0] = np.where(problems.inside, 0.0, np.nan)
    assert score(p, problems).mean()["excess"] == pytest.approx(0.0, abs=1e-14)
    wrong = np.roll(p, 1, axis=2)
    wrong[~problems.inside] = -7.0
    assert score(wrong, problems).mean()["cross_entropy"] == math.inf


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda p: p[:, :3], {}, "floats of shape"),
        (lambda p: (p * 10).astype(int), {}, "floats of shape"),
        (lambda p: np.where(p == 0.2, -0.2, p), {}, r"predicted\[0, 0\]: expected no negative number"),
        (lambda p: np.where(p == 0.3, np.nan, p), {}, r"predicted\[0, 3\]: expected no negative number and no NaN"),
        (lambda p: p * 1.00001, {}, "a row that sums to 1"),
        (lambda p: p * 1.00001, {"allow_deficient": True}, "a row that sums to 1"),
        (lambda p: p * 0.9999, {}, "allow_deficient=True"),
        (lambda p: p, {"kind": "logit"}, "did you mean 'logits'"),
        (lambda p: np.where(p == 0.3, np.nan, p), {"kind": "logits"}, "finite logits"),
        (lambda p: np.full_like(p, -np.inf), {"kind": "logits"}, "finite logits"),
    ],
)
def test_predictions_that_cannot_be(change, options, message):
    p, problems = by_hand()
    with pytest.raises(InputError, match=message):
        score(change(p), problems, **options)


def test_rounding_of_float32_rows_is_allowed():
    p, problems = by_hand()
    assert score((p * (1 + 5e-7)).astype(np.float32), problems).mean()["l1"] > 0


def test_the_lowest_of_tied_tokens_counts():
    automaton = Automaton.from_edges([(0, "b", 1), (1, "a", 0), (1, "b", 1)], symbols=2)
    problems = regbench.from_texts(["bab"], automaton.batch)  # allowed after b, a, b: a b, b, a b
    shape = (*problems.tokens.shape, problems.vocabulary)
    constant = score(np.zeros(shape), problems, kind="logits")
    assert constant.values["dfa_accuracy"].tolist() == [[0.0, 0.0, 0.0]], "they name the padding"
    symbols = np.zeros(shape)
    symbols[..., 1:3] = 0.5
    assert score(symbols, problems).values["dfa_accuracy"].tolist() == [[1.0, 0.0, 1.0]], "they name a"


def test_unknown_convention():
    p, problems = by_hand()
    scores = score(p, problems)
    assert {rows: int(scores.counted(rows).sum()) for rows in CONVENTIONS} == {
        "all_rows": 4,
        "before_separator": 3,
        "labelled": 2,
    }
    with pytest.raises(InputError, match="did you mean 'all_rows'"):
        scores.mean("all_row")
