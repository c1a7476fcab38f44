"""The leaky average and its gradients, chunked, against the T x T matrix; the extraction kernel against torch."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from mosaics.extractors import LeakyKey
from mosaics.memory import extract
from mosaics.memory.leaky_average import choose, leaky_average, reference, with_starts
from mosaics.memory.leaky_keys import choose as choose_keys
from mosaics.memory.leaky_keys import leaky_keys, unit
from toyworlds.core.validate import InputError


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype).requires_grad_()


def results(function, *inputs):
    outputs = function(*inputs)
    gradient = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(9), dtype=outputs.dtype)
    return outputs, *torch.autograd.grad(outputs, inputs, gradient)


def test_by_hand():
    x = torch.tensor([1.0, 0.0, 4.0, 0.0]).view(1, 4, 1, 1)
    assert leaky_average(x, torch.log(torch.tensor([2.0]))).flatten().tolist() == [1.0, 0.5, 4.25, 2.125]
    assert leaky_average(x, torch.zeros(1)).flatten().tolist() == [1.0, 1.0, 5.0, 5.0]
    steps = torch.log(torch.tensor([1.0, 2.0, 4.0, 8.0])).view(1, 4, 1)
    assert leaky_average(x, steps).flatten().tolist() == [1.0, 0.5, 4.125, 0.515625]


@pytest.mark.parametrize("length", [1, 2, 19, 20, 21, 39, 41, 400, 401, 805])
@pytest.mark.parametrize("kind", ["one a head", "one a step", "none"])
def test_chunks_equal_the_matrix(length, kind):
    x = random(2, length, 3, 2)
    decay = {"one a head": random(3, seed=1).abs(), "one a step": 3 * random(2, length, 3, seed=2).abs()}
    a = decay.get(kind, torch.zeros(3, dtype=torch.float64)).detach().requires_grad_()
    for found, expected in zip(results(leaky_average, x, a), results(reference, x, a), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)


def test_small_decays_beside_large_ones_keep_their_precision():
    decay = torch.tensor([0.0, 900.0, 1e-3, 1e-3]).view(1, 4, 1)
    found = leaky_average(torch.ones(1, 4, 1, 1), decay).flatten()
    exact = torch.tensor([1.0, 1.0, 1 + 0.99900049983, 1 + 0.99900049983 * 1.99900049983])
    torch.testing.assert_close(found, exact, rtol=2e-7, atol=0)


def test_bad_shapes():
    with pytest.raises(InputError, match=r"decay: expected shape \(3,\) or \(2, 4, 3\); got \(2,\)"):
        leaky_average(torch.zeros(2, 4, 3, 1), torch.zeros(2))
    with pytest.raises(InputError, match="x: expected a tensor"):
        leaky_average(torch.zeros(2, 4, 3), torch.zeros(3))


@pytest.mark.parametrize("length", [1, 19, 41, 405])
@pytest.mark.parametrize("per_step", [False, True])
def test_gates_and_segments(length, per_step):
    """A gate multiplies its input; a segment gives what it gives alone."""
    x, gate = random(2, length, 3, 2), random(2, length, 3, seed=3).detach().exp().requires_grad_()
    decay = random(*((2, length, 3) if per_step else (3,)), seed=1).detach().abs().requires_grad_()
    segments = (torch.arange(length) // 17 % 2).expand(2, -1)

    def chunked(x, decay, gate):
        return leaky_average(x, decay, gate=gate, segments=segments)

    def table(x, decay, gate):
        return reference(x * gate[..., None], with_starts(decay, segments))

    for found, expected in zip(results(chunked, x, decay, gate), results(table, x, decay, gate), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)
    if length > 17:
        alone = leaky_average(x[:, 17:34] * gate[:, 17:34, :, None], decay[:, 17:34] if per_step else decay)
        torch.testing.assert_close(chunked(x, decay, gate)[:, 17:34], alone, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_results_have_the_dtype_of_the_input(dtype):
    x, decay = random(1, 30, 2, 4, dtype=torch.float32).detach().to(dtype), torch.ones(2)
    assert leaky_average(x, decay).dtype == dtype
    for way in ("reference", "chunked"):
        found = leaky_keys(x, decay, torch.ones(2), implementation=way)
        assert found.dtype == dtype
        torch.testing.assert_close(found.float().norm(dim=-1), torch.ones(1, 2, 30), rtol=1e-2, atol=0)


def test_whole_numbers_are_refused():
    x, decay = torch.tensor([3, 4, 5]).view(1, 3, 1, 1), torch.log(torch.tensor([2.0]))
    with pytest.raises(InputError, match=r"^x: expected a tensor of floats; got torch.int64"):
        leaky_average(x, decay)
    with pytest.raises(InputError, match=r"^x: expected a tensor of floats; got torch.int64"):
        leaky_keys(x, decay, torch.ones(1))
    assert leaky_average(x.float(), decay).flatten().tolist() == [3.0, 5.5, 7.75]


def test_the_door_of_keys(monkeypatch):
    x, decay, scale = torch.ones(1, 4, 2, 3), torch.ones(2), torch.ones(2)
    steps = torch.ones(1, 4, 2)
    assert choose_keys(x, steps).name == "chunked"
    assert choose_keys(x, decay, segments=torch.zeros(1, 4).long()).name == "chunked"
    with pytest.raises(InputError, match=r"implementation: .*; got 'native'.*one decay a head"):
        leaky_keys(x, steps, scale, implementation="native")
    with pytest.raises(InputError, match=r"scale: expected shape \(2,\); got \(3,\)"):
        leaky_keys(x, decay, torch.ones(3))
    monkeypatch.setenv("MOSAICBENCH_LEAKY_AVERAGE", "reference")
    assert choose_keys(x, decay).reason == "forced by MOSAICBENCH_LEAKY_AVERAGE"
    monkeypatch.setenv("MOSAICBENCH_LEAKY_AVERAGE", "native")
    assert choose(x).name == "chunked"
    monkeypatch.setenv("MOSAICBENCH_LEAKY_AVERAGE", "fast")
    with pytest.raises(
        InputError, match="MOSAICBENCH_LEAKY_AVERAGE: expected one of reference, chunked, native, triton"
    ):
        leaky_keys(x, decay, scale)


def test_a_key_extractor_keeps_packed_sequences_apart():
    with torch.random.fork_rng():
        extractor = LeakyKey(6, 2)
        first, second = torch.randn(1, 5, 6), torch.randn(1, 9, 6)
    packed, segments = torch.cat([first, second], 1), torch.tensor([[1] * 5 + [2] * 9])
    torch.testing.assert_close(extractor(packed, segments=segments)[:, :, 5:], extractor(second))
    with pytest.raises(InputError, match="segments: expected none with a state"):
        extractor(packed, extractor.initial_state(1), segments)


SHAPES = [(2, 7, 3, 16), (3, 1, 2, 5), (2, 30, 1, 64), (1, 5, 4, 2), (2, 9, 2, 33)]
DTYPES = [(torch.float64, 1e-11), (torch.float32, 3e-5)]


needs_kernel = pytest.mark.skipif(not extract.available(torch.zeros(1, 1, 1, 1)), reason="no C compiler")


@needs_kernel
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("offset", [0.0, 1e-3])
@pytest.mark.parametrize("by_head", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_keys_of_the_kernel_equal_those_of_torch(shape, offset, by_head, dtype, tolerance):
    x, factor = random(*shape, dtype=dtype), random(shape[2], seed=1, dtype=dtype).detach().sigmoid().requires_grad_()
    scale = random(shape[2], seed=2, dtype=dtype).detach().exp().requires_grad_()

    def plain(x, factor, scale):
        return unit(leaky_average(x, -torch.log(factor)), scale[:, None], offset).transpose(1, 2)

    kernel = results(lambda *given: extract.keys(*given, offset, by_head=by_head), x, factor, scale)
    for found, expected in zip(kernel, results(plain, x, factor, scale), strict=True):
        torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


@needs_kernel
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("peek", [0, 1, 3, 40])
@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_values_of_the_kernel_equal_those_of_torch(shape, peek, dtype, tolerance):
    x, mix = random(*shape, dtype=dtype), random(shape[2], seed=1, dtype=dtype)
    scale = random(shape[2], seed=2, dtype=dtype).detach().exp().requires_grad_()

    def plain(x, mix, scale):
        later = functional.pad(x, (0, 0, 0, 0, 0, peek))[:, peek:]
        known = (torch.arange(shape[1]) < shape[1] - peek).view(-1, 1, 1)
        return torch.where(known, unit(torch.lerp(later, x, mix[:, None]), scale[:, None], 0.0), 0.0).transpose(1, 2)

    kernel = results(lambda *given: extract.values(*given, 0.0, peek), x, mix, scale)
    for found, expected in zip(kernel, results(plain, x, mix, scale), strict=True):
        torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


@needs_kernel
def test_members_of_a_population_equal_lone_calls():
    x, factor, scale = (
        random(3, 2, 6, 2, 4),
        random(3, 2, seed=1).detach().sigmoid(),
        random(3, 2, seed=2).detach().exp(),
    )
    for by_head in (False, True):

        def keys(x, factor, scale, by_head=by_head):
            return extract.keys(x, factor, scale, 0.0, by_head=by_head)

        for function in (keys, lambda x, mix, scale: extract.values(x, mix, scale, 0.0, 1)):
            found = results(lambda x, f=function: torch.vmap(f)(x, factor, scale), x)
            lone = results(
                lambda x, f=function: torch.stack([f(*parts) for parts in zip(x, factor, scale, strict=True)]), x
            )
            for one, other in zip(found, lone, strict=True):
                torch.testing.assert_close(one, other)
            shared = torch.vmap(function, in_dims=(None, 0, 0))(x[0], factor, scale)
            torch.testing.assert_close(shared[2], function(x[0], factor[2], scale[2]))


@needs_kernel
def test_zero_vectors_stay_zero_and_take_no_gradient():
    x, one = torch.zeros(1, 3, 1, 4, requires_grad=True), torch.ones(1)
    for found in (extract.keys(x, one, one, 0.0), unit(x, torch.ones(1), 0.0)):
        assert (found == 0).all()
        (gradient,) = torch.autograd.grad(found.sum(), x)
        assert (gradient == 0).all()


@needs_kernel
def test_nan_spreads_forward_in_time_only():
    x = torch.ones(1, 4, 1, 3)
    x[0, 2, 0, 1] = torch.nan
    keys = extract.keys(x, torch.full((1,), 0.5), torch.ones(1), 0.0)
    assert keys[0, 0].isnan().all(-1).tolist() == [False, False, True, True]


def test_the_variable_forbids_the_kernel(monkeypatch):
    monkeypatch.setenv("MOSAICBENCH_RETRIEVAL", "reference")
    assert not extract.available(torch.zeros(1, 1, 1, 1))
