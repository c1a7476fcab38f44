"""The Triton kernels of retrieval against the reference in float64, and as operators of torch.

Without a CUDA device they run in Triton's interpreter (see tests/conftest.py), in small tiles, so that short sequences
cross many of them.
"""

from __future__ import annotations

import os
import warnings
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
import torch
from torch.utils.checkpoint import checkpoint

pytest.importorskip("triton", reason="Triton is not installed")
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"

from mosaics.memory import choose, dropout_mask, retrieve, triton_retrieval
from mosaics.memory.api import VARIABLE
from mosaics.memory.options import Options, runs
from toyworlds.core.validate import InputError

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TOLERANCE = {torch.float32: 1e-5 if DEVICE == "cpu" else 1e-4, torch.float16: 3e-3, torch.bfloat16: 2e-2}
"""Largest root mean square of the error over that of the truth (plus 0.2)."""
LEADING = [(), (2,), (1, 2), (2, 1), (1, 2, 1)]
LENGTHS = [1, 2, 15, 16, 17, 31, 33, 40]
WINDOWS = [(1, None), (1, None), (0, None), (3, None), (20, None), (50, None), (1, 1), (1, 5), (0, 16), (4, 20)]
gpu = [pytest.mark.gpu, pytest.mark.skipif(DEVICE == "cpu", reason="needs a CUDA device")]


@contextmanager
def poisoned():
    """Fill what torch.empty returns with NaN, so that a number that is never written shows."""
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


def tensors_of(leading, length, width, value_width, *, seed=0, dtype=torch.float64, device=DEVICE):
    """Return query, key, value and a gradient, of unit variance; the same numbers for every dtype, rounded."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(*leading, length, w) for w in (width, width, value_width, value_width)]
    return [torch.randn(*each, generator=generator, dtype=torch.float64).to(device, dtype) for each in shapes]


class Case:
    """A random problem, drawn from its number."""

    def __init__(self, number: int, *, length: int | None = None, width: int | None = None) -> None:
        rng = np.random.default_rng([7, number])
        leading = LEADING[rng.integers(len(LEADING))]
        self.dtype = list(TOLERANCE)[number % 3]
        length = length or int(rng.choice(LENGTHS))
        width, value_width = (width, width) if width else (int(w) for w in rng.choice([1, 3, 8, 16, 17, 40], 2))
        query, key, value, self.sent = tensors_of(leading, length, width, value_width, seed=number, dtype=self.dtype)
        if rng.integers(2):  # as heads lie in a projection: time before head
            key, value = (x.transpose(-2, -3).contiguous().transpose(-2, -3) if leading else x for x in (key, value))
        self.leaves = {"key": key, "value": value} | ({"query": query} if rng.integers(2) else {})
        sharp = float(rng.uniform(0.2, 2.0)) / width
        shape = [None, (), leading[-1:], (*leading, length), (*(1 for _ in leading), length)][rng.integers(5)]
        self.asked = {"score": str(rng.choice(["gaussian", "dot"])), "window": WINDOWS[rng.integers(len(WINDOWS))]}
        if shape is None:
            self.asked["beta"] = sharp
        else:
            self.leaves["beta"] = torch.as_tensor(rng.uniform(0, 2 * sharp, shape)).to(DEVICE, torch.float32)
        if rng.integers(3) == 0:
            cuts = torch.as_tensor(rng.random((*leading, length)[-1 - int(rng.integers(len(leading) + 1)) :]) < 0.15)
            self.asked["segments"] = cuts.cumsum(-1).to(DEVICE)
        if rng.integers(4) == 0:
            self.asked |= {"dropout": float(rng.uniform(0.1, 0.6)), "seed": int(rng.integers(2**62))}

    def results(self, way: str, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """Output and gradients of one implementation in one dtype."""
        exact = torch.float64 if dtype == torch.float64 else torch.float32
        leaves = {
            name: x.detach().to(exact if name == "beta" else dtype).requires_grad_() for name, x in self.leaves.items()
        }
        with poisoned() if way == "triton" else nullcontext():
            out = retrieve(**leaves, **self.asked, implementation=way)
            gradients = torch.autograd.grad(out, list(leaves.values()), self.sent.to(dtype), materialize_grads=True)
        return {"out": out, **dict(zip(leaves, gradients, strict=True))}

    def check(self) -> None:
        """Compare with the reference."""
        found, right = self.results("triton", self.dtype), self.results("reference", torch.float64)
        for name, truth in right.items():
            assert found[name].dtype == (torch.float32 if name == "beta" else self.dtype)
            error = (found[name].double() - truth).square().mean().sqrt()
            allowed = TOLERANCE[self.dtype] * (5 if name == "beta" else 1)  # a beta may sum over many steps of any sign
            assert error <= allowed * (0.2 + truth.square().mean().sqrt()), (name, self.asked)


@pytest.mark.parametrize("number", range(20))
def test_equals_the_reference(number):
    Case(number).check()


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20, 220))
def test_equals_the_reference_in_many_cases(number):
    Case(number).check()


@pytest.mark.slow
@pytest.mark.parametrize("number", range(24))
def test_equals_the_reference_at_large_widths(number):
    Case(1000 + number, length=[33, 50, 70][number // 3 % 3], width=[64, 96, 128, 256][number % 4]).check()


@pytest.mark.parametrize(
    "number", [2000, *(pytest.param(n, marks=gpu) for n in range(2001, 2024))]
)  # the first is the interpreted twin, at a length it can bear
def test_long_sequences(number):
    length = 50 if DEVICE == "cpu" else [1000, 2048, 2049, 4096][number % 4]
    case = Case(number, length=length, width=16 if DEVICE == "cpu" else [32, 64, 80, 128, 256][number % 5])
    case.check()
    first, second = case.results("triton", case.dtype), case.results("triton", case.dtype)
    assert all(torch.equal(x, second[name]) for name, x in first.items())


def test_later_inputs_change_nothing_earlier():
    query, key, value, _ = tensors_of((1,), 36, 8, 8, dtype=torch.float32)
    how = {"beta": 0.3, "implementation": "triton"}
    before = retrieve(key, value, query=query, **how)
    for step in (0, 1, 16, 31, 33):
        changed = [x.clone() for x in (query, key, value)]
        changed[0][:, step + 1 :] *= -7.0
        changed[1][:, step:] += 1e4
        changed[2][:, step:] -= 1e6
        after = retrieve(changed[1], changed[2], query=changed[0], **how)
        assert torch.equal(before[:, : step + 1], after[:, : step + 1])
        assert not torch.equal(before[:, step + 1], after[:, step + 1])


def test_packed_sequences_are_those_that_stand_alone():
    lengths = [7, 1, 20]
    leaves = [x.requires_grad_() for x in tensors_of((2,), 28, 8, 8, dtype=torch.float32)[1:3]]
    segments = torch.repeat_interleave(torch.arange(3), torch.tensor(lengths)).to(DEVICE)
    packed = retrieve(*leaves, beta=0.2, segments=segments, implementation="triton")
    parts = zip(*(x.split(lengths, 1) for x in leaves), strict=True)
    alone = torch.cat([retrieve(k, v, beta=0.2, implementation="triton") for k, v in parts], 1)
    torch.testing.assert_close(packed, alone)
    gradients = [torch.autograd.grad(each.square().sum(), leaves) for each in (packed, alone)]
    for ours, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5)
    assert not packed[:, 7].any()


def test_the_mask_is_that_of_the_seed():
    key, length = tensors_of((2, 3), 20, 8, 8, dtype=torch.float32)[1], 20
    value = torch.eye(length, device=DEVICE).expand(2, 3, length, length).contiguous()
    dropped = retrieve(key, value, beta=0.1, window=(0, None), dropout=0.4, seed=11, implementation="triton")
    weights = retrieve(key, value, beta=0.1, window=(0, None), implementation="triton")
    mask = dropout_mask(11, 0.4, (2, 3), length, DEVICE)
    torch.testing.assert_close(dropped, weights * mask / 0.6)
    torch.manual_seed(3)
    drawn = [retrieve(key, value, beta=0.1, dropout=0.4, implementation="triton") for _ in range(2)]
    assert not torch.equal(*drawn)
    torch.manual_seed(3)
    assert torch.equal(drawn[0], retrieve(key, value, beta=0.1, dropout=0.4, implementation="triton"))


def test_scores_of_ten_thousand_stay_finite():
    query, key, value, sent = (x.float().requires_grad_() for x in tensors_of((2,), 34, 4, 4))
    out = retrieve(key * 60, value, query=query * 60, beta=1.0, implementation="triton")
    right = retrieve(key.double() * 60, value.double(), query=query.double() * 60, beta=1.0, implementation="reference")
    torch.testing.assert_close(out, right.float(), rtol=1e-2, atol=1e-2)
    for gradient in torch.autograd.grad(out, (query, key, value), sent):
        assert gradient.isfinite().all()


@pytest.mark.parametrize("width", [3, 17, 32])
@pytest.mark.parametrize("score", ["gaussian", "dot"])
@pytest.mark.parametrize("window", [(1, None), (0, 1)])
def test_without_sharpness_every_pair_weighs_the_same(width, score, window):
    query, key, value, sent = tensors_of((2,), 18, width, width, dtype=torch.float32)
    for beta in (0.0, torch.zeros(2, device=DEVICE)):
        leaves = [x.requires_grad_() for x in (query, key, value, beta) if isinstance(x, torch.Tensor)]
        outs = [
            retrieve(key, value, query=query, beta=beta, score=score, window=window, implementation=way)
            for way in ("triton", "reference")
        ]
        torch.testing.assert_close(*outs)
        gradients = [torch.autograd.grad(out, leaves, sent) for out in outs]
        torch.testing.assert_close(*gradients, atol=1e-4, rtol=1e-4)


def operands(*, tied):
    """Arguments of the operator for opcheck."""
    query, key, value, _ = (x.float() for x in tensors_of((1, 2), 5, 3, 4))
    starts, ends = (x.expand(1, 2, 5) for x in runs(torch.tensor([0, 0, 1, 1, 1], device=DEVICE)))
    beta, seeds = torch.rand(1, 2, 5, device=DEVICE), torch.tensor([3], device=DEVICE)
    if tied:
        return (key, value, beta, None, None, None, None, True, 1, -1, 0.0)
    return (key, value, beta, query, starts, ends, seeds, False, 1, 2, 0.3)


@pytest.mark.parametrize("tied", [True, False])
def test_the_operators_are_registered_as_torch_asks(tied):
    arguments = operands(tied=tied)
    torch.library.opcheck(triton_retrieval._retrieve, arguments)
    out, log_sums = triton_retrieval._retrieve(*arguments)
    arguments = (*arguments[:7], out, log_sums, torch.ones_like(out), *arguments[7:], True)
    torch.library.opcheck(triton_retrieval._retrieve_backward, arguments)


def loss(key, value, beta):
    found = retrieve(key, value, beta=beta, implementation="triton", window=(1, 5), score="dot")
    return found.square().sum()


def leaves_of(*leading):
    _, key, value, _ = tensors_of(leading, 9, 6, 6, dtype=torch.float32)
    beta = torch.rand(leading[-1:], device=DEVICE)
    return [x.requires_grad_() for x in (key, value, beta)]


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiles_without_a_break(backend):
    leaves = leaves_of(2, 2)
    expected = torch.autograd.grad(loss(*leaves), leaves)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        compiled = torch.compile(loss, backend=backend, fullgraph=True)
        found = torch.autograd.grad(compiled(*leaves), leaves)
    for ours, plain in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, plain)


def test_checkpointing_gives_the_same_gradients():
    leaves = leaves_of(2, 2)

    def dropped(key, value, beta):
        return retrieve(key, value, beta=beta, dropout=0.3, implementation="triton").square().sum()

    results = []
    for call in (dropped, lambda *x: checkpoint(dropped, *x, use_reentrant=False)):
        torch.manual_seed(0)
        results.append(torch.autograd.grad(call(*leaves), leaves))
    assert all(torch.equal(x, y) for x, y in zip(*results, strict=True))


def test_a_population_equals_its_members():
    key, value, beta = (torch.stack([x.detach() * (s + 1) / 2 for s in range(2)]) for x in leaves_of(2, 2))
    together = torch.func.vmap(torch.func.grad(loss, argnums=(0, 1, 2)))(key, value, beta)
    for member in range(2):
        leaves = [x[member].clone().requires_grad_() for x in (key, value, beta)]
        alone = torch.autograd.grad(loss(*leaves), leaves)
        for ours, plain in zip(together, alone, strict=True):
            torch.testing.assert_close(ours[member], plain, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("own_seeds", [True, False])
def test_members_of_a_population_have_the_masks_they_have_alone(own_seeds):
    key, value, _ = (torch.stack([x.detach()] * 2) for x in leaves_of(2, 2))
    seeds = torch.tensor([4, 5], device=DEVICE) if own_seeds else torch.tensor(4, device=DEVICE)

    def dropped(key, value, seed):
        return retrieve(key, value, beta=0.1, dropout=0.5, seed=seed, implementation="triton")

    together = torch.func.vmap(dropped, in_dims=(0, 0, 0 if own_seeds else None))(key, value, seeds)
    for member in range(2):
        alone = dropped(key[member], value[member], seeds[member] if own_seeds else seeds)
        assert torch.equal(together[member], alone)
    assert torch.equal(together[0], together[1]) != own_seeds


def test_autocast_computes_in_its_dtype():
    leaves = leaves_of(2, 2)
    with torch.autocast(DEVICE, torch.bfloat16):
        out = retrieve(*leaves[:2], beta=leaves[2], implementation="triton")
    key, value = (x.detach().bfloat16() for x in leaves[:2])
    assert torch.equal(out, retrieve(key, value, beta=leaves[2], implementation="triton"))
    gradients = torch.autograd.grad(out.float().sum(), leaves)
    assert [x.dtype for x in gradients] == [torch.float32] * 3


def test_a_second_derivative_is_refused():
    key, value, _ = leaves_of(2, 2)
    out = retrieve(key, value, beta=1.0, implementation="triton")
    (gradient,) = torch.autograd.grad(out.sum(), key, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(gradient.sum(), key)


def saved_bytes(length):
    """Bytes that the backward pass keeps beside key and value, in a graph of tensors without data."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    saved = []
    hooks = torch.autograd.graph.saved_tensors_hooks(lambda x: saved.append(x) or x, lambda x: x)
    with FakeTensorMode(), hooks:
        key = torch.empty(1, 12, length, 64, dtype=torch.bfloat16, device=DEVICE, requires_grad=True)
        segments = torch.zeros(length, dtype=torch.int32, device=DEVICE)
        out = retrieve(key, key, beta=1.0, window=(1, 4096), segments=segments, implementation="triton")
        storages = {x.untyped_storage()._cdata: x.untyped_storage().nbytes() for x in saved}
        (gradient,) = torch.autograd.grad(out.sum(), key)
        assert gradient.shape == key.shape
    return sum(storages.values())


def test_memory_is_linear_up_to_64k_steps_and_beyond():
    assert saved_bytes(65536) < 2.001 * saved_bytes(32768)
    assert saved_bytes(2**20) < 16.001 * saved_bytes(65536)
    assert saved_bytes(65536) < 3 * 65536 * 12 * 64 * 2  # three tensors of the size of the key


@pytest.mark.slow
def test_offsets_beyond_31_bits():
    length, stride = 140, 2**24 - 16
    try:
        room = torch.empty(length * stride, dtype=torch.float16, device=DEVICE)  # pages that are never touched
    except RuntimeError as problem:
        pytest.skip(f"no room for {length * stride} numbers: {problem}")
    key = room.as_strided((1, 1, length, 16), (0, 0, stride, 1))
    plain = tensors_of((1, 1), length, 16, 16, dtype=torch.float16)[1]
    key.copy_(plain)
    expected = retrieve(plain, plain, beta=0.1, implementation="triton")
    assert torch.equal(retrieve(key, plain, beta=0.1, implementation="triton"), expected)


def test_the_choice(monkeypatch):
    key = torch.zeros(2, 4, 20)
    assert choose(key, key).name == "fused"
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setenv(VARIABLE, "triton")
    assert choose(key, key) == choose(key, key, options=Options(far=3, dropout=0.1))
    assert choose(key, key).reason == f"forced by {VARIABLE}"
    for bad, words in [(key.double(), "float64"), (torch.zeros(4, 257), "wider than 256"), (key.to("meta"), "meta")]:
        with pytest.raises(InputError, match=words):
            choose(bad, bad)
    monkeypatch.delenv("TRITON_INTERPRET")
    with pytest.raises(InputError, match="TRITON_INTERPRET=1"):
        retrieve(key, key, beta=1.0)
    monkeypatch.setattr(triton_retrieval, "INSTALLED", False)
    with pytest.raises(InputError, match="Triton is not installed"):
        retrieve(key, key, beta=1.0)


@pytest.mark.gpu
@pytest.mark.skipif(DEVICE == "cpu", reason="needs a CUDA device")
def test_the_kernels_are_chosen_on_a_device():
    key = torch.zeros(2, 4, 64, device=DEVICE)
    assert choose(key, key).name == "triton"
    assert choose(key.double(), key.double()).name == "fused"
