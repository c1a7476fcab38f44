from __future__ import annotations

import math

import numpy as np
import pytest

from toyworlds.astronomers import predict
from toyworlds.core.validate import InputError
from toyworlds.three_moons import ThreeMoons


def on_a_circle(*periods: float, length: int) -> np.ndarray:
    """(1, length, 2 n): moons that take `periods` steps for a turn."""
    angle = 2 * np.pi * np.arange(length)[:, None] / np.array(periods)
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(1, length, -1)


def test_one_moon_of_four_steps_by_hand() -> None:
    """At step 4 the moon is where it was at step 0; what followed is the position of step 1."""
    x = on_a_circle(4, length=9)
    for table in ("joint", "separate"):
        predictions, answered = predict(x, table)  # type: ignore[arg-type]
        assert answered[0, :, 0].tolist() == [False] * 4 + [True] * 4
        np.testing.assert_allclose(predictions[0, 4:], x[0, 5:], rtol=0, atol=1e-15)
        assert (predictions[0, :4] == 0.0).all()


def test_two_moons_of_two_and_three_steps_by_hand() -> None:
    """Alone they answer from steps 2 and 3 on; together only from step 6 on."""
    x = on_a_circle(2, 3, length=12)
    predictions, answered = predict(x, "separate")
    assert answered[0].T.astype(int).tolist() == [[0, 0] + [1] * 9, [0, 0, 0] + [1] * 8]
    np.testing.assert_allclose(predictions[0, 3:], x[0, 4:], rtol=0, atol=1e-14)
    predictions, answered = predict(x, "joint")
    assert answered[0].T.astype(int).tolist() == [[0] * 6 + [1] * 5] * 2
    np.testing.assert_allclose(predictions[0, 6:], x[0, 7:], rtol=0, atol=1e-14)


def test_the_nearest_entry_answers_not_the_first() -> None:
    """Period 4.4: at step 22 it is exactly where it was at step 0, and only about there at steps 4, 9, 13, 18."""
    x = on_a_circle(4.4, length=24)
    predictions, answered = predict(x, "separate")
    assert answered[0, :, 0].tolist() == [False] * 4 + [True] * 19
    np.testing.assert_allclose(predictions[0, 22], x[0, 1], rtol=0, atol=1e-14)
    np.testing.assert_allclose(predictions[0, 4], x[0, 1], rtol=0, atol=1e-14)
    np.testing.assert_allclose(predictions[0, 9], x[0, 1], rtol=0, atol=1e-14)


@pytest.mark.parametrize(("tolerance", "first"), [(0.05, 22), (0.25, 9), (0.45, 4), (0.51, 4)])
def test_the_tolerance_is_in_steps(tolerance: float, first: int) -> None:
    """Lags 4, 9, 22 miss a multiple of 4.4 by 0.4, 0.2 and 0 steps."""
    answered = predict(on_a_circle(4.4, length=40), "separate", tolerance)[1][0, :, 0]
    assert answered.argmax() == first


def test_last_nights_are_not_taken_for_a_return() -> None:
    """However slowly a moon moves, the night before is a whole step away."""
    x = on_a_circle(1e6, 40.0, length=200)
    answered = predict(x, "separate")[1][0]
    assert not answered[:, 0].any()
    assert answered[:, 1].argmax() == 40


def test_the_tables_work_for_return_periods_half_way_between_steps() -> None:
    answered = predict(on_a_circle(22.5, length=60), "separate")[1][0, :, 0]
    assert answered.argmax() == 22


@pytest.mark.parametrize("table", ["joint", "separate"])
def test_predictions_are_strictly_causal(table: str) -> None:
    x = ThreeMoons(length=120).generate(0, "train", 0, 2)["observation"].astype(float)
    whole, answered = predict(x, table)  # type: ignore[arg-type]
    changed = x.copy()
    changed[:, 80:] = np.random.Generator(np.random.PCG64(0)).normal(size=changed[:, 80:].shape)
    part, part_answered = predict(changed, table)  # type: ignore[arg-type]
    np.testing.assert_array_equal(part[:, :80], whole[:, :80])
    np.testing.assert_array_equal(part_answered[:, :80], answered[:, :80])
    assert np.abs(part[:, 80:] - whole[:, 80:]).max() > 0.1


def test_the_curves_drop_at_the_slowest_and_at_the_joint_period() -> None:
    """Held-out moons return after 44.4, 88.9 and 133.3 steps, all together after 266.7."""
    x = ThreeMoons(length=330).generate(0, "validation", 0, 8)["observation"].astype(float)
    error = {}
    for table in ("joint", "separate"):
        predictions, answered = predict(x, table)  # type: ignore[arg-type]
        error[table] = np.abs(predictions - x[:, 1:]).mean(axis=(0, 2))
        first = answered[0].argmax(axis=0)
        assert first.tolist() == ([267, 267, 267] if table == "joint" else [44, 89, 133])
        assert (answered.all(axis=(0, 2))[first.max() :]).all()
    assert error["separate"][133:].max() < 0.012
    assert error["separate"][89:133].min() > 0.15
    assert error["joint"][267:].max() < 0.025
    assert error["joint"][:267].min() > 0.5


def test_without_an_answer_the_error_is_that_of_zero() -> None:
    x = on_a_circle(1000.0, length=50)
    predictions, answered = predict(x, "joint")
    assert not answered.any()
    assert not predictions.any()


def test_a_moon_that_stands_still_is_known_at_once() -> None:
    x = np.ones((1, 5, 2))
    predictions, answered = predict(x, "separate")
    assert answered[0, :, 0].tolist() == [False, True, True, True]
    assert (predictions[0, 1:] == 1.0).all()


@pytest.mark.parametrize(
    ("positions", "table", "tolerance", "message"),
    [
        (np.zeros((5, 2)), "joint", 0.5, "positions: expected an array"),
        (np.zeros((1, 1, 2)), "joint", 0.5, "positions: expected an array"),
        (np.zeros((1, 5, 3)), "joint", 0.5, "positions: expected an array"),
        (np.full((1, 5, 2), np.nan), "joint", 0.5, "positions: expected finite numbers"),
        (np.zeros((1, 5, 2)), "seperate", 0.5, "table: expected one of joint, separate; .* 'separate'"),
        (np.zeros((1, 5, 2)), "joint", 0.0, "tolerance: expected a finite number above 0"),
        (np.zeros((1, 5, 2)), "joint", math.nan, "tolerance: expected a finite number above 0"),
    ],
)
def test_wrong_arguments_are_refused(positions: np.ndarray, table: str, tolerance: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        predict(positions, table, tolerance)  # type: ignore[arg-type]
