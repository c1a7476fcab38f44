"""p = (1 + #{null scores >= observed}) / (1 + n): a score against codes unrelated to the factors.

The null keeps the codes and the factors, and breaks their relation: blocks of `block` consecutive rows of the factors
are put in random order. With block = 1 rows are exchangeable; rows from a time series need blocks as long as its
correlations (the rows of one sequence, say), or the null is too narrow.

Reference: Phipson and Smyth, Permutation p-values should never be zero, Statistical Applications in Genetics and
Molecular Biology 9 (2010), article 39, equation 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.arrays import finite
from analysis.scores.codes import as_groups
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import integer, real, reject


@dataclass(frozen=True)
class PermutationNull:
    """The observed score, the scores under the null (n,), and the one-sided p-value."""

    observed: float
    scores: np.ndarray
    p_value: float


def permutation_null(
    score: Callable[[Any, Any], float], codes: Any, factors: Any, *, seed: int = 0, n: int = 200, block: int = 1
) -> PermutationNull:
    """Hold score(codes, factors) against `n` shuffles of the factors' rows, any score of codes and factors."""
    groups = as_groups("factors", factors)
    rows = len(groups[0])
    blocks, rest = divmod(rows, integer("block", block, 1))
    if rest or blocks < 2:
        reject("block", f"a length that divides the {rows} rows in at least two blocks", block)
    stream = Stream(seed, "permutation_null")
    scores = np.empty(integer("n", n, 1))
    for i in range(n):
        order = stream.words(i * blocks, blocks).argsort(kind="stable")
        shuffled = np.arange(rows).reshape(blocks, block)[order].ravel()
        scores[i] = score(codes, [group[shuffled] for group in groups])
    observed = float(score(codes, groups))
    return PermutationNull(observed, scores, p_value(observed, scores))


def p_value(observed: float, null: np.ndarray) -> float:
    """(1 + #{null >= observed}) / (1 + n); InputError where a score is NaN or infinite, as NaN has no rank."""
    real("observed", observed)
    finite("null", null, 1, at_least=True)
    return float((1 + np.sum(np.asarray(null) >= observed)) / (1 + np.size(null)))
