"""DCI, SAP and the mutual information gap: hand-worked cases, perfect codes, noise, invariances, nulls."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.bootstrap import bootstrap_interval
from analysis.scores import SCORES, dci_completeness_score, mig_score, permutation_null, sap_score
from analysis.scores.codes import adjusted_r2, as_groups, class_targets, orthonormal, phase_targets, r2_matrix
from analysis.scores.dci import completeness, dci, disentanglement
from analysis.scores.information import (
    cells,
    entropy,
    expected_information,
    information_matrix,
    information_share,
    mutual_information,
)
from analysis.scores.null import p_value
from toyworlds.core.validate import InputError

NAMES = SCORES.names("codes")


def phases(seed, rows=600, moons=3):
    return phase_targets(np.random.default_rng(seed).random((rows, moons)))


def turned(codes, seed):
    """Each unit turned by its own rotation and scaled."""
    angles, scales = np.random.default_rng([seed, 1]).random((2, codes.shape[1])) * 6 + 0.1
    sin, cos = np.sin(angles), np.cos(angles)
    rotations = np.moveaxis(np.array([[cos, -sin], [sin, cos]]) * scales, -1, 0)
    return np.einsum("uij,nuj->nui", rotations, codes)


@pytest.mark.parametrize("name", NAMES)
def test_perfect_code(name):
    factors = phases(0)
    assert SCORES[name](turned(factors, 0)[:, [2, 0, 1]], factors) > (0.95 if "information_gap" in name else 0.99)


@pytest.mark.parametrize("name", NAMES)
def test_noise_is_at_chance(name):
    scores = [SCORES[name](np.random.default_rng([s, 9]).normal(size=(600, 3, 2)), phases(s)) for s in range(8)]
    interval = bootstrap_interval(scores)
    assert interval.high < 0.02
    assert interval.low >= 0.0


@pytest.mark.parametrize("name", [name for name in NAMES if name != "dci_informativeness"])
def test_entangled_code_scores_lower(name):
    factors = phases(0)
    blend = 0.5 * factors + 0.5 * np.roll(factors, 1, axis=1)
    assert SCORES[name](blend, factors) < 0.7
    copies = np.repeat(factors.mean(axis=1, keepdims=True), 3, axis=1)
    assert SCORES[name](copies, factors) < 0.1


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000))
def test_invariances(name, seed):
    rng = np.random.default_rng(seed)
    factors = phases(seed)
    codes = 0.6 * factors + 0.3 * np.roll(factors, 1, axis=1) + 0.3 * rng.normal(size=factors.shape)
    score = SCORES[name](codes, factors)
    assert 0.0 <= score <= 1.0
    order = rng.permutation(3)
    assert SCORES[name](codes[:, order], factors) == pytest.approx(score, abs=1e-6)
    assert SCORES[name](codes, factors[:, order]) == pytest.approx(score, abs=1e-6)
    assert SCORES[name](turned(codes, seed) + 5.0, factors) == pytest.approx(score, abs=1e-6)
    assert SCORES[name](codes, turned(factors, 0)) == pytest.approx(score, abs=1e-6)
    rows = rng.permutation(600)
    assert SCORES[name](codes[rows], factors[rows]) == pytest.approx(score, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_permutation_null(name):
    factors = phases(3, rows=512, moons=2)
    codes = factors + 0.5 * np.random.default_rng(0).normal(size=factors.shape)
    null = permutation_null(SCORES[name], codes, factors, n=19)
    assert null.p_value == 1 / 20
    assert null.scores.max() < 0.1
    assert null.observed == SCORES[name](codes, factors)


def test_null_keeps_blocks_together():
    rows = np.arange(12.0)[:, None]
    seen = []
    permutation_null(lambda codes, factors: seen.append(factors[0].ravel()) or 0.0, rows, rows, n=5, block=4)
    assert all((np.diff(row.reshape(3, 4), axis=1) == 1).all() for row in seen)
    assert len({tuple(row) for row in seen}) > 1
    with pytest.raises(InputError, match="block"):
        permutation_null(sap_score, rows, rows, block=5)


def test_p_value_by_hand():
    assert p_value(3.0, np.array([1.0, 2.0, 3.0, 4.0])) == 3 / 5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_no_p_value_of_a_score_without_a_rank(bad):
    with pytest.raises(InputError, match=r"^observed: expected a finite number; got"):
        p_value(bad, np.zeros(199))
    with pytest.raises(InputError, match=r"^null: expected finite numbers"):
        p_value(0.0, np.array([0.0, bad]))
    codes = factors = np.random.default_rng(0).normal(size=(40, 2))
    with pytest.raises(InputError, match=r"^observed"):
        permutation_null(lambda codes, factors: bad, codes, factors, n=3)


# --- the linear tools


def test_phase_and_class_targets():
    np.testing.assert_allclose(phase_targets([0.0, 0.25, 0.5]), [[0, 1], [1, 0], [0, -1]], atol=1e-15)
    assert class_targets([7, 3, 7]).tolist() == [[0, 1], [1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([math.nan, 1.0, 2.0], "^labels: expected labels that equal themselves, unlike NaN; got nan"),
        ([None, "a"], r"^labels: expected labels of one kind, in order, and no None; got \[None, 'a'\]"),
    ],
)
def test_labels_without_a_class(labels, message):
    with pytest.raises(InputError, match=message):
        class_targets(labels)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e200])
def test_factors_whose_squares_float64_cannot_hold(name, scale):
    x = np.random.default_rng(0).normal(size=(600, 2))
    with pytest.raises(InputError, match=r"^factors: expected groups with a largest size from 1e-140 to 1e\+140"):
        SCORES[name](x, x * scale)
    if name == "mutual_information_gap":
        with pytest.raises(InputError, match=r"^codes: expected groups with a largest size from 1e-140"):
            SCORES[name](x * scale, x)
    else:
        assert SCORES[name](x * scale, x) == pytest.approx(SCORES[name](x, x), abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [1e-138, 1e138])
def test_scores_near_the_ends_of_the_range(name, scale):
    x = np.random.default_rng(0).normal(size=(600, 2))
    assert SCORES[name](x * scale, x * scale) == pytest.approx(SCORES[name](x, x), abs=1e-6)


def test_orthonormal_drops_constant_and_repeated_columns():
    x = np.random.default_rng(0).normal(size=(50, 2))
    assert orthonormal(np.column_stack([x, x[:, 0] + 3.0, np.full(50, 7.0)])).shape == (50, 2)
    assert orthonormal(np.full((50, 3), 0.1)).shape == (50, 0)
    basis = orthonormal(x)
    np.testing.assert_allclose(basis.T @ basis / 50, np.eye(2), atol=1e-14)


def test_adjusted_r2_by_hand():
    # y = (0, 1, 2, 5) on x = (0, 1, 2, 3): slope 8/5, R^2 = (8/5 * 8) / 14 = 32/35, adjusted 1 - (3/35)(3/2)
    x, y = np.arange(4.0)[:, None], np.array([[0.0], [1.0], [2.0], [5.0]])
    assert adjusted_r2(orthonormal(x), y) == pytest.approx(1 - (3 / 35) * 1.5)


def test_r2_matrix_of_a_mixture():
    factors = phases(1, rows=4000)
    codes = np.sqrt([0.8, 0.2]) @ factors[:, :2].reshape(4000, 2, 2).swapaxes(0, 1).reshape(2, -1)
    matrix = r2_matrix([codes.reshape(4000, 2)], as_groups("factors", factors))
    np.testing.assert_allclose(matrix, [[0.8, 0.2, 0.0]], atol=0.03)


# --- DCI


def test_dci_of_an_importance_matrix_by_hand():
    importance = np.array([[3.0, 1.0], [0.0, 4.0]])
    h = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert disentanglement(importance) == pytest.approx(0.5 * (1 - h) + 0.5)
    column = -(0.2 * math.log2(0.2) + 0.8 * math.log2(0.8))
    assert completeness(importance) == pytest.approx((1.0 + (1 - column)) / 2)


def test_dci_of_unrelated_or_dead_units_is_zero():
    assert disentanglement(np.zeros((2, 3))) == 0.0
    assert completeness(np.zeros((2, 3))) == 0.0
    factors = phases(0)
    result = dci(np.zeros((600, 3, 2)), factors)
    assert (result.disentanglement, result.completeness, result.informativeness) == (0.0, 0.0, 0.0)


def test_group_lasso_by_hand():
    """Uncorrelated units: |B_u| = (|Q_u' Y / n| - 2 sqrt(rank / n)) / 1.05."""
    n = 4096
    table = np.array([[math.sin(2 * math.pi * k * i / n) for k in (1, 2, 3)] for i in range(n)]) * math.sqrt(2)
    target = 0.8 * table[:, :1] + 0.6 * table[:, 1:2]
    result = dci(table, np.stack([target[:, 0], table[:, 2]], axis=1))
    limit = 2 / math.sqrt(n)
    expected = np.array([[0.8 - limit, 0], [0.6 - limit, 0], [0, 1 - limit]]) / 1.05
    np.testing.assert_allclose(result.importance, expected, atol=1e-7)
    assert result.informativeness == pytest.approx(1.0)
    assert result.disentanglement == pytest.approx(1.0)


def test_copies_of_a_unit_share_its_importance():
    factors = phases(2)
    copies = np.concatenate([factors, factors[:, :1]], axis=1)
    result = dci(copies, factors)
    assert result.importance[0, 0] == pytest.approx(result.importance[3, 0], rel=1e-5)
    assert result.disentanglement > 0.99
    assert result.completeness == pytest.approx((2 + 1 - math.log(2) / math.log(4)) / 3, abs=0.02)


def test_redundant_units_lower_completeness_and_mixed_units_lower_disentanglement():
    factors = phases(4)
    one_unit = factors.reshape(600, 1, 6)
    result = dci(one_unit, factors)
    assert result.disentanglement < 0.01
    assert math.isnan(result.completeness)
    assert result.informativeness > 0.99
    halves = factors.reshape(600, 6, 1)
    assert dci(halves, factors).disentanglement > 0.99
    assert dci(halves, factors).completeness == pytest.approx(1 - math.log(2) / math.log(6), abs=0.02)


# --- SAP and MIG


def test_sap_by_hand():
    """Orthogonal sines: R2 = [[0.9, 0.1], [0.1, 0.9]], gap 0.8 up to the adjustment."""
    n = 2048
    f = np.array([[math.sin(2 * math.pi * k * i / n) for k in (1, 2)] for i in range(n)])
    codes = f @ np.sqrt([[0.9, 0.1], [0.1, 0.9]]) * [1, 1]
    codes[:, 1] = f @ [-math.sqrt(0.1), math.sqrt(0.9)]
    assert sap_score(codes, f) == pytest.approx(0.8 * (n - 1) / (n - 2), abs=1e-12)


def test_information_of_a_table_by_hand():
    table = np.array([[2, 0], [0, 2]])
    assert mutual_information(table) == pytest.approx(math.log(2))
    assert mutual_information(np.array([[1, 1], [1, 1]])) == pytest.approx(0.0, abs=1e-15)
    assert entropy(np.array([1, 3])) == pytest.approx(-(0.25 * math.log(0.25) + 0.75 * math.log(0.75)))
    # of the 6 tables with margins (2, 2) x (2, 2), 2 are diagonal (I = ln 2) and 4 even (I = 0)
    assert expected_information(np.array([2, 2]), np.array([2, 2])) == pytest.approx(math.log(2) / 3)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_expected_information_against_all_orders(seed):
    from itertools import permutations

    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 3, 6), rng.integers(0, 2, 6)

    def information(x, y):
        table = np.zeros((3, 2), dtype=int)
        np.add.at(table, (x, y), 1)
        return mutual_information(table)

    mean = np.mean([information(a, b[list(order)]) for order in permutations(range(6))])
    assert expected_information(np.bincount(a), np.bincount(b)) == pytest.approx(mean, abs=1e-12)


def test_cells():
    group = np.array([[0.0], [10.0], [0.1], [10.1], [5.0]])
    labels = cells(group, 3)
    assert labels[0] == labels[2]
    assert labels[1] == labels[3]
    assert len({labels[0], labels[1], labels[4]}) == 3
    assert len(set(cells(class_targets(["a", "b", "c", "a"]), 8).tolist())) == 3
    circle = phases(0, rows=2000, moons=1)[:, 0]
    sizes = np.bincount(cells(circle, 8))
    assert len(sizes) == 8
    assert sizes.min() > 120


def test_information_share_of_labels():
    labels = np.arange(600) % 4
    assert information_share(labels, labels) == pytest.approx(1.0)
    assert information_share(labels, labels // 2) == pytest.approx(1.0)
    assert information_share(labels % 2, labels // 2) == 0.0


def test_mig_of_classes_is_exactly_one_and_of_copies_zero():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, size=(600, 2))
    factors = [class_targets(column) for column in labels.T]
    codes = np.stack([labels[:, 1] ** 2.0, 3.0 - labels[:, 0]], axis=1)
    assert mig_score(codes, factors) == pytest.approx(1.0, abs=0.02)
    assert mig_score(np.concatenate([codes, codes], axis=1), factors) == 0.0


def test_mig_sees_what_linear_scores_do_not():
    factors = phases(5, rows=1000, moons=2)
    angle = np.arctan2(factors[..., 0], factors[..., 1])
    doubled = np.stack([np.sin(2 * angle), np.cos(2 * angle)], axis=-1)
    assert sap_score(doubled, factors) < 0.02
    matrix = information_matrix(doubled, factors)
    np.testing.assert_allclose(np.diag(matrix), 2 / 3, atol=0.05)  # 4 of 8 arcs told apart: 2 of 3 bits


# --- the door


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("codes", "factors", "message"),
    [
        (np.ones((600, 3, 2)), phases(0, 599), "factors: expected 600 rows"),
        (np.full((600, 3, 2), np.nan), phases(0), "codes: expected finite"),
        (np.ones((0, 3)), np.ones((0, 3)), "codes"),
        (np.ones(600), phases(0), "codes"),
        (np.ones((600, 1, 2, 2)), phases(0), "codes"),
        (phases(0), np.ones((600, 3)), "factor 0, which is constant"),
        ([np.ones((600, 1)), np.ones((5, 1))], phases(0), "codes: expected groups of equally many rows"),
        (np.full((600, 3), "x"), phases(0), "codes"),
        (phases(0, 3), phases(0, 3), "codes: expected at least"),
    ],
)
def test_bad_input(name, codes, factors, message):
    with pytest.raises(InputError, match=message):
        SCORES[name](codes, factors)


def test_too_few_units_or_factors():
    factors = phases(0)
    for score in (sap_score, mig_score, dci_completeness_score):
        with pytest.raises(InputError, match="codes: expected at least 2 units"):
            score(factors[:, :1], factors)
    with pytest.raises(InputError, match="factors: expected at least 2 factors"):
        dci(factors, factors[:, :1])
    with pytest.raises(InputError, match="labels"):
        class_targets([])


def test_import_is_light():
    code = "import sys, analysis.scores, analysis.fits; print({'torch', 'pandas', 'scipy'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_every_score_is_documented():
    for name in SCORES:
        text = SCORES[name].__doc__
        assert all(word in text for word in ("Range", "Chance level", "null", "Reference")), name
        assert SCORES[name].__name__.endswith("_score")
