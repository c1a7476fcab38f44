"""E[u, m] = mean over samples of |P_m U (y_u - y)|^2: what unit u does for factor m's prediction.

y is the prediction of the whole model, y_u the prediction after an intervention on unit u: its output removed, or its
memories replaced by those of another sequence. U (coordinates, channels) undoes a known mixing of the observation (the
identity where nothing is mixed, the inverse of M otherwise), and P_m keeps the mean over factor m's coordinates. Then

    share[u, m] = E[u, m] / sum_m' E[u, m']        rows of a unit that changes nothing are 0
    score       = max_a min_u share[u, a(u)]       a assigns factors to units (`analysis.scores.assignment`)

The same equations serve the other direction, where factor m's history is shifted in time and the change is measured
in what each unit retrieves: :func:`shift_response`.

    effect     moon 0   moon 1
    unit 0       4.0      0.0       shares (1, 0) and (0.25, 0.75): score 0.75, mean share 0.875
    unit 1       1.0      3.0

Reference: Zhang et al., Memory Mosaics, ICLR 2025, arXiv 2405.06394, section 4 (one memory unit a moon); the
interventions follow Suter et al., Robustly disentangled causal mechanisms, ICML 2019, arXiv 1811.00007, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.arrays import finite
from analysis.scores.alignment import ownership
from analysis.scores.assignment import best_assignment
from analysis.scores.score import SCORES
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import integer, reject


@dataclass(frozen=True)
class CausalAlignment:
    """Effects and shares (units, factors), the factor of each unit, the least and the mean share along it."""

    effect: np.ndarray
    share: np.ndarray
    assignment: np.ndarray
    score: float
    mean_share: float


def effect_matrix(baseline: Any, changed: Any, unmix: Any = None, owner: Sequence[int] | None = None) -> np.ndarray:
    """E[u, m], the mean squared change, shape (units, factors), in squared units of the prediction.

    `baseline` (..., channels), `changed` (units, ..., channels), `unmix` (coordinates, channels) or None; `owner[c]`
    is the factor that coordinate c belongs to, c // 2 when not given.
    """
    baseline, changed = finite("baseline", baseline, 1, at_least=True), finite("changed", changed, 2, at_least=True)
    if changed.shape[1:] != baseline.shape:
        reject("changed", f"shape (units, *{baseline.shape}), as the baseline", changed.shape)
    difference = changed - baseline
    if unmix is not None:
        unmix = finite("unmix", unmix, 2)
        if unmix.shape[1] != baseline.shape[-1]:
            reject("unmix", f"{baseline.shape[-1]} columns, one a channel of the prediction", unmix.shape)
        difference = difference @ unmix.T
    owned = ownership(difference.shape[-1], owner)
    squares = np.square(difference).reshape(len(changed), -1, difference.shape[-1]).mean(axis=1)
    return squares @ (owned / owned.sum(axis=0))


def shift_response(retrieved: Any, shifted: Any) -> np.ndarray:
    """E[u, m] = mean |z_u^(m) - z_u|^2 / mean |z_u - mean z_u|^2, shape (units, factors), without unit.

    z_u is what unit u retrieves, `retrieved` (..., units, width); z^(m) the same after factor m's history alone was
    shifted in time, `shifted` (factors, ..., units, width). Divided by the unit's variance, so that a response of 2 is
    that of an independent redraw; a unit that always retrieves the same has response 0.
    """
    retrieved, shifted = finite("retrieved", retrieved, 3, at_least=True), finite("shifted", shifted, 4, at_least=True)
    if shifted.shape[1:] != retrieved.shape:
        reject("shifted", f"shape (factors, *{retrieved.shape}), as retrieved", shifted.shape)
    units, width = retrieved.shape[-2:]
    codes = retrieved.reshape(-1, units, width)
    variance = np.square(codes - codes.mean(axis=0)).sum(axis=-1).mean(axis=0)
    change = np.square(shifted - retrieved).sum(axis=-1).reshape(len(shifted), -1, units).mean(axis=1)
    return np.divide(change, variance, out=np.zeros_like(change), where=variance > 0).T


def causal_alignment(effect: Any) -> CausalAlignment:
    """Shares, assignment, least and mean share of an effect matrix (units, factors) of numbers from 0 up."""
    effect = finite("effect", effect, 2)
    if effect.min() < 0:
        reject("effect", "numbers of at least 0", float(effect.min()))
    total = effect.sum(axis=1, keepdims=True)
    share = np.divide(effect, total, out=np.zeros_like(effect), where=total > 0)
    score, assignment = best_assignment(share)
    mean = float(share[np.arange(len(share)), assignment].mean())
    return CausalAlignment(effect, share, assignment, float(score), mean)


@SCORES.register("causal_alignment", "predictions")
def causal_alignment_score(baseline: Any, changed: Any, unmix: Any = None, owner: Sequence[int] | None = None) -> float:
    """max_a min_u share[u, a(u)]: taking a unit away changes the prediction of one factor alone.

    Arguments as in :func:`effect_matrix`. Range [0, 1]; 1 when every unit moves one factor and no two units the same
    one; 0 when a unit moves nothing. Chance level: 1 / n for n factors that every unit moves alike.
    Null: :func:`causal_null`. With fewer units than factors the unserved factors do not count.

    Reference: arXiv 2405.06394, section 4; arXiv 1811.00007, section 3.
    """
    return causal_alignment(effect_matrix(baseline, changed, unmix, owner)).score


def causal_null(effect: Any, *, seed: int = 0, n: int = 1000) -> np.ndarray:
    """Scores (n,) of units whose effects know nothing of the factors; `effect` (units, factors) gives the size.

    Each row is a uniform point of the simplex: share = -ln v / sum(-ln v), v uniform. (To permute the entries of each
    row is no useful null: it leaves one in 4.5 diagonal 3 x 3 matrices with the score it had.)
    """
    effect = finite("effect", effect, 2)
    shape = (integer("n", n, 1), *effect.shape)
    draws = -np.log(1.0 - Stream(seed, "causal_null").uniform(0, int(np.prod(shape))).reshape(shape))
    return best_assignment(draws / draws.sum(axis=-1, keepdims=True))[0]
