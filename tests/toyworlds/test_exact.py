from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest

from toyworlds.core import exact

PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459")


def decimal_sin_cos(turns: float) -> tuple[Decimal, Decimal]:
    """Taylor series with 50 digits; a float is an exact decimal, so is its remainder modulo one turn."""
    with localcontext() as context:
        context.prec = 50
        fraction = Fraction(turns) % 1
        angle = 2 * PI * Decimal(fraction.numerator) / Decimal(fraction.denominator)
        sine = cosine = Decimal(0)
        term = Decimal(1)
        for k in range(80):
            if k % 2 == 0:
                cosine += term if k % 4 == 0 else -term
            else:
                sine += term if k % 4 == 1 else -term
            term = term * angle / (k + 1)
        return sine, cosine


def turns_to_try() -> np.ndarray:
    rng = np.random.Generator(np.random.PCG64(0))
    near = np.array([0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0])
    edges = np.concatenate([near, np.nextafter(near, 2.0), np.nextafter(near, -1.0), -near])
    return np.concatenate([edges, rng.random(800), rng.uniform(-1e6, 1e6, 400), 2.0 ** -np.arange(1, 60)])


def test_sine_and_cosine_err_less_than_they_claim() -> None:
    turns = turns_to_try()
    sine, cosine = exact.sin_cos(turns)
    for i, turn in enumerate(turns.tolist()):
        true_sine, true_cosine = decimal_sin_cos(turn)
        assert abs(Decimal(float(sine[i])) - true_sine) <= Decimal(exact.SIN_COS_ERROR), turn
        assert abs(Decimal(float(cosine[i])) - true_cosine) <= Decimal(exact.SIN_COS_ERROR), turn


def test_quarters_of_a_turn_are_exact() -> None:
    sine, cosine = exact.sin_cos(np.array([0.0, 0.25, 0.5, 0.75, 1.0, -0.25, 1e9 + 0.5]))
    np.testing.assert_array_equal(sine, [0.0, 1.0, 0.0, -1.0, 0.0, -1.0, 0.0])
    np.testing.assert_array_equal(cosine, [1.0, 0.0, -1.0, 0.0, 1.0, 0.0, -1.0])


def test_logarithm_errs_less_than_it_claims() -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    edges = [exact.SQRT_HALF, math.sqrt(2.0), 1.0, 0.5, 2.0, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308]
    x = np.concatenate(
        [
            edges,
            np.nextafter(edges[:5], 9.0),
            np.nextafter(edges[:5], 0.0),
            rng.random(600),
            2.0 ** rng.uniform(-1e3, 1e3, 400),
        ]
    )
    value = exact.log(x)
    with localcontext() as context:
        context.prec = 50
        for number, got in zip(x.tolist(), value.tolist(), strict=True):
            truth = Decimal(number).ln()
            assert abs(Decimal(got) - truth) <= Decimal(exact.LOG_ERROR) * (1 + abs(truth)), number


def test_logarithm_of_one_is_zero_and_of_powers_of_two_are_multiples_of_ln_2() -> None:
    assert exact.log(1.0) == 0.0
    np.testing.assert_array_equal(exact.log(np.array([2.0, 4.0, 0.5])), np.array([1.0, 2.0, -1.0]) * math.log(2.0))


def test_shapes_are_kept() -> None:
    for shape in [(), (3,), (2, 3), (0,)]:
        sine, cosine = exact.sin_cos(np.zeros(shape))
        assert sine.shape == cosine.shape == exact.log(np.ones(shape)).shape == shape


def test_matvec_adds_in_the_order_of_the_columns() -> None:
    """(1e16 + 1) - 1e16 loses the 1; the other order would keep it."""
    assert exact.matvec(np.array([[1.0, 1.0, -1.0]]), np.array([1e16, 1.0, 1e16])).tolist() == [0.0]


@pytest.mark.parametrize("shape", [(4,), (2, 4), (3, 2, 4)])
def test_matvec_is_the_matrix_product(shape: tuple[int, ...]) -> None:
    rng = np.random.Generator(np.random.PCG64(2))
    matrix, x = rng.normal(size=(5, 4)), rng.normal(size=shape)
    np.testing.assert_allclose(exact.matvec(matrix, x), x @ matrix.T, rtol=0, atol=1e-14)
