"""Learning-curve laws: known laws are recovered, the AICc picks them, too few points are refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from analysis.fits import PARAMETERS, Fit, fit_interval, fit_law, refusal, select_law
from analysis.learning_curve import LearningCurve
from toyworlds.core.validate import InputError

SIZES = np.repeat([1000.0, 2500.0, 5000.0, 10000.0, 20000.0, 40000.0], 3)
LAWS = {
    "power": lambda s: 0.95 - 3.0 * s**-0.4,
    "logarithmic": lambda s: 0.1 + 0.08 * np.log(s),
    "exponential": lambda s: 0.9 - 0.5 * np.exp(-s / 7000.0),
}


def noisy(law, scale=0.005, seed=0):
    return LearningCurve(SIZES, LAWS[law](SIZES) + scale * np.random.default_rng(seed).normal(size=len(SIZES)))


@pytest.mark.parametrize("law", LAWS)
def test_known_laws_are_recovered(law):
    fit = fit_law(LearningCurve(SIZES, LAWS[law](SIZES)), law)
    np.testing.assert_allclose(fit.predict([700, 1e5]), LAWS[law](np.array([700, 1e5])), rtol=1e-7)
    assert not fit.at_bound
    expected = {"power": (0.95, -3.0, 0.4), "logarithmic": (0.1, 0.08, None), "exponential": (0.9, -0.5, 7000.0)}[law]
    assert (fit.offset, fit.slope) == pytest.approx(expected[:2], rel=1e-6)
    assert fit.rate == (None if expected[2] is None else pytest.approx(expected[2], rel=1e-6))


@pytest.mark.parametrize("law", LAWS)
def test_least_squares_against_scipy(law):
    forms = {
        "power": (lambda s, c, a, r: c + a * s**-r, (0.9, -3, 0.4)),
        "logarithmic": (lambda s, c, a: c + a * np.log(s), (0, 0.1)),
        "exponential": (lambda s, c, a, r: c + a * np.exp(-s / r), (0.9, -0.5, 6000)),
    }
    full = noisy(law, 0.01)
    curve = LearningCurve(full.sizes[:-2], full.values[:-2])  # sizes of 3 runs and one of 1: every run counts alike
    form, start = forms[law]
    best, _ = curve_fit(form, curve.sizes, curve.values, p0=start, xtol=1e-14, ftol=1e-14)
    fit = fit_law(curve, law)
    reference = np.square(form(curve.sizes, *best) - curve.values).sum()
    assert fit.squared_error == pytest.approx(reference, rel=1e-9)
    np.testing.assert_allclose(fit.predict(curve.levels), form(curve.levels, *best), rtol=1e-5)


def test_aicc_by_hand():
    """Log law on ln s = 0, 1, 2 and values 0, 1, 1 | 0, 1, 1 | 0, 1, 1: line 1/6 + s/2, residuals -1/6, 1/3, -1/6."""
    curve = LearningCurve(np.tile(np.exp([0.0, 1.0, 2.0]), 3), np.tile([0.0, 1.0, 1.0], 3))
    fit = fit_law(curve, "logarithmic")
    assert (fit.offset, fit.slope) == pytest.approx((1 / 6, 1 / 2))
    assert fit.squared_error == pytest.approx(3 * (1 / 36 + 1 / 9 + 1 / 36))
    assert fit.aicc == pytest.approx(9 * math.log(0.5 / 9) + 6 + 2 * 3 * 4 / 5)


@pytest.mark.parametrize("law", LAWS)
def test_selection_finds_the_law(law):
    selection = select_law(noisy(law))
    assert selection.best.law == law
    assert [fit.aicc for fit in selection.fits] == sorted(fit.aicc for fit in selection.fits)
    assert selection.refused == {}


def test_selection_prefers_fewer_parameters_for_a_flat_curve():
    selection = select_law(LearningCurve(SIZES, np.full(len(SIZES), 0.5)))
    assert selection.best.law == "logarithmic"
    assert selection.best.predict([10.0]) == pytest.approx(0.5)
    assert not math.isfinite(selection.best.inverse(0.7))


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(list(LAWS)), st.floats(0.5, 20), st.floats(-3, 3), st.integers(0, 100))
def test_fits_follow_the_units(law, scale, shift, seed):
    curve = noisy(law, 0.01, seed)
    plain = fit_law(curve, law)
    moved = fit_law(LearningCurve(curve.sizes, scale * curve.values + shift), law)
    np.testing.assert_allclose(moved.predict(curve.levels), scale * plain.predict(curve.levels) + shift, rtol=1e-4)
    order = np.random.default_rng(seed).permutation(len(SIZES))
    shuffled = fit_law(LearningCurve(curve.sizes[order], curve.values[order]), law)
    np.testing.assert_allclose(shuffled.predict(curve.levels), plain.predict(curve.levels), rtol=1e-7)


@pytest.mark.parametrize("law", LAWS)
def test_inverse_undoes_predict(law):
    fit = fit_law(noisy(law), law)
    for size in (1500.0, 9000.0, 60000.0):
        assert fit.inverse(float(fit.predict([size])[0])) == pytest.approx(size, rel=1e-9)


def test_inverse_of_what_is_never_reached():
    assert math.isnan(Fit("power", 0.9, -3.0, 0.4, 0.0, 0.0, False).inverse(0.95))
    assert math.isnan(Fit("exponential", 0.9, -0.5, 7000.0, 0.0, 0.0, False).inverse(0.3))
    assert Fit("logarithmic", 0.0, 1e-3, None, 0.0, 0.0, False).inverse(1.0) == math.inf


def test_interval_covers_the_law_and_narrows_with_less_noise():
    wide, narrow = (fit_interval(noisy("power", scale), "power", n=300) for scale in (0.01, 0.002))
    truth = LAWS["power"](narrow.sizes)
    assert (narrow.band.low <= truth + 0.003).all()
    assert (narrow.band.high >= truth - 0.003).all()
    assert (narrow.band.high - narrow.band.low).mean() < 0.4 * (wide.band.high - wide.band.low).mean()
    assert narrow.parameters["rate"].low < 0.45
    assert narrow.parameters["rate"].high > 0.35
    assert set(fit_interval(noisy("logarithmic"), "logarithmic", n=50).parameters) == {"offset", "slope"}


def test_interval_of_noiseless_runs_is_a_point():
    result = fit_interval(LearningCurve(SIZES, LAWS["exponential"](SIZES)), "exponential", [500.0, 1e5], n=20)
    np.testing.assert_allclose(result.band.low, result.band.high, rtol=1e-7)
    np.testing.assert_allclose(result.band.estimate, LAWS["exponential"](np.array([500.0, 1e5])), rtol=1e-7)


def test_too_few_points_are_refused():
    three = LearningCurve(np.repeat([1.0, 2.0, 3.0], 3), np.arange(9.0))
    assert "needs at least 4 sizes" in refusal(three, "power")
    with pytest.raises(InputError, match="curve: expected points that allow the power law"):
        fit_law(three, "power")
    selection = select_law(three)
    assert set(selection.refused) == {"power", "exponential"}
    assert selection.best.law == "logarithmic"
    with pytest.raises(InputError, match="curve: expected points that allow a law"):
        select_law(LearningCurve([1, 2, 1, 2, 1, 2], np.arange(6.0)))
    with pytest.raises(InputError, match="6 runs"):
        fit_law(LearningCurve([1, 2, 3, 4, 5], np.arange(5.0)), "exponential")
    assert fit_law(LearningCurve([1, 2, 3, 4, 5, 6], [0, 3, 4, 4.5, 4.6, 4.7]), "exponential").law == "exponential"


@pytest.mark.parametrize(
    ("law", "sizes", "values", "reason"),
    [
        ("power", SIZES * 1e32, SIZES, "a smallest size from 1e-30 to 1e[+]30; it is 1e[+]35"),
        ("power", SIZES * 1e-36, SIZES, "a smallest size from 1e-30 to 1e[+]30; it is 1e-33"),
        ("exponential", SIZES * 1e302, SIZES, "a smallest size from 1e-300"),
        ("exponential", SIZES * np.where(SIZES > 1e4, 1e299, 1.0), SIZES, "a largest size"),
        ("logarithmic", SIZES, SIZES * 1e160, "a largest value from 1e-140 to 1e[+]140; it is 4e[+]164"),
        ("logarithmic", SIZES, SIZES * 1e-200, "a largest value"),
        ("power", 1e15 + np.arange(18) // 3, SIZES, "sizes that differ by 1e-12 of the largest"),
    ],
)
def test_numbers_that_float64_cannot_hold_are_refused(law, sizes, values, reason):
    with pytest.raises(InputError, match=rf"^curve: expected points that allow the {law} law; got 'needs {reason}"):
        fit_law(LearningCurve(sizes, values), law)


def test_a_refused_law_leaves_the_others():
    selection = select_law(LearningCurve(SIZES * 1e32, LAWS["exponential"](SIZES)))
    assert (selection.best.law, list(selection.refused)) == ("exponential", ["power"])
    assert all(math.isfinite(fit.aicc) for fit in selection.fits)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("sizes", "values"), [(1e26, 1.0), (1e-33, 1.0), (1.0, 1e135), (1.0, 1e-139)])
def test_fits_near_the_ends_of_the_range(law, sizes, values):
    far, near = (fit_law(LearningCurve(SIZES * a, LAWS[law](SIZES) * b), law) for a, b in ((sizes, values), (1, 1)))
    np.testing.assert_allclose(far.predict(SIZES * sizes) / values, near.predict(SIZES), rtol=1e-6)


def test_bound_is_reported():
    fit = fit_law(LearningCurve(SIZES, 0.1 + 0.08 * np.log(SIZES)), "power")
    assert fit.at_bound
    assert set(PARAMETERS) == set(LAWS)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_law(noisy("power"), "powr"), "did you mean 'power'"),
        (lambda: select_law(noisy("power"), []), "laws"),
        (lambda: fit_interval(LearningCurve(np.arange(1, 9), np.arange(8.0)), "power"), "at least 2 runs"),
        (lambda: fit_interval(noisy("power"), "power", [0.0]), "sizes: expected numbers above 0"),
        (lambda: fit_interval(noisy("power"), "power", level=2), "level"),
        (lambda: fit_law(noisy("power"), "power").predict([math.nan]), "finite"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
