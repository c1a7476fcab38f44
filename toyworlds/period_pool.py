"""Which tuples of periods n moons are trained on, and which one is held out, drawn from a pool of periods.

    candidates = the first C // 4 + 1 of the C combinations of n periods, sorted by their least common multiple
    held out   = the last candidate;  trained on = the others

which is the published rule. How it breaks ties is not published: for three moons and the published pool the published
triples are named, and elsewhere ties go to the combination whose slowest moon is faster, then to the one that is last
in lexicographic order, so that the held-out joint period is long against its slowest moon.

From six moons on the pool of seven periods has too few combinations (7, 1 and 0 for six, seven and eight moons). There
the pool grows by half days until it has n + 1 periods, and all of its n + 1 combinations are candidates.

Source: Zhang et al., Memory Mosaics, ICLR 2025, section 4, and its public code (three moons; the rest is ours).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations

from toyworlds.core.validate import integer, real, reject
from toyworlds.three_moons import PUBLISHED_HELD_OUT, PUBLISHED_TRAIN, Periods

PUBLISHED_POOL: Periods = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5)
MOST_MOONS = 12
ALL_KEPT_FROM = 6
"""Moons from which on the published pool is extended and all combinations are kept."""


def period_combinations(
    n_moons: int, pool: Sequence[float] | None = None
) -> tuple[tuple[Periods, ...], tuple[Periods, ...]]:
    """Return (train_periods, held_out_periods) for `ThreeMoons`, in days; one tuple is held out.

    `pool` is a set of periods of one's own, to which the published rule is applied whatever n is; it needs enough
    combinations for one to train on and one to hold out.

    >>> period_combinations(2)
    (((0.5, 1.0), (0.5, 1.5), (1.0, 2.0), (0.5, 2.0), (0.5, 2.5)), ((1.0, 1.5),))
    >>> period_combinations(3)[1]
    ((1.0, 2.0, 3.0),)
    """
    integer("n_moons", n_moons, 1, MOST_MOONS)
    if pool is None and n_moons == len(PUBLISHED_HELD_OUT[0]):
        return PUBLISHED_TRAIN, PUBLISHED_HELD_OUT
    everything = pool is None and n_moons >= ALL_KEPT_FROM
    periods = _published_pool(n_moons) if pool is None else _checked_pool(pool)
    ranked = sorted(combinations(periods, n_moons), key=_rank)
    kept = ranked if everything else ranked[: len(ranked) // 4 + 1]
    if len(kept) < 2:
        reject("pool", f"periods with at least 4 combinations of {n_moons}", tuple(periods))
    return tuple(kept[:-1]), (kept[-1],)


def _published_pool(n_moons: int) -> Periods:
    size = max(len(PUBLISHED_POOL), n_moons + 1)
    return tuple(0.5 * (i + 1) for i in range(size))


def _checked_pool(pool: Sequence[float]) -> Periods:
    periods = sorted({real("pool", period, above=0.0) for period in pool})
    return tuple(periods)


def _rank(periods: Periods) -> tuple[Fraction, float, tuple[float, ...]]:
    fractions = [Fraction(str(period)) for period in periods]
    denominator = math.lcm(*(fraction.denominator for fraction in fractions))
    multiple = math.lcm(*(int(fraction * denominator) for fraction in fractions))
    return Fraction(multiple, denominator), max(periods), tuple(-period for period in periods)
