from __future__ import annotations

import math
from itertools import combinations

import pytest

from toyworlds.core.validate import InputError
from toyworlds.period_pool import PUBLISHED_POOL, period_combinations
from toyworlds.three_moons import PUBLISHED_HELD_OUT, PUBLISHED_TRAIN, ThreeMoons


def half_day_multiple(periods: tuple[float, ...]) -> int:
    return math.lcm(*(int(2 * period) for period in periods))


def test_three_moons_have_the_published_triples() -> None:
    assert period_combinations(3) == (PUBLISHED_TRAIN, PUBLISHED_HELD_OUT)


def test_the_published_triples_follow_the_rule_up_to_ties() -> None:
    """9 of 35 triples; the rule with our tie-break keeps triples of the same least common multiples."""
    ours_train, ours_held_out = period_combinations(3, PUBLISHED_POOL)
    published = [half_day_multiple(p) for p in PUBLISHED_TRAIN + PUBLISHED_HELD_OUT]
    assert sorted(published) == sorted(half_day_multiple(p) for p in ours_train + ours_held_out)
    assert sorted(published) == sorted(half_day_multiple(p) for p in combinations(PUBLISHED_POOL, 3))[:9]
    assert half_day_multiple(ours_held_out[0]) == half_day_multiple(PUBLISHED_HELD_OUT[0]) == 12


def test_two_moons_by_hand() -> None:
    """In half days: 12 (2), 13 (3), 24 and 14 (4), 15 (5), then of those of multiple 6 the one of fastest slow moon."""
    train, held_out = period_combinations(2)
    assert train == ((0.5, 1.0), (0.5, 1.5), (1.0, 2.0), (0.5, 2.0), (0.5, 2.5))
    assert held_out == ((1.0, 1.5),)


@pytest.mark.parametrize(("n", "count"), [(1, 2), (2, 6), (3, 9), (4, 9), (5, 6), (6, 7), (7, 8), (8, 9)])
def test_all_numbers_of_moons(n: int, count: int) -> None:
    train, held_out = period_combinations(n)
    assert (len(train), len(held_out)) == (count - 1, 1)
    everything = train + held_out
    assert len(set(everything)) == count
    assert all(len(periods) == n and list(periods) == sorted(set(periods)) for periods in everything)
    assert max(map(half_day_multiple, train)) <= half_day_multiple(held_out[0])
    assert max(map(max, everything)) <= 0.5 * max(7, n + 1)
    assert ThreeMoons(train, held_out).n_moons == n


@pytest.mark.parametrize("n", [6, 7, 8])
def test_with_all_combinations_kept_the_held_out_one_is_new_only_as_a_combination(n: int) -> None:
    train, (held_out,) = period_combinations(n)
    for moon, period in enumerate(held_out):
        assert period in {periods[moon] for periods in train}


def test_a_pool_of_ones_own() -> None:
    train, held_out = period_combinations(2, [3.0, 1.0, 2.0, 4.0, 1.0])
    assert (train, held_out) == (((1.0, 2.0),), ((1.0, 3.0),))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "n_moons: expected a whole number from 1"),
        ((2, [1.0, 2.0, 3.0]), "pool: expected periods with at least 4 combinations of 2"),
        ((2, [1.0, -2.0]), "pool: expected a finite number above 0; got -2"),
        ((5, [1.0, 2.0]), "pool: expected periods with at least 4 combinations of 5"),
    ],
)
def test_what_cannot_be_done_is_refused(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        period_combinations(*arguments)  # type: ignore[arg-type]
