"""How near a predictor comes to the automaton: one number a row, then means over rows.

    p = predicted, q = the automaton's distribution of the next symbol, x = the next token of the text
    dfa_accuracy      1 if q[argmax p] > 0                    ties: the lowest of the most probable tokens counts
    l1                sum_c |p_c - q_c|                       0 .. 2
    total_variation   l1 / 2                                  0 .. 1
    cross_entropy     - sum_c q_c ln p_c                      nats; infinite where p denies an allowed symbol
    excess            cross_entropy - H(q) = KL(q || p)       nats; 0 for the automaton itself
    label_loss        - ln p_x                                nats; only on rows with a label

Token 0 is the padding, which no automaton allows: equal logits for the whole vocabulary name it and have dfa_accuracy
0, equal probabilities of the symbols name the first symbol. A token named at random is right as often as the allowed
ones are a share of the vocabulary.

Row i is the distribution after reading token i. Three conventions say which rows count:

    all_rows           every row of the text, the last one included            (the public metrics)
    before_separator   those whose next token is not '|'; the last row counts  (the public training log)
    labelled           those that have a label: the last row does not count    (the training loss)

Reference: Akyurek et al., arXiv 2401.12973, section 4.1, and its public code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from regbench.automaton import Automata
from regbench.problems import Problems
from toyworlds.core.validate import choice, integer, reject

METRICS = ("dfa_accuracy", "l1", "total_variation", "cross_entropy", "excess", "label_loss")
CONVENTIONS = ("all_rows", "before_separator", "labelled")
KINDS = ("logits", "probabilities")
TOLERANCE = 1e-6
CELLS_PER_CHUNK = 1 << 17
"""Predicted numbers scored together, so that they stay in the cache."""


@dataclass(frozen=True)
class RowScores:
    """Metrics of every row; `mean`, `by_position` and `by_string` reduce them."""

    values: dict[str, np.ndarray]
    """(n, T) float64 for each metric; NaN on padding, and for label_loss where there is no label."""
    problems: Problems

    def counted(self, rows: str = "all_rows") -> np.ndarray:
        """Rows that count by a convention, (n, T) bool."""
        choice("rows", rows, CONVENTIONS)
        if rows == "labelled":
            return self.problems.labels >= 0
        if rows == "all_rows":
            return self.problems.inside
        separator = np.zeros(self.problems.tokens.shape, bool)
        separator[:, :-1] = self.problems.tokens[:, 1:] == self.problems.vocabulary - 1
        return self.problems.inside & ~separator

    def mean(self, rows: str = "all_rows") -> dict[str, float]:
        """Mean of each metric over the rows that count."""
        everywhere = np.zeros(self.problems.tokens.shape, np.int8)
        return {name: float(means[0]) for name, means in self._grouped(everywhere, rows).items()}

    def by_problem(self, rows: str = "all_rows") -> dict[str, np.ndarray]:
        """Mean of each metric within each problem, (n,)."""
        return self._grouped(np.broadcast_to(np.arange(len(self.problems))[:, None], self.problems.tokens.shape), rows)

    def by_position(self, rows: str = "all_rows", width: int = 1) -> dict[str, np.ndarray]:
        """Mean of each metric over rows 0 .. width - 1, width .. 2 width - 1, and so on; NaN where none counts."""
        integer("width", width, 1)
        position = np.arange(self.problems.tokens.shape[1]) // width
        return self._grouped(np.broadcast_to(position, self.problems.tokens.shape), rows)

    def by_string(self, rows: str = "all_rows") -> dict[str, np.ndarray]:
        """Mean of each metric over the rows that predict a symbol of string 0, 1, 2 ..; NaN where none counts."""
        return self._grouped(self.problems.strings, rows)

    def _grouped(self, group: np.ndarray, rows: str) -> dict[str, np.ndarray]:
        groups = int(group[self.problems.inside].max(initial=0)) + 1
        counted = np.flatnonzero(self.counted(rows))
        labelled = counted[self.problems.labels.ravel()[counted] >= 0]
        means = {}
        for use in (counted, labelled):
            mine = group.ravel()[use]
            number = np.bincount(mine, minlength=groups)
            for name, values in self.values.items():
                if (name == "label_loss") == (use is labelled):
                    total = np.bincount(mine, values.ravel()[use], groups)
                    means[name] = np.where(number > 0, total / np.maximum(number, 1), np.nan)
        return means


def score(
    predicted: np.ndarray, problems: Problems, *, kind: str = "probabilities", allow_deficient: bool = False
) -> RowScores:
    """Score a predictor at every row.

    Parameters
    ----------
    predicted : (n, T, V) float
        Row i of a problem is the prediction after its token i; rows on padding are not looked at.
    problems : Problems
        The texts and the automata they come from.
    kind : str
        "probabilities", or "logits" (the softmax is taken in float64).
    allow_deficient : bool
        Take rows of probabilities that sum to less than 1, such as those of the published back-off n-gram.

    Raises
    ------
    InputError
        When the shape is not (n, T, V), a number is NaN or negative, a row sums to more than 1 + 1e-6, or to
        less than 1 - 1e-6 and `allow_deficient` is False.

    """
    choice("kind", kind, KINDS)
    predicted = np.asarray(predicted)
    shape = (*problems.tokens.shape, problems.vocabulary)
    if predicted.shape != shape or not np.issubdtype(predicted.dtype, np.floating):
        reject("predicted", f"floats of shape {shape}", f"{predicted.dtype} {predicted.shape}")
    truth = _Truth.of(problems.automata)
    values = {name: np.full(shape[:2], np.nan) for name in METRICS}
    step = max(CELLS_PER_CHUNK // max(shape[1] * shape[2], 1), 1)
    for first in range(0, len(problems), step):
        part = slice(first, first + step)
        inside = problems.inside[part]
        cells = np.asarray(predicted[part][inside], dtype=np.float64)
        rows = _from_logits(cells) if kind == "logits" else _from_probabilities(cells, allow_deficient, inside, first)
        state = (np.arange(first, first + len(inside))[:, None] * truth.states + problems.states[part])[inside]
        for name, numbers in _score_rows(rows, truth, state, problems.labels[part][inside]).items():
            values[name][part][inside] = numbers
    return RowScores(values, problems)


@dataclass(frozen=True)
class _Truth:
    """Allowed tokens of every state, states laid end to end over the automata: token and share (m, n S)."""

    token: np.ndarray
    """0 where a state has fewer than m edges."""
    share: np.ndarray
    entropy: np.ndarray
    states: int

    @classmethod
    def of(cls, automata: Automata) -> _Truth:
        law = automata.law().reshape(-1, automata.symbols)
        most = max(int((law > 0).sum(axis=1).max(initial=1)), 1)
        symbol = np.argsort(law <= 0, axis=1, kind="stable")[:, :most]
        share = np.take_along_axis(law, symbol, axis=1)
        entropy = -(share * np.log(np.where(share > 0, share, 1.0))).sum(axis=1)
        token = np.where(share > 0, symbol + 1, 0)
        return cls(np.ascontiguousarray(token.T), np.ascontiguousarray(share.T), entropy, automata.states)


@dataclass(frozen=True)
class _Rows:
    """Predictions of some rows: ln p = cells - shift for logits, p = cells for probabilities."""

    cells: np.ndarray
    """(r, V) float64."""
    best: np.ndarray
    """(r,) most probable token."""
    total: np.ndarray
    """(r,) sum of the probabilities."""
    shift: np.ndarray | None
    """(r,) logarithm of the sum of exponentials; None for probabilities."""

    def at(self, token: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probability and its logarithm of one token a row, or of several: token (..., r)."""
        chosen = self.cells.ravel()[np.arange(len(self.cells)) * self.cells.shape[1] + token]
        if self.shift is not None:
            chosen -= self.shift
            return np.exp(chosen), chosen
        with np.errstate(divide="ignore"):
            return chosen, np.log(chosen)


def _score_rows(rows: _Rows, truth: _Truth, state: np.ndarray, label: np.ndarray) -> dict[str, np.ndarray]:
    """Every metric of rows in `state`; token 0 stands for no edge."""
    token, share = truth.token[:, state], truth.share[:, state]
    edge = token > 0
    given, logarithm = rows.at(token)
    given = np.where(edge, given, 0.0)
    l1 = rows.total - given.sum(axis=0) + np.abs(given - share).sum(axis=0)
    cross_entropy = -(share * np.where(edge, logarithm, 0.0)).sum(axis=0)
    return {
        "dfa_accuracy": ((token == rows.best) & edge).any(axis=0).astype(np.float64),
        "l1": l1,
        "total_variation": 0.5 * l1,
        "cross_entropy": cross_entropy,
        "excess": cross_entropy - truth.entropy[state],
        "label_loss": np.where(label >= 0, -rows.at(np.maximum(label, 0))[1], np.nan),
    }


def _from_logits(cells: np.ndarray) -> _Rows:
    """Softmax rows: shift = ln sum exp."""
    best = cells.argmax(axis=1)
    top = cells[np.arange(len(cells)), best]
    if not np.isfinite(top).all():
        reject("predicted", "finite logits (-inf for a token that cannot come)", float(top[~np.isfinite(top)][0]))
    powers = np.exp(cells - top[:, None])
    return _Rows(cells, best, np.ones(len(cells)), top + np.log(np.einsum("rv->r", powers)))


def _from_probabilities(cells: np.ndarray, allow_deficient: bool, inside: np.ndarray, first: int) -> _Rows:
    """Rows as they are, if they are distributions; else an InputError that names the first that is not."""
    total = np.einsum("rv->r", cells)
    low = -np.inf if allow_deficient else 1.0 - TOLERANCE
    if not (
        cells.min(initial=0.0) >= 0.0 and total.max(initial=0.0) <= 1.0 + TOLERANCE and total.min(initial=1.0) >= low
    ):
        wrong = ~(cells.min(axis=1) >= 0.0) | ~(total <= 1.0 + TOLERANCE) | (total < low)
        row = int(np.flatnonzero(wrong)[0])
        problem, place = np.argwhere(inside)[row]
        argument = f"predicted[{first + problem}, {place}]"
        if not cells[row].min() >= 0.0:
            reject(argument, "no negative number and no NaN", float(cells[row].min()))
        hint = "" if total[row] > 1 else "allow_deficient=True takes rows below 1"
        reject(argument, f"a row that sums to 1 (within {TOLERANCE:g})", float(total[row]), hint)
    return _Rows(cells, cells.argmax(axis=1), total, None)
