"""Retrieval: hand-worked answers, the definition, causality, the checks at the door."""

import math

import pytest
import torch

from mosaics.memory import choose, native, recall, retrieval_weights, retrieve
from mosaics.memory.api import VARIABLE
from toyworlds.core.validate import InputError

WAYS = ("reference", "fused", "native")
SCORES = ("gaussian", "dot")


@pytest.fixture(params=WAYS)
def way(request):
    """Return each implementation in turn; native needs a C compiler."""
    problem = native.build(True, 2, 2) if request.param == "native" else None
    if isinstance(problem, str):
        pytest.skip(problem)
    return request.param


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def weights_by_definition(key, query, beta, score):
    """Nested loops over the equations for keys (T, d)."""
    table = torch.zeros(len(key), len(key), dtype=torch.float64)
    for late in range(1, len(key)):
        for early in range(late):
            difference = query[late] - key[early]
            exponent = -beta * difference.dot(difference) if score == "gaussian" else beta * query[late].dot(key[early])
            table[late, early] = exponent.exp()
        table[late] /= table[late].sum()
    return table


def test_two_pairs_by_hand(way):
    # the third key lies on the first and at distance 1 of the second: weights 1 and 1/e over 1 + 1/e
    key = torch.tensor([[0.0, 0.0], [0.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    value = torch.tensor([[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]], dtype=torch.float64)
    out = retrieve(key, value, beta=1.0, implementation=way)
    far = math.exp(-1)
    assert out[0].tolist() == [0.0, 0.0]
    assert out[1].tolist() == [1.0, 0.0]
    assert out[2].tolist() == pytest.approx([1 / (1 + far), far / (1 + far)], rel=1e-14)


def test_dot_by_hand(way):
    # q_2 = (ln 3, 0) on keys (1, 0) and (0, 1): e^(ln 3) = 3 against e^0 = 1
    key = torch.tensor([[1.0, 0.0], [0.0, 1.0], [math.log(3), 0.0]], dtype=torch.float64)
    value = torch.tensor([[4.0, 0.0], [8.0, 4.0], [0.0, 0.0]], dtype=torch.float64)
    out = retrieve(key, value, beta=1.0, score="dot", implementation=way)
    assert out[2].tolist() == pytest.approx([5.0, 1.0], rel=1e-14)
    assert retrieve(key, value, beta=0.0, score="dot", implementation=way)[2].tolist() == [6.0, 2.0]


@pytest.mark.parametrize("score", SCORES)
def test_reference_is_the_definition(score):
    key, query, value = random(9, 2), random(9, 2, seed=1), random(9, 3, seed=2)
    weights = weights_by_definition(key, query, 0.7, score)
    torch.testing.assert_close(retrieval_weights(key, query=query, beta=0.7, score=score), weights)
    out = retrieve(key, value, query=query, beta=0.7, score=score, implementation="reference")
    torch.testing.assert_close(out, weights @ value)


def test_weights_rows_sum_to_one_but_the_first():
    weights = retrieval_weights(random(2, 3, 6, 2), beta=torch.rand(3, dtype=torch.float64))
    torch.testing.assert_close(weights.sum(-1), torch.tensor([0.0, 1, 1, 1, 1, 1]).double().expand(2, 3, 6))
    assert torch.equal(weights, weights.tril(-1))
    assert torch.equal(retrieval_weights(random(1, 2), beta=1.0), torch.zeros(1, 1, dtype=torch.float64))


@pytest.mark.parametrize("score", SCORES)
def test_recall_is_one_step_of_retrieve(way, score):
    key, query, value, beta = random(2, 7, 2), random(2, 7, 2, seed=1), random(2, 7, 2, seed=2), torch.tensor([0.5, 2])
    out = retrieve(key, value, query=query, beta=beta, score=score, implementation=way)
    for step in range(7):
        asked, stored, values = query[:, step : step + 1], key[:, :step], value[:, :step]
        torch.testing.assert_close(
            recall(asked, stored, values, beta=beta, score=score), out[:, step : step + 1], atol=1e-12, rtol=0
        )


def test_recall_of_several_queries_and_of_nothing():
    found = recall(random(4, 5, 2), random(4, 3, 2, seed=1), random(4, 3, 6, seed=2), beta=1.0)
    alone = recall(random(4, 5, 2)[:, 2:3], random(4, 3, 2, seed=1), random(4, 3, 6, seed=2), beta=1.0)
    torch.testing.assert_close(found[:, 2:3], alone)
    nothing = recall(random(4, 5, 2), random(4, 0, 2), random(4, 0, 6), beta=1.0)
    assert torch.equal(nothing, torch.zeros(4, 5, 6, dtype=torch.float64))


@pytest.mark.parametrize("score", SCORES)
def test_later_inputs_change_nothing_earlier(way, score):
    key, query, value = random(2, 40, 2), random(2, 40, 2, seed=1), random(2, 40, 2, seed=2)
    before = retrieve(key, value, query=query, beta=1.0, score=score, implementation=way)
    for step in (0, 1, 15, 16, 17, 31, 38):
        changed = [x.clone() for x in (key, value, query)]
        changed[0][:, step:] += 3.0
        changed[1][:, step:] -= 5.0
        changed[2][:, step + 1 :] *= 7.0
        after = retrieve(changed[0], changed[1], query=changed[2], beta=1.0, score=score, implementation=way)
        assert torch.equal(before[:, : step + 1], after[:, : step + 1])
        assert not torch.equal(before[:, step + 1], after[:, step + 1])


@pytest.mark.parametrize("score", SCORES)
def test_gradients_reach_earlier_pairs_only(way, score):
    tensors = [random(20, 2, seed=seed).requires_grad_() for seed in range(3)]
    out = retrieve(tensors[0], tensors[1], query=tensors[2], beta=1.0, score=score, implementation=way)
    for step in (0, 1, 16, 17, 19):
        key, value, query = torch.autograd.grad(out[step].sum(), tensors, retain_graph=True)
        assert not key[step:].any()
        assert not value[step:].any()
        assert not query[:step].any()
        assert not query[step + 1 :].any()
        assert step == 0 or value[:step].all()


def test_one_step_retrieves_zero_and_has_gradients(way):
    key, value = random(2, 1, 2).requires_grad_(), random(2, 1, 2).requires_grad_()
    out = retrieve(key, value, beta=1.0, implementation=way)
    out.sum().backward()
    assert torch.equal(out, torch.zeros(2, 1, 2, dtype=torch.float64))
    assert not key.grad.any()
    assert not value.grad.any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nan_in_a_key_is_seen_from_its_step_on(way, dtype):
    key, value = random(40, 2, dtype=dtype), random(40, 2, seed=1, dtype=dtype)
    key[20, 1] = torch.nan
    for score in SCORES:
        out = retrieve(key, value, beta=1.0, score=score, implementation=way)
        assert out[20:].isnan().all()
        assert out[:20].isfinite().all()
    value[3] = torch.nan
    assert retrieve(key, value, beta=1.0, implementation=way)[4:].isnan().all()


def test_infinite_scores_as_in_the_definition(way):
    # query 1 meets key +inf: nan; query -1 meets it with score -inf: weight 0
    key = torch.tensor([[0.0], [torch.inf], [0.0], [0.0]], dtype=torch.float64)
    query = torch.tensor([[0.0], [0.0], [1.0], [-1.0]], dtype=torch.float64)
    out = retrieve(key, random(4, 1), query=query, beta=1.0, score="dot", implementation=way)
    assert out[2].isnan().all()
    torch.testing.assert_close(out[3], random(4, 1)[[0, 2]].mean(0))


def test_gaussian_of_equal_norms_is_dot_of_twice_beta(way):
    key = torch.nn.functional.normalize(random(3, 30, 2), dim=-1)
    value = random(3, 30, 2, seed=1)
    gaussian = retrieve(key, value, beta=4.0, implementation=way)
    dot = retrieve(key, value, beta=8.0, score="dot", implementation=way)
    torch.testing.assert_close(gaussian, dot, atol=1e-12, rtol=0)


def test_sharp_retrieval_returns_the_value_of_the_same_key(way):
    key = random(5, 2, dtype=torch.float32).repeat(2, 1)
    value = random(10, 2, seed=1, dtype=torch.float32)
    out = retrieve(key, value, beta=1e4, implementation=way)
    torch.testing.assert_close(out[5:], value[:5])


def test_gradcheck(way):
    if way == "reference":
        key, value, query, beta = (random(*s, seed=i) for i, s in enumerate([(2, 5, 2)] * 3 + [(2,)]))
    else:
        key, value, query, beta = (random(*s, seed=i) for i, s in enumerate([(2, 18, 2)] * 3 + [(2,)]))
    inputs = [x.requires_grad_() for x in (key, value, query, beta.detach().abs())]
    for score in SCORES:

        def function(key, value, query, beta, score=score):
            return retrieve(key, value, query=query, beta=beta, score=score, implementation=way)

        def shared(key, value, beta, score=score):
            return retrieve(key, value, beta=beta, score=score, implementation=way)

        assert torch.autograd.gradcheck(function, inputs, fast_mode=way != "reference")
        assert torch.autograd.gradcheck(shared, [inputs[0], inputs[1], inputs[3]], fast_mode=way != "reference")


def test_mixed_dtypes_are_computed_in_the_wider(way):
    key, value = random(9, 2, dtype=torch.float32), random(9, 2, seed=1)
    out = retrieve(key, value, beta=1.0, implementation=way)
    assert out.dtype == torch.float64
    torch.testing.assert_close(out, retrieve(key.double(), value, beta=1.0, implementation="reference"))


def test_any_leading_sizes_and_strides(way):
    key, value = random(5, 2, 3, 2, 4).movedim(0, -2)[..., ::2], random(5, 2, 3, 2, 4, seed=1).movedim(0, -2)[..., :2]
    out = retrieve(key, value, beta=1.0, implementation=way)
    assert out.shape == (2, 3, 2, 5, 2)
    torch.testing.assert_close(out[1, 2, 0], retrieve(key[1, 2, 0], value[1, 2, 0], beta=1.0, implementation=way))
    assert retrieve(key[:0], value[:0], beta=1.0, implementation=way).shape == (0, 3, 2, 5, 2)


def test_without_gradients(way):
    key, value = random(9, 2).requires_grad_(), random(9, 2, seed=1)
    expected = retrieve(key, value, beta=1.0, implementation=way).detach()
    with torch.no_grad():
        assert torch.equal(retrieve(key, value, beta=1.0, implementation=way), expected)
    with torch.inference_mode():
        assert torch.equal(retrieve(key, value, beta=1.0, implementation=way), expected)


GOOD = {"key": torch.zeros(2, 3, 5, 2), "value": torch.zeros(2, 3, 5, 4), "beta": 1.0}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key": torch.zeros(2, 3, 5, 2, dtype=torch.int64)}, "query"),
        ({"key": [[1.0]]}, "query: expected a tensor"),
        ({"key": torch.zeros(2)}, "query"),
        ({"key": torch.zeros(2, 3, 0, 2), "value": torch.zeros(2, 3, 0, 4)}, "T >= 1"),
        ({"value": torch.zeros(2, 3, 4, 4)}, "value: expected one value a key, 5; got 4"),
        ({"value": torch.zeros(3, 2, 5, 4)}, "value: expected leading sizes"),
        ({"value": torch.zeros(2, 3, 5, 4, device="meta")}, "value: expected leading sizes and device"),
        ({"query": torch.zeros(2, 3, 5, 3)}, "query: expected the key's width, 2; got 3"),
        ({"query": torch.zeros(2, 3, 4, 2)}, "query, key: expected one shape"),
        ({"beta": -1.0}, "beta: expected a finite number of at least 0"),
        ({"beta": math.nan}, "beta"),
        ({"beta": "sharp"}, "beta"),
        ({"beta": torch.ones(2)}, "beta: expected a shape that broadcasts"),
        ({"beta": torch.ones(1, 2, 3)}, "beta: expected a shape that broadcasts"),
        ({"score": "gausian"}, "did you mean 'gaussian'"),
        ({"implementation": "nativ"}, "did you mean 'native'"),
    ],
)
def test_wrong_arguments_are_named(change, words):
    with pytest.raises(InputError) as error:
        retrieve(**{**GOOD, **change})
    assert words in str(error.value)


def test_the_variable_forces_an_implementation(monkeypatch):
    key = torch.zeros(4, 2)
    monkeypatch.setenv(VARIABLE, "reference")
    assert choose(key, key).name == "reference"
    assert choose(key, key, "fused").name == "fused"
    monkeypatch.setenv(VARIABLE, "fast")
    with pytest.raises(InputError, match=f"{VARIABLE}: expected one of reference, fused, native, triton; got 'fast'"):
        choose(key, key)


def test_fused_is_chosen_where_the_kernel_cannot_serve():
    wide, elsewhere = torch.zeros(4, 17), torch.zeros(4, 2, device="meta")
    assert choose(wide, wide).name == choose(elsewhere, elsewhere).name == "fused"
    assert "16" in choose(wide, wide).reason
    assert "meta" in choose(elsewhere, elsewhere).reason
    with pytest.raises(InputError, match="wider than 16"):
        choose(wide, wide, "native")
