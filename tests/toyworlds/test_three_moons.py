from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from toyworlds.core.validate import InputError, from_dict
from toyworlds.three_moons import PUBLISHED_HELD_OUT, PUBLISHED_TRAIN, ThreeMoons, ground_truth
from toyworlds.world import config_of

SMALL = ThreeMoons(length=50)
FLOAT32 = 1.2e-7
"""Half a unit in the last place of a float32 below 2, and a little."""


def plain_moons(world: ThreeMoons, rows: dict[str, np.ndarray]) -> np.ndarray:
    """The equation of the module in plain NumPy, (rows, length, n, 2) float64, for circles."""
    steps = rows["start"][:, None, :] + np.arange(world.length)[:, None]
    angle = 2 * np.pi * steps * world.time_step / rows["periods"][:, None, :] + world.phase_offset
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1)


def test_the_published_periods() -> None:
    assert PUBLISHED_HELD_OUT == ((1.0, 2.0, 3.0),)
    half_days = {tuple(int(2 * p) for p in periods) for periods in PUBLISHED_TRAIN}
    assert half_days == {(1, 2, 4), (1, 2, 3), (1, 2, 6), (1, 3, 6), (2, 3, 6), (1, 2, 5), (2, 3, 4), (1, 3, 4)}
    world = ThreeMoons()
    assert (world.n_moons, world.length, world.time_step, world.phase_offset) == (3, 800, 0.0225, 0.3)


def test_the_example_of_the_docstring() -> None:
    world = ThreeMoons(((1.0, 2.0, 3.0),), PUBLISHED_TRAIN, length=2, start_range=1)
    by_hand = [[0.30, 0.96, 0.30, 0.96, 0.30, 0.96], [0.43, 0.90, 0.36, 0.93, 0.34, 0.94]]
    np.testing.assert_allclose(world.generate(0, "train", 0, 1)["observation"][0], by_hand, rtol=0, atol=0.005)


@pytest.mark.parametrize("start", ["shared", "separate"])
@pytest.mark.parametrize("split", ["train", "validation"])
def test_the_observation_is_the_published_formula(start: Any, split: str) -> None:
    world = replace(SMALL, start=start)
    rows = world.generate(3, split, 0, 40)
    expected = plain_moons(world, rows).reshape(40, 50, 6)
    np.testing.assert_allclose(rows["observation"], expected, rtol=0, atol=FLOAT32)
    assert {tuple(p) for p in rows["periods"].tolist()} <= set(world.periods_of(split))
    phase = rows["start"] * world.time_step / rows["periods"] + world.phase_offset / (2 * np.pi)
    np.testing.assert_allclose(rows["phase"], phase % 1.0, rtol=0, atol=1e-12)


def test_all_triples_and_starts_are_drawn_evenly() -> None:
    which, steps = ThreeMoons().draw(0, "train", 0, 100_000)
    assert stats.chisquare(np.bincount(which, minlength=8)).pvalue > 1e-4
    assert (steps.min(), steps.max()) == (0, 8398)
    assert stats.chisquare(np.histogram(steps[:, 0], bins=17, range=(0, 8399))[0]).pvalue > 1e-4
    assert abs(np.corrcoef(which, steps[:, 0])[0, 1]) < 4.5 / math.sqrt(100_000)


def test_splits_and_seeds_draw_apart() -> None:
    reverse = tuple(periods[::-1] for periods in PUBLISHED_TRAIN)
    world = ThreeMoons(PUBLISHED_TRAIN, reverse, noise=1.0, missing_stretches=1)
    for first, second in (((0, "train"), (0, "validation")), ((0, "train"), (1, "train"))):
        a, b = (world.generate(*names, 0, 50) for names in (first, second))
        assert np.mean(a["start"] == b["start"]) < 0.1
        assert np.mean(a["mask"].argmin(axis=1) != b["mask"].argmin(axis=1)) > 0.3
        both = a["mask"] & b["mask"]
        assert abs(np.corrcoef(a["observation"][both].ravel(), b["observation"][both].ravel())[0, 1]) < 0.1


def test_shared_starts_are_equal_and_separate_starts_independent() -> None:
    shared = ThreeMoons().draw(0, "train", 0, 5000)[1]
    assert (shared == shared[:, :1]).all()
    separate = ThreeMoons(start="separate").draw(0, "train", 0, 5000)[1]
    correlation = np.corrcoef(separate.T)[~np.eye(3, dtype=bool)]
    assert np.abs(correlation).max() < 4.5 / math.sqrt(5000)


def test_the_observer_on_a_moon_sees_the_others_minus_the_last_and_the_planet_at_minus_the_last() -> None:
    world = replace(SMALL, observer="moon", start="separate")
    rows = world.generate(0, "train", 0, 10)
    moons = plain_moons(world, rows)
    seen = np.concatenate([moons[:, :, :-1] - moons[:, :, -1:], -moons[:, :, -1:]], axis=2).reshape(10, 50, 6)
    np.testing.assert_allclose(rows["observation"], seen, rtol=0, atol=2 * FLOAT32)


@pytest.mark.parametrize("start", ["shared", "separate"])
@pytest.mark.parametrize("observer", ["planet", "moon"])
@pytest.mark.parametrize("mixing", ["orthogonal", "general"])
def test_mixing_is_one_stored_matrix_of_the_seed(start: Any, observer: Any, mixing: Any) -> None:
    world = replace(SMALL, start=start, observer=observer, mixing=mixing)
    matrix = world.constants(5)["mixing"]
    rows, held_out = world.generate(5, "train", 0, 8), world.generate(5, "validation", 0, 8)
    for part in (rows, held_out):
        expected = plain_moons(world, part).reshape(8, 50, 6) @ matrix.T
        np.testing.assert_allclose(part["observation"], expected, rtol=0, atol=8 * FLOAT32)
    view = replace(SMALL, observer=observer).mixing_matrix(5)
    alone = matrix @ np.linalg.inv(view)
    singular = np.linalg.svd(alone)[1]
    if mixing == "orthogonal":
        assert np.abs(alone @ alone.T - np.eye(6)).max() < 1e-14
    else:
        assert singular.min() >= 0.5 - 1e-13
        assert singular.max() <= 2.0 + 1e-13
        assert singular[0] / singular[-1] < 4.0
    assert np.abs(world.mixing_matrix(6) - matrix).max() > 0.1
    assert np.count_nonzero(np.abs(alone) > 1e-3) > 30


def test_the_stored_matrix_cannot_be_changed_from_outside() -> None:
    world = replace(SMALL, mixing="orthogonal")
    world.mixing_matrix(0)[:] = 0.0
    assert np.abs(world.mixing_matrix(0)).max() > 0.1


def test_without_mixing_the_matrix_is_the_identity() -> None:
    np.testing.assert_array_equal(SMALL.constants(0)["mixing"], np.eye(6))


def test_noise_is_normal_with_the_stated_deviation() -> None:
    clean, noisy = SMALL, replace(SMALL, noise=0.25)
    difference = noisy.generate(1, "train", 0, 60)["observation"] - clean.generate(1, "train", 0, 60)["observation"]
    assert stats.kstest(difference.ravel() / 0.25, "norm").pvalue > 1e-4
    assert abs(difference.std() - 0.25) < 4.5 * 0.25 / math.sqrt(2 * difference.size)
    flat = difference.reshape(60, -1)
    assert abs(np.corrcoef(flat[:-1].ravel(), flat[1:].ravel())[0, 1]) < 4.5 / math.sqrt(flat.size)


def test_missing_stretches_are_nan_where_the_mask_is_false_and_elsewhere_untouched() -> None:
    world = replace(SMALL, missing_stretches=2, missing_length=7)
    rows, whole = world.generate(2, "train", 0, 200), SMALL.generate(2, "train", 0, 200)
    mask = rows["mask"]
    assert mask.dtype == np.bool_
    assert np.isnan(rows["observation"][~mask]).all()
    np.testing.assert_array_equal(rows["observation"][mask], whole["observation"][mask])
    missing = (~mask).sum(axis=1)
    assert set(missing.tolist()) <= set(range(7, 15))
    assert missing.max() == 14
    edges = np.diff(np.pad((~mask).astype(int), ((0, 0), (1, 1))), axis=1)
    runs = [np.flatnonzero(e == -1) - np.flatnonzero(e == 1) for e in edges]
    assert all((run >= 7).all() and len(run) <= 2 for run in runs)


def test_a_missing_stretch_begins_anywhere_evenly_and_may_be_the_whole_sequence() -> None:
    world = replace(SMALL, missing_stretches=1, missing_length=41)
    first = (~world.generate(0, "train", 0, 4000)["mask"]).argmax(axis=1)
    assert stats.chisquare(np.bincount(first, minlength=10)).pvalue > 1e-4
    assert len(np.bincount(first)) == 10
    everything = replace(SMALL, missing_stretches=1, missing_length=50).generate(0, "train", 0, 3)
    assert not everything["mask"].any()


def test_eccentric_moons_follow_kepler_and_zero_eccentricity_is_the_circle() -> None:
    circles = SMALL.generate(0, "train", 0, 5)
    same = replace(SMALL, eccentricities=(0.0, 0.0, 0.0)).generate(0, "train", 0, 5)
    np.testing.assert_array_equal(same["observation"], circles["observation"])
    e = np.array([0.0, 0.3, 0.8])
    rows = replace(SMALL, eccentricities=tuple(e.tolist())).generate(0, "train", 0, 5)
    np.testing.assert_array_equal(rows["phase"], circles["phase"])
    x, y = np.moveaxis(rows["observation"].reshape(5, 50, 3, 2).astype(float), -1, 0)
    np.testing.assert_allclose((y + e) ** 2 + x**2 / (1 - e**2), 1.0, rtol=0, atol=2e-6)
    anomaly = np.arctan2(x / np.sqrt(1 - e**2), y + e)
    mean = (anomaly - e * np.sin(anomaly)) / (2 * np.pi)
    expected = rows["phase"][:, None] + np.arange(50)[:, None] * SMALL.time_step / rows["periods"][:, None]
    assert np.abs((mean - expected + 0.5) % 1.0 - 0.5).max() < 1e-6


@pytest.mark.parametrize("start", ["shared", "separate"])
def test_a_sequence_returns_after_its_joint_period(start: Any) -> None:
    world = ThreeMoons(((1.0, 1.5, 0.5),), ((1.0, 2.0, 3.0),), length=500, time_step=0.025, start=start)
    for split, period in (("train", 120), ("validation", 240)):
        x = world.generate(0, split, 0, 4)["observation"]
        np.testing.assert_allclose(x[:, period:], x[:, :-period], rtol=0, atol=1e-6)
        assert np.abs(x[:, 40:] - x[:, :-40]).max() > 0.5


@pytest.mark.parametrize("n", range(1, 9))
def test_any_number_of_moons(n: int) -> None:
    world = ThreeMoons((tuple(range(1, n + 1)),), (tuple(range(2, n + 2)),), length=30)
    rows = world.generate(0, "validation", 0, 3)
    assert rows["observation"].shape == (3, 30, 2 * n)
    np.testing.assert_allclose(rows["observation"], plain_moons(world, rows).reshape(3, 30, -1), rtol=0, atol=FLOAT32)


def test_incommensurate_periods() -> None:
    periods = (1.0, math.sqrt(2.0), math.pi / 2)
    world = ThreeMoons((periods,), PUBLISHED_TRAIN, length=60)
    rows = world.generate(0, "train", 0, 4)
    np.testing.assert_allclose(rows["observation"], plain_moons(world, rows).reshape(4, 60, 6), rtol=0, atol=FLOAT32)
    truth = ground_truth(periods)
    assert (truth.joint_period, truth.joint_context) == (math.inf, math.inf)
    assert truth.separate_context == math.ceil(math.pi / 2 / 0.0225) == 70


def test_ground_truth_by_hand() -> None:
    truth = ground_truth((1.0, 2.0, 3.0))
    assert truth.periods == pytest.approx((44.444, 88.889, 133.333), abs=1e-3)
    assert truth.joint_period == pytest.approx(266.667, abs=1e-3)
    assert (truth.separate_context, truth.joint_context) == (134, 267)
    exact = ground_truth((0.5, 0.75), time_step=0.25)
    assert exact.periods == (2.0, 3.0)
    assert (exact.joint_period, exact.separate_context, exact.joint_context) == (6.0, 3, 6)
    assert ground_truth((0.1, 0.2, 0.3), time_step=0.1).joint_period == 6.0
    assert ground_truth((2.0,), time_step=0.5).joint_context == 4


@pytest.mark.parametrize(
    ("periods", "step"), [((), 0.1), ((1.0, 0.0), 0.1), ((1.0,), 0.0), ((1.0, math.nan), 0.1), (1.0, 0.1)]
)
def test_ground_truth_refuses_what_has_no_period(periods: Any, step: float) -> None:
    with pytest.raises(InputError, match=r"^(periods|time_step): expected"):
        ground_truth(periods, step)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_periods": ()}, "train_periods: expected at least one tuple of periods"),
        ({"train_periods": ((),)}, "train_periods: expected tuples of at least one period .at least one moon"),
        ({"train_periods": ((1.0, -2.0, 3.0),)}, "train_periods: expected a finite number above 0; got -2.0"),
        ({"train_periods": ((1.0, "2", 3.0),)}, "train_periods: expected a finite number above 0; got '2'"),
        ({"train_periods": (1.0, 2.0)}, "train_periods: expected tuples of at least one period"),
        ({"held_out_periods": ((1.0, 2.0),)}, "held_out_periods: expected tuples of one length"),
        (
            {"train_periods": ((0.5, 1.0, 2.0), (1, 2, 3))},
            r"held_out_periods: expected tuples that train_periods does not have; got \(1.0, 2.0, 3.0\)",
        ),
        ({"length": 1}, "length: expected a whole number from 2 to"),
        ({"length": 800.0}, "length: expected a whole number"),
        ({"time_step": 0.0}, "time_step: expected a finite number above 0"),
        ({"time_step": 1e3}, "time_step: expected at most 1,000,000 turns"),
        ({"time_step": 1e308}, "time_step: expected at most 1,000,000 turns"),
        ({"phase_offset": math.inf}, "phase_offset: expected a finite number"),
        ({"start_range": 0}, "start_range: expected a whole number from 1"),
        ({"start": "both"}, "start: expected one of shared, separate; got 'both'"),
        ({"observer": "mon"}, "observer: expected one of planet, moon; got 'mon' .did you mean 'moon'"),
        ({"mixing": "ortogonal"}, "mixing: expected one of .* .did you mean 'orthogonal'"),
        ({"noise": -0.1}, "noise: expected a finite number from 0"),
        ({"missing_stretches": -1}, "missing_stretches: expected a whole number from 0"),
        ({"missing_length": 0}, "missing_length: expected a whole number of at least 1"),
        ({"missing_stretches": 1, "missing_length": 801}, "missing_length: expected at most the length, 800; got 801"),
        ({"eccentricities": (0.1,)}, "eccentricities: expected 3 numbers, one a moon, or none"),
        ({"eccentricities": 0.1}, "eccentricities: expected 3 numbers"),
        ({"eccentricities": (0.1, 1.0, 0.0)}, "eccentricities: expected a finite number from 0 to 0.99; got 1.0"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ThreeMoons(**options)


@pytest.mark.parametrize(
    ("split", "start", "count"), [("test", 0, 1), ("train", -1, 1), ("train", 0, -1), ("train", 0.5, 1)]
)
def test_wrong_rows_are_refused(split: str, start: Any, count: int) -> None:
    with pytest.raises(InputError):
        SMALL.generate(0, split, start, count)


@st.composite
def worlds(draw: st.DrawFn) -> ThreeMoons:
    """The whole config space, at sizes that a test can make."""
    n = draw(st.integers(1, 8))
    period = st.floats(0.01, 100.0)
    tuples = st.lists(st.tuples(*[period] * n), min_size=1, max_size=3).map(tuple)
    train = draw(tuples)
    length = draw(st.integers(2, 40))
    return ThreeMoons(
        train_periods=train,
        held_out_periods=draw(tuples.filter(lambda held_out: not set(held_out) & set(train))),
        length=length,
        time_step=draw(st.floats(1e-6, 1.0)),
        phase_offset=draw(st.floats(-100.0, 100.0)),
        start_range=draw(st.integers(1, 200)),
        start=draw(st.sampled_from(["shared", "separate"])),
        observer=draw(st.sampled_from(["planet", "moon"])),
        mixing=draw(st.sampled_from(["none", "orthogonal", "general"])),
        noise=draw(st.sampled_from([0.0, 1e-3, 10.0])),
        missing_stretches=draw(st.integers(0, 2)),
        missing_length=draw(st.integers(1, length)),
        eccentricities=draw(st.sampled_from([(), tuple(draw(st.floats(0.0, 0.99)) for _ in range(n))])),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(), st.integers(0, 2**64), st.integers(0, 10**6), st.data())
def test_every_config_makes_what_it_declares_and_any_row_alone(
    world: ThreeMoons, seed: int, start: int, data: st.DataObject
) -> None:
    split = data.draw(st.sampled_from(world.splits()))
    rows = world.generate(seed, split, start, 4)
    assert list(rows) == [column.name for column in world.columns()]
    seen = rows.get("mask", np.ones((4, world.length), dtype=bool))
    assert np.isfinite(rows["observation"][seen]).all()
    assert np.isnan(rows["observation"][~seen]).all()
    for column in world.columns():
        values = rows[column.name]
        assert (values.dtype, values.shape[1:]) == (np.dtype(column.dtype), column.shape)
        if column.low is not None:
            assert (values >= column.low).all()
        if column.high is not None:
            assert (values <= column.high).all()
    place = data.draw(st.integers(0, 3))
    alone = world.generate(seed, split, start + place, 1)
    for name, values in alone.items():
        assert values.tobytes() == rows[name][place : place + 1].tobytes()
    assert from_dict(ThreeMoons, config_of(world), "config") == world


def test_no_rows_at_all() -> None:
    world = replace(SMALL, noise=0.1, missing_stretches=1, missing_length=3)
    assert {name: values.shape[0] for name, values in world.generate(0, "train", 5, 0).items()} == {
        "observation": 0, "periods": 0, "start": 0, "phase": 0, "mask": 0,
    }  # fmt: skip
