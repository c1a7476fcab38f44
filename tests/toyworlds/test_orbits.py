from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from toyworlds import orbits
from toyworlds.core.seeds import Stream

ECCENTRICITIES = [0.01, 0.3, 0.7, 0.9, 0.99]


def test_mean_anomaly_by_hand() -> None:
    steps = np.array([0, 1, 4, 5, -1])
    np.testing.assert_array_equal(orbits.mean_anomaly(steps, 2.0, 0.5, 0.0), [0.0, 0.25, 0.0, 0.25, 0.75])
    offset = orbits.mean_anomaly(steps[:1], 1.0, 0.1, 2 * math.pi * 0.375)
    np.testing.assert_allclose(offset, [0.375], rtol=0, atol=1e-15)


def test_a_circle_is_sine_and_cosine_of_the_mean_anomaly() -> None:
    turns = np.linspace(0.0, 1.0, 1001)
    circle = np.stack([np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)], axis=-1)
    np.testing.assert_allclose(orbits.position(turns), circle, rtol=0, atol=2e-15)
    np.testing.assert_allclose(orbits.position(turns, 1e-300), circle, rtol=0, atol=2e-15)


@pytest.mark.parametrize("e", ECCENTRICITIES)
def test_keplers_equation_holds_to_1e_14_turns(e: float) -> None:
    turns = np.concatenate([np.linspace(0.0, 1.0, 4001), np.logspace(-16, -1, 400), 1.0 - np.logspace(-16, -1, 400)])
    anomaly = orbits.eccentric_anomaly(turns, e)
    residual = anomaly - e * np.sin(2 * np.pi * anomaly) / (2 * np.pi) - turns
    assert np.abs(residual).max() <= 1e-14
    for i in range(0, 4001, 250):
        root = optimize.brentq(
            lambda x, m: x - e * math.sin(x) - m, -1.0, 8.0, args=(2 * math.pi * turns[i],), xtol=1e-15
        )
        assert abs(2 * math.pi * anomaly[i] - root) < 1e-12 / (1.0 - e)


@pytest.mark.parametrize("e", ECCENTRICITIES)
def test_the_orbit_is_an_ellipse_with_the_planet_in_its_focus(e: float) -> None:
    x, y = orbits.position(np.linspace(0.0, 1.0, 2000), e).T
    np.testing.assert_allclose(((y + e) ** 2 + x**2 / (1 - e**2)), 1.0, rtol=0, atol=1e-13)
    np.testing.assert_allclose(np.hypot(x, y) + np.hypot(x, y + 2 * e), 2.0, rtol=0, atol=1e-13)
    np.testing.assert_allclose(orbits.position(np.array([0.0, 0.5]), e), [[0, 1 - e], [0, -1 - e]], rtol=0, atol=1e-15)


@pytest.mark.parametrize("e", [0.1, 0.5, 0.8])
def test_equal_areas_are_swept_in_equal_times(e: float) -> None:
    """Area of each of 10 equal stretches of time = a tenth of the ellipse's area pi sqrt(1 - e^2)."""
    x, y = orbits.position(np.linspace(0.0, 1.0, 100_001), e).T
    triangles = 0.5 * (x[1:] * y[:-1] - x[:-1] * y[1:])
    areas = triangles.reshape(10, -1).sum(axis=1)
    np.testing.assert_allclose(areas, math.pi * math.sqrt(1 - e * e) / 10, rtol=1e-6)


def test_the_observer_on_the_last_moon_by_hand() -> None:
    positions = np.array([[1.0, 2.0], [5.0, 7.0], [3.0, 4.0]])
    seen = orbits.observe_from_last_moon(positions)
    assert seen.tolist() == [[-2.0, -2.0], [2.0, 3.0], [-3.0, -4.0]]
    matrix = orbits.observer_matrix(3)
    assert (matrix @ positions.reshape(-1)).tolist() == seen.reshape(-1).tolist()
    assert orbits.observer_matrix(1).tolist() == [[-1.0, 0.0], [0.0, -1.0]]


@pytest.mark.parametrize("size", [1, 2, 6, 16])
def test_orthogonal_matrices_are_orthogonal_to_1e_14(size: int) -> None:
    for seed in range(20):
        matrix = orbits.orthogonal_matrix(Stream(seed, "test"), size)
        assert np.abs(matrix @ matrix.T - np.eye(size)).max() < 1e-14


def test_orthogonal_matrices_have_the_moments_of_haar_measure() -> None:
    """E q_ij = 0, E q_ij^2 = 1/d, E q_ij^4 = 3/(d (d + 2)), E q_11 q_22 q_12 q_21 = -1/((d - 1) d (d + 2))."""
    d, draws = 3, 3000
    q = np.stack([orbits.orthogonal_matrix(Stream(seed, "haar"), d) for seed in range(draws)])
    error = 4.5 / math.sqrt(draws)
    assert np.abs(q.mean(axis=0)).max() < error * math.sqrt(1 / d)
    assert np.abs((q**2).mean(axis=0) - 1 / d).max() < error * math.sqrt(4 / 45)
    assert np.abs((q**4).mean(axis=0) - 3 / (d * (d + 2))).max() < error * math.sqrt(1 / 9 - 1 / 25)
    cross = q[:, 0, 0] * q[:, 1, 1] * q[:, 0, 1] * q[:, 1, 0]
    assert abs(cross.mean() + 1 / ((d - 1) * d * (d + 2))) < 4.5 * cross.std() / math.sqrt(draws)
    assert abs(np.mean(np.linalg.det(q) > 0) - 0.5) < error * 0.5
    assert stats.kstest(q[:, 2, 0], "uniform", args=(-1.0, 2.0)).pvalue > 1e-4


@pytest.mark.parametrize("size", [2, 6, 16])
def test_general_matrices_have_singular_values_from_a_half_to_two(size: int) -> None:
    values = np.array([np.linalg.svd(orbits.general_matrix(Stream(seed, "g"), size))[1] for seed in range(50)])
    assert 0.5 - 1e-13 < values.min() < 0.7
    assert 1.8 < values.max() < 2.0 + 1e-13
    assert (values[:, 0] / values[:, -1]).max() < 4.0
    assert stats.kstest(values.ravel(), "uniform", args=(0.5, 1.5)).pvalue > 1e-4
