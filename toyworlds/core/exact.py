"""Sine, cosine and logarithm whose last bit does not depend on the processor.

IEEE 754 rounds +, -, *, / and the square root correctly, so an array program made of these alone gives
the same bits everywhere; the mathematical library's sin, cos and log do not. The polynomials below use
nothing else, one NumPy operation after the other (never a fused multiply-add), in float64.

    sin_cos(turns)   |error| <= 2.5e-16, argument in turns (1 turn = 2 pi), reduced exactly
    log(x)           |error| <= 4e-16 (1 + |log x|), x > 0
    matvec(M, x)     sum_j M[i, j] x[..., j], added in the order of j
"""

from __future__ import annotations

import math

import numpy as np

TWO_PI = 6.283185307179586
LN2 = 0.6931471805599453
SQRT_HALF = 0.7071067811865476
SIN_COS_ERROR = 2.5e-16
LOG_ERROR = 4e-16
SIN_TERMS = [(-1.0) ** k / math.factorial(2 * k + 1) for k in range(9)]
COS_TERMS = [(-1.0) ** k / math.factorial(2 * k) for k in range(10)]
LOG_TERMS = [1.0 / (2 * k + 1) for k in range(12)]


def _horner(terms: list[float], x: np.ndarray) -> np.ndarray:
    total = np.full_like(x, terms[-1])
    for term in reversed(terms[:-1]):
        total = total * x + term
    return total


def sin_cos(turns: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """(sin(2 pi turns), cos(2 pi turns)), float64, the shape of `turns`.

    The argument is reduced to an eighth of a turn around a multiple of a quarter, without rounding error.
    """
    turns = np.asarray(turns, dtype=np.float64)
    quarters = np.floor(4.0 * turns + 0.5)
    angle = (turns - 0.25 * quarters) * TWO_PI
    square = angle * angle
    sine, cosine = angle * _horner(SIN_TERMS, square), _horner(COS_TERMS, square)
    quadrant = (quarters % 4.0).astype(np.int64)
    swap = quadrant % 2 == 1
    sine, cosine = np.where(swap, cosine, sine), np.where(swap, sine, cosine)
    return np.where(quadrant >= 2, -sine, sine), np.where((quadrant == 1) | (quadrant == 2), -cosine, cosine)


def log(x: np.ndarray | float) -> np.ndarray:
    """Natural logarithm, float64: x = m 2^e with m in [sqrt 1/2, sqrt 2), ln m = 2 artanh((m - 1) / (m + 1))."""
    mantissa, exponent = np.frexp(np.asarray(x, dtype=np.float64))
    small = mantissa < SQRT_HALF
    mantissa, exponent = np.where(small, 2.0 * mantissa, mantissa), exponent - small
    ratio = (mantissa - 1.0) / (mantissa + 1.0)
    return 2.0 * ratio * _horner(LOG_TERMS, ratio * ratio) + exponent * LN2


def matvec(matrix: np.ndarray, x: np.ndarray) -> np.ndarray:
    """sum_j matrix[i, j] x[..., j], shape (..., i), added in the order of j (a BLAS product is not so ordered)."""
    total = x[..., :1] * matrix[:, 0]
    for j in range(1, matrix.shape[1]):
        total = total + x[..., j : j + 1] * matrix[:, j]
    return total
