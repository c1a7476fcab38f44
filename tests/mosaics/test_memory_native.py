"""The C kernel: its exponential, threads, building and keeping it, and life without a compiler."""

import math
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from mosaics.memory import choose, native, retrieve
from toyworlds.core.validate import InputError


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """An empty cache folder, and no kernel remembered before or after."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    native.build.cache_clear()
    yield monkeypatch
    native.build.cache_clear()


@pytest.fixture
def _kernel():
    if isinstance(problem := native.build(False, 2, 2), str):
        pytest.skip(problem)


@pytest.mark.usefixtures("_kernel")
@pytest.mark.parametrize(("dtype", "error", "cut"), [(torch.float32, 2e-7, 63), (torch.float64, 5e-16, 511)])
def test_exponential(dtype, error, cut):
    # two stored pairs with scores 0 and -x: the second weighs e^-x / (1 + e^-x); the exponent's own rounding is x eps.
    # A weight below 2^-cut of the largest is 0
    steps = torch.linspace(0.0, (cut + 1) * math.log(2), 4001, dtype=torch.float64).to(dtype)
    key = torch.zeros(len(steps), 3, 2, dtype=dtype)
    key[:, 1, 0], key[:, 2, 0] = -steps, 1.0
    value = torch.zeros_like(key)
    value[:, 1, 0] = 1.0
    found = retrieve(key, value, beta=1.0, score="dot", implementation="native")[:, 2, 0].double()
    right = 1 / (1 + steps.double().exp())
    rounding = 2 * torch.finfo(dtype).eps * (1 + steps.double())
    kept = steps.double() < (cut - 1e-3) * math.log(2)
    assert ((found / right - 1).abs() < error + rounding)[kept].all()
    assert (found[steps.double() > (cut + 1e-3) * math.log(2)] == 0).all()
    assert found[0] == 0.5


@pytest.mark.usefixtures("_kernel")
def test_weights_far_below_the_top_are_zero():
    key = torch.tensor([[0.0], [1.0], [0.0]])
    value = torch.tensor([[1.0], [1e30], [0.0]])
    assert retrieve(key, value, beta=100.0, implementation="native")[2].item() == 1.0


@pytest.mark.usefixtures("_kernel")
def test_any_number_of_threads_gives_the_same_bits():
    generator = torch.Generator().manual_seed(0)
    tensors = [torch.randn(5, 3, 100, 2, generator=generator).requires_grad_() for _ in range(3)]
    beta = torch.rand(3, generator=generator).requires_grad_()
    sent = torch.randn(5, 3, 100, 2, generator=generator)

    def run():
        out = retrieve(tensors[0], tensors[1], query=tensors[2], beta=beta, implementation="native")
        return [out, *torch.autograd.grad(out, [*tensors, beta], sent)]

    threads = torch.get_num_threads()
    try:
        results = []
        for count in (1, 2, 3, 8, 1):
            torch.set_num_threads(count)
            results.append(run())
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(x, y) for other in results[1:] for x, y in zip(results[0], other, strict=True))


@pytest.mark.usefixtures("_kernel")
def test_nan_in_later_pairs_reaches_nothing_earlier():
    clean = [torch.randn(40, 2, generator=torch.Generator().manual_seed(seed)).requires_grad_() for seed in range(3)]
    dirty = [x.detach().clone() for x in clean]
    dirty[0][21:], dirty[1][20:], dirty[2][21:] = math.nan, math.inf, math.nan
    results = []
    for key, value, query in (clean, [x.requires_grad_() for x in dirty]):
        out = retrieve(key, value, query=query, beta=1.0, implementation="native")[:21]
        results.append((out, torch.autograd.grad(out.square().sum(), query)[0][:21]))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


@pytest.mark.usefixtures("_kernel")
def test_every_result_is_written():
    torch.use_deterministic_algorithms(True)  # fills what torch.empty returns with NaN
    try:
        key, value = torch.ones(3, 37, 2).requires_grad_(), torch.ones(3, 37, 2).requires_grad_()
        beta = torch.ones(3, requires_grad=True)
        out = retrieve(key, value, beta=beta, implementation="native")
        found = [out, *torch.autograd.grad(out.sum(), [key, value, beta])]
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(x.isfinite().all() for x in found)


@pytest.mark.usefixtures("_kernel")
def test_a_second_derivative_is_refused():
    key = torch.ones(5, 2, requires_grad=True)
    out = retrieve(key, key, beta=1.0, implementation="native")
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(out.sum(), key, create_graph=True)


@pytest.mark.usefixtures("_kernel")
def test_builders_at_the_same_time_leave_one_file(fresh, tmp_path):
    with ThreadPoolExecutor(3) as pool:
        built = list(pool.map(lambda _: native.build.__wrapped__(False, 1, 1), range(3)))
    assert not any(isinstance(library, str) for library in built)
    assert len(list((tmp_path / "cache").rglob("*"))) == 3  # mosaicbench, kernels, one library


@pytest.mark.usefixtures("_kernel")
def test_a_kept_kernel_is_not_built_again(fresh, tmp_path):
    native.build(False, 1, 1)
    (library,) = (tmp_path / "cache").rglob("*.so")
    before = library.stat()
    native.build.cache_clear()
    assert not isinstance(native.build(False, 1, 1), str)
    after = library.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_size) == (before.st_ino, before.st_mtime_ns, before.st_size)


def test_without_a_compiler(fresh, tmp_path):
    fresh.setenv("PATH", str(tmp_path))
    fresh.delenv("CC", raising=False)
    key = torch.ones(3, 2)
    assert (choose(key, key).name, choose(key, key).reason) == ("fused", "no C compiler found")
    assert retrieve(key, key, beta=1.0).shape == (3, 2)
    with pytest.raises(InputError, match="no C compiler found"):
        retrieve(key, key, beta=1.0, implementation="native")


def test_with_a_compiler_that_fails(fresh, tmp_path):
    compiler = tmp_path / "broken"
    compiler.write_text("#!/bin/sh\necho out of order >&2\nexit 3\n")
    compiler.chmod(compiler.stat().st_mode | stat.S_IXUSR)
    fresh.setenv("CC", str(compiler))
    key = torch.ones(3, 2)
    assert choose(key, key).name == "fused"
    assert "out of order" in choose(key, key).reason


@pytest.mark.usefixtures("_kernel")
def test_with_a_cache_folder_that_cannot_be_made(fresh, tmp_path):
    (tmp_path / "file").touch()
    fresh.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert "could not be built" in choose(torch.ones(3, 2), torch.ones(3, 2)).reason


@pytest.mark.slow
def test_torch_compile_sees_the_fused_way():
    compiled = torch.compile(lambda key: retrieve(key, key, beta=1.0), backend="eager", fullgraph=True)
    key = torch.randn(2, 9, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(compiled(key), retrieve(key, key, beta=1.0))
