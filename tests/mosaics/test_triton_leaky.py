"""The Triton leaky average and keys against the T x T matrix in float64: outputs and all gradients.

Without a CUDA device the kernels run in Triton's interpreter, which has to be switched on before Triton is imported.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from torch.nn import functional

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"
pytest.importorskip("triton")

from mosaics.memory import leaky_average as door
from mosaics.memory import triton_leaky_ops as ops
from mosaics.memory.leaky_average import leaky_average
from mosaics.memory.leaky_keys import leaky_keys
from toyworlds.core.validate import InputError

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TOLERANCE = {torch.float64: 1e-11, torch.float32: 1e-3, torch.float16: 5e-3, torch.bfloat16: 1e-2}
"""Largest |found - exact| / |exact|."""
if DEVICE == "cpu":
    TOLERANCE[torch.bfloat16] *= 2  # the interpreter cuts numbers off at 8 bits where a device rounds them
DTYPES = [torch.float64, torch.float32, torch.bfloat16] if DEVICE == "cpu" else [torch.float32, torch.bfloat16]


class Case:
    """Random tensors of a random shape, drawn from the case's number."""

    def __init__(self, number: int) -> None:
        rng = np.random.default_rng([5, number])
        batch, heads = int(rng.integers(1, 3)), int(rng.integers(1, 3))
        length, width = int(rng.choice([1, 2, 15, 16, 17, 31, 33, 64, 65, 100])), int(rng.integers(1, 41))
        self.dtype = DTYPES[number % len(DTYPES)]
        self.by_head, self.offset = bool(rng.integers(2)), float(rng.choice([0.0, 1e-3]))
        self.segmented, self.programs = bool(rng.integers(2)), int(rng.choice([1, 64]))
        generator = torch.Generator().manual_seed(number)

        def draw(*shape: int) -> torch.Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        decay = draw(batch, length, heads) if number % 2 else draw(heads)
        self.tensors = {"x": draw(batch, length, heads, width), "decay": 3 * decay.abs(), "scale": draw(heads).exp()}
        if rng.integers(2):
            self.tensors["gate"] = draw(batch, length, heads).exp()
        starts = torch.rand(batch, length, generator=generator) < 0.1
        self.segments = starts.cumsum(1).to(DEVICE) if self.segmented else None
        self.tensors = {name: tensor.to(self.dtype).double() for name, tensor in self.tensors.items()}

    def gradients(self, keys: bool, implementation: str, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """Output and gradients of one way in one dtype; decays, gates and scales are float32 at least."""
        exact = torch.float64 if dtype == torch.float64 else torch.float32
        leaves = {
            name: tensor.to(DEVICE, dtype if name == "x" else exact).requires_grad_()
            for name, tensor in self.tensors.items()
            if keys or name != "scale"
        }
        options = {"gate": leaves.get("gate"), "segments": self.segments, "implementation": implementation}
        if keys:
            parts = (leaves["x"], leaves["decay"], leaves["scale"], self.offset)
            out = leaky_keys(*parts, by_head=self.by_head, **options)
        else:
            out = leaky_average(leaves["x"], leaves["decay"], **options)
        gradient = torch.randn(out.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
        gradient = gradient.to(self.dtype).to(out.device, out.dtype)
        found = torch.autograd.grad(out, list(leaves.values()), gradient)
        return {"out": out, **dict(zip(leaves, found, strict=True))}


@pytest.fixture
def _poisoned(monkeypatch):
    """Hand out room that holds NaN, so that a number that is not written shows."""
    plain = torch.Tensor.new_empty

    def poisoned(self, *args, **kwargs):
        room = plain(self, *args, **kwargs)
        return room.fill_(torch.nan) if room.is_floating_point() and room.device.type != "meta" else room

    monkeypatch.setattr(torch.Tensor, "new_empty", poisoned)


def agrees(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(number)
    monkeypatch.setattr(ops, "PROGRAMS", case.programs)
    for keys in (False, True):
        found = case.gradients(keys, "triton", case.dtype)
        exact = case.gradients(keys, "reference", torch.float64)
        least = exact["out"].norm()  # what a key does not depend on, the gate of one step say, has a gradient of 0
        for name, expected in exact.items():
            error = (found[name].double() - expected).norm() / max(expected.norm(), least)
            assert error <= TOLERANCE[case.dtype], (number, keys, name, float(error))


@pytest.mark.usefixtures("_poisoned")
@pytest.mark.parametrize("number", range(20))
def test_random_cases_equal_the_reference(number, monkeypatch):
    agrees(number, monkeypatch)


@pytest.mark.slow
@pytest.mark.usefixtures("_poisoned")
@pytest.mark.parametrize("number", range(20, 220))
def test_many_random_cases_equal_the_reference(number, monkeypatch):
    agrees(number, monkeypatch)


def random(*shape, seed=0):
    dtype = torch.float64 if DEVICE == "cpu" else torch.float32
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype).to(DEVICE)


def close(found, expected):
    tolerance = 1e-11 if DEVICE == "cpu" else 1e-3
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def test_no_segment_sees_another(monkeypatch):
    """Packed sequences give what each gives alone, to the bit: what stood before is multiplied by zero."""
    monkeypatch.setattr(ops, "PROGRAMS", 64)
    first, second = random(1, 40, 2, 5), random(1, 23, 2, 5, seed=1)
    decay = random(2, seed=2).abs()
    packed = torch.cat([1e6 * first, second], 1)
    segments = torch.cat([torch.full((1, 40), 3), torch.full((1, 23), 7)], 1).to(DEVICE)
    for implementation in ("reference", "chunked", "triton"):
        found = leaky_average(packed, decay, segments=segments, implementation=implementation)
        close(found[:, 40:], leaky_average(second, decay, implementation=implementation))


def test_infinite_and_zero_decays():
    x = random(1, 37, 2, 3)
    decay = torch.tensor([torch.inf, 0.0], dtype=x.dtype, device=DEVICE)
    found = leaky_average(x, decay, implementation="triton")
    close(found[:, :, 0], x[:, :, 0])
    close(found[:, :, 1], x[:, :, 1].cumsum(1))


def test_members_of_a_population_equal_lone_calls():
    x, decay, scale = random(3, 2, 20, 2, 4), random(3, 2, seed=1).abs(), random(3, 2, seed=2).exp()
    steps = random(3, 2, 20, 2, seed=3).abs()

    def keys(x, decay, scale):
        return leaky_keys(x, decay, scale, implementation="triton")

    def gated(x, steps):
        return leaky_average(x, steps, gate=steps.exp(), implementation="triton")

    for function, inputs in ((keys, (x, decay, scale)), (gated, (x, steps))):
        for places in (0, (None, *[0] * (len(inputs) - 1))):
            given = [part.clone().requires_grad_() for part in inputs]
            batched = [part if places == 0 or i else part[0] for i, part in enumerate(given)]
            found = torch.vmap(function, in_dims=places)(*batched)
            shared = [part.dim() < whole.dim() for part, whole in zip(batched, given, strict=True)]
            alone = [[p if s else p[i] for p, s in zip(batched, shared, strict=True)] for i in range(3)]
            lone = torch.stack([function(*parts) for parts in alone])
            close(found, lone)
            gradient = random(*found.shape, seed=4)
            for one, other in zip(
                torch.autograd.grad(found, given, gradient), torch.autograd.grad(lone, given, gradient), strict=True
            ):
                close(one, other)


ARGUMENTS = {
    "average": lambda: (random(2, 5, 2, 3).requires_grad_(), random(1, 1, 2).abs().requires_grad_(), None, None, None),
    "keys": lambda: (
        random(1, 18, 2, 3).requires_grad_(),
        random(1, 18, 2).abs().requires_grad_(),
        random(1, 18, 2).exp().requires_grad_(),
        (random(1, 18) > 1).to(torch.int8),
        random(1, 2).exp().requires_grad_(),
        1e-3,
        True,
    ),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_the_operator_keeps_the_rules_of_operators(name):
    checks = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(ops.leaky, ARGUMENTS[name](), test_utils=checks)


def test_a_compiled_graph_gives_the_same():
    x, decay, scale = random(1, 20, 2, 4).requires_grad_(), random(2, seed=1).abs().requires_grad_(), random(2).exp()

    def loss(x, decay):
        return leaky_keys(x, decay, scale, implementation="triton").square().sum(-1).cumsum(-1).sin().sum()

    plain = torch.autograd.grad(loss(x, decay), (x, decay))
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    for found, expected in zip(torch.autograd.grad(compiled(x, decay), (x, decay)), plain, strict=True):
        close(found, expected)


def test_a_gradient_may_lie_otherwise_in_memory():
    x, decay, scale = random(2, 18, 2, 4).requires_grad_(), random(2, seed=1).abs(), random(2).exp()
    weight = random(2, 2, 4, 18, seed=3)
    found, expected = (
        torch.autograd.grad((leaky_keys(x, decay, scale, implementation=way).mT * weight).sum(), x)[0]
        for way in ("triton", "reference")
    )
    close(found, expected)


def test_autocast_leaves_the_numbers_alone():
    x, decay = random(1, 9, 1, 4).float(), torch.ones(1, device=DEVICE)
    with torch.autocast(DEVICE, dtype=torch.bfloat16):
        found = leaky_average(x, decay, implementation="triton")
    assert found.dtype == torch.float32
    assert functional.mse_loss(found, leaky_average(x, decay, implementation="reference")) < 1e-8


def test_the_door_says_what_it_chose_and_why(monkeypatch):
    x = torch.zeros(1, 2, 1, 3)
    assert door.choose(x).name == "chunked"
    assert "cuda" in door.choose(x).reason
    monkeypatch.setenv("MOSAICBENCH_LEAKY_AVERAGE", "reference")
    assert door.choose(x) == door.Choice("reference", "forced by MOSAICBENCH_LEAKY_AVERAGE")
    with pytest.raises(InputError, match="implementation: expected one of reference, chunked, triton; got 'trition'"):
        leaky_average(x, torch.ones(1), implementation="trition")
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    with pytest.raises(InputError, match="Triton kernels are for cuda"):
        leaky_average(x, torch.ones(1), implementation="triton")
    with pytest.raises(InputError, match=r"segments: expected whole numbers of shape \(1, 2\)"):
        leaky_average(x, torch.ones(1), segments=torch.zeros(1, 3))
