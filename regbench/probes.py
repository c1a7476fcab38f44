"""Probes of a predictor: how near it is to each in-context n-gram, and what its hidden states encode linearly.

    ngram_distances   TV_k = 1/2 sum_c |p(c) - p_k(c)| at each row, p_k the in-context n-gram of order k
    linear_probe      R^2 of ridge regression  y ~ W h + b  on held-out problems
    same_state_probe  area under the ROC curve of  s_ij = h_i' W h_j  for 'rows i and j are in the same state',
                      W from ridge regression of [q_i = q_j] on the products of (1, principal components of h)

h is a hidden state (problems, longest, width), one for each row. States have no names that hold across
problems, hence pairs within a problem; W is one for all problems and is scored on problems it was not fitted to.
A predictor that has an n-gram head of order k encodes `ngram_counts` of that order and, if nothing is mixed in,
has TV_k near 0.

Reference: Akyurek et al., arXiv 2401.12973, section 5 (there with two-layer networks as probes).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from regbench.learners import read
from regbench.ngram import NGram, contexts, running_counts
from toyworlds.core.ragged import Ragged
from toyworlds.core.validate import choice, integer, real, reject

FORMS = ("count", "frequency", "present")


def ngram_distances(
    probs: np.ndarray,
    tokens: np.ndarray | Ragged,
    orders: Sequence[int] = (1, 2, 3, 4),
    smoothing: str = "backoff",
) -> np.ndarray:
    """Total variation between a predictor and the in-context n-gram of each order.

    Parameters
    ----------
    probs : (problems, longest, vocabulary) float
        The predictor's distributions, rows as for every learner.
    tokens : (problems, longest) int or Ragged
        Texts.
    orders : sequence of int
        Orders of the n-grams.
    smoothing : str
        As for `NGram`.

    Returns
    -------
    (orders, problems, longest) float64
        Between 0 and 1; NaN behind the end of a text.

    """
    probs = np.asarray(probs)
    if probs.ndim != 3:
        reject("probs", "shape (problems, longest, vocabulary)", probs.shape)
    lengths = read(tokens, probs.shape[2]).lengths
    inside = np.arange(lengths.max()) < lengths[:, None]
    probs = _rows("probs", probs, inside)
    out = np.full((len(orders), *inside.shape), np.nan)
    for place, order in enumerate(orders):
        gap = np.abs(probs - NGram(order, smoothing).predict(tokens, probs.shape[2])).sum(axis=2) / 2
        out[place][inside] = gap[inside]
    return out


def ngram_counts(tokens: np.ndarray | Ragged, order: int, vocabulary: int = 20, form: str = "count") -> np.ndarray:
    """What followed the last order - 1 symbols earlier in the text, (problems, longest, vocabulary) float64.

    `form` is "count", "frequency" (the counts divided by their sum, 0 where there is none) or "present" (0 or 1).
    """
    integer("order", order, 1)
    choice("form", form, FORMS)
    text = read(tokens, vocabulary)
    *_, name = contexts(text, order - 1)
    counts = running_counts(text, name)[0].astype(np.float64)
    if form == "frequency":
        counts /= np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    return text.rows((counts > 0).astype(np.float64) if form == "present" else counts)


def linear_probe(
    hidden: np.ndarray,
    target: np.ndarray,
    inside: np.ndarray,
    held_out: np.ndarray,
    *,
    ridge: float = 1e-3,
) -> float:
    """R^2 of a linear read-out of `target`, on problems that it was not fitted to.

    Parameters
    ----------
    hidden : (problems, longest, width) float
        Hidden states.
    target : (problems, longest, columns) float
        What they may encode: `ngram_counts`, say, or the automaton's own law.
    inside : (problems, longest) bool
        Rows that count: those of the texts, or the later ones of them.
    held_out : (problems,) bool
        Problems to score on; the others are fitted to.
    ridge : float
        Penalty, as a share of the mean variance of the hidden channels.

    Returns
    -------
    float
        1 - (squared error) / (squared deviation from the fitted problems' mean), all columns together: 1 is
        perfect, 0 is no better than the mean (chance), below 0 is worse.

    """
    real("ridge", ridge, 0)
    inside, held_out = _masks(inside, held_out)
    hidden, target = _rows("hidden", hidden, inside), _rows("target", target, inside)
    fit, score = inside & ~held_out[:, None], inside & held_out[:, None]
    x, y = hidden[fit].astype(np.float64), target[fit].astype(np.float64)
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    gram = (x - x_mean).T @ (x - x_mean)
    penalty = ridge * np.trace(gram) / len(gram)
    weights = np.linalg.lstsq(gram + penalty * np.eye(len(gram)), (x - x_mean).T @ (y - y_mean))[0]
    truth = target[score] - y_mean
    deviation = (truth**2).sum()
    if not deviation > 0:
        reject("target", "a target that varies on the held-out problems", "a constant")
    return float(1.0 - ((truth - (hidden[score] - x_mean) @ weights) ** 2).sum() / deviation)


def same_state_probe(
    hidden: np.ndarray,
    states: np.ndarray,
    inside: np.ndarray,
    held_out: np.ndarray,
    *,
    rank: int = 32,
    ridge: float = 1e-3,
) -> float:
    """How well a bilinear form of two hidden states tells whether the automaton is in the same state.

    Parameters
    ----------
    hidden, inside, held_out : as for `linear_probe`
        Hidden states, the rows that count, and the problems to score on.
    states : (problems, longest) int
        State of the automaton after each row's token.
    rank : int
        Principal components kept of the hidden states; all if the width is not above it.
    ridge : float
        Penalty, as a share of the mean of the normal matrix's diagonal.

    Returns
    -------
    float
        Area under the ROC curve, the mean over held-out problems of all pairs of rows: 1 is perfect, 0.5 chance.

    """
    real("ridge", ridge, 0)
    inside, held_out = _masks(inside, held_out)
    hidden = _rows("hidden", hidden, inside)
    states = _rows("states", states, inside)
    fitted = hidden[inside & ~held_out[:, None]].astype(np.float64)
    mean, basis = fitted.mean(axis=0), _principal(fitted, integer("rank", rank, 1))
    features = [_features(h[rows], mean, basis) for h, rows in zip(hidden, inside, strict=True)]
    names = [state[rows] for state, rows in zip(states, inside, strict=True)]
    form = _bilinear([(features[p], names[p]) for p in np.flatnonzero(~held_out)], ridge)
    areas = []
    for problem in np.flatnonzero(held_out):
        h, name = features[problem], names[problem]
        first, second = np.triu_indices(len(h), 1)
        same = name[first] == name[second]
        if same.any() and not same.all():
            areas.append(_area((h @ form @ h.T)[first, second], same))
    if not areas:
        reject("held_out", "problems with pairs of equal and of different states", "none")
    return float(np.mean(areas))


def _bilinear(problems: Sequence[tuple[np.ndarray, np.ndarray]], ridge: float) -> np.ndarray:
    """W of min sum over problems (h, q) of mean_ij ([q_i = q_j] - h_i' W h_j)^2 + penalty.

    With G = h' h and R = h' [q_i = q_j] h of each problem the solution is (sum G x G + penalty) vec W = vec sum R.
    """
    size = problems[0][0].shape[1]
    normal, right = np.zeros((size**2, size**2)), np.zeros((size, size))
    for h, name in problems:
        normal += np.kron(h.T @ h, h.T @ h) / len(h) ** 2
        together = h.T @ (name[:, None] == np.unique(name))
        right += together @ together.T / len(h) ** 2
    normal += ridge * np.trace(normal) / len(normal) * np.eye(len(normal))
    return np.asarray(np.linalg.lstsq(normal, right.ravel())[0].reshape(size, size))


def _principal(fitted: np.ndarray, rank: int) -> np.ndarray:
    """Leading principal directions, scaled to unit variance, (width, at most rank)."""
    value, vector = np.linalg.eigh(np.cov(fitted.T).reshape(fitted.shape[1], -1))
    keep = np.flatnonzero(value > 1e-12 * value[-1])[-rank:]
    if len(keep) == 0:
        reject("hidden", "hidden states that vary", "constant ones")
    return np.asarray(vector[:, keep] / np.sqrt(value[keep]))


def _features(hidden: np.ndarray, mean: np.ndarray, basis: np.ndarray) -> np.ndarray:
    return np.concatenate([np.ones((len(hidden), 1)), (hidden - mean) @ basis], axis=1)


def _area(score: np.ndarray, positive: np.ndarray) -> float:
    """Probability that a positive pair scores above a negative one, ties counted half (Mann and Whitney)."""
    hits = np.count_nonzero(positive)
    above = rankdata(score)[positive].sum() - hits * (hits + 1) / 2
    return float(above / (hits * (len(positive) - hits)))


def _masks(inside: np.ndarray, held_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    inside, held_out = np.asarray(inside), np.asarray(held_out)
    if inside.ndim != 2 or inside.dtype != bool or not inside.any(axis=1).all():
        reject("inside", "bool of shape (problems, longest), rows in every problem", f"{inside.dtype} {inside.shape}")
    if held_out.shape != inside.shape[:1] or held_out.dtype != bool:
        reject("held_out", f"bool of shape {inside.shape[:1]}", f"{held_out.dtype} {held_out.shape}")
    if held_out.all() or not held_out.any():
        reject("held_out", "at least one problem held out and one fitted to", held_out.tolist()[:8])
    return inside, held_out


def _rows(argument: str, values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Check that `values` covers the rows and is finite there; cut it to the rows' longest text."""
    values = np.asarray(values)
    if values.ndim < 2 or len(values) != len(inside) or values.shape[1] < inside.shape[1]:
        reject(argument, f"shape ({inside.shape[0]}, {inside.shape[1]}, ..)", values.shape)
    values = values[:, : inside.shape[1]]
    if not np.isfinite(values[inside]).all():
        reject(argument, "finite numbers", "NaN or infinity")
    return values
