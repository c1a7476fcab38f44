"""Key and value extractors: what a memory is asked with and what it stores.

    k~_T = W_k x_T                              or a convolution over the last K inputs
    k-_T = sum_{d >= 0} exp(-a d) k~_{T-d}      leaky average, a = 10 |leaky_beta|, one a head
    k_T  = s k-_T / |k-_T|                      s = exp(p min(10 kernel_beta, limit)), one a head; p = 2 where the
                                                stored keys carry no scale of their own, else 1
    v~_t = W_v x_t
    u_t  = (1 - c) v~_t + c v~_{t-peek}         one c (`mix`) a head; or a convolution over the last K inputs
    v_{t-peek} = exp(10 value_beta) u_t / |u_t|

The value v_T of the pair (k_T, v_T) peeks `peek` steps ahead: it is made, and the pair known, at step T + peek. What
is not known yet when the sequence ends is zero.

Free norms (an ablation): k_T = s (1 - exp(-a)) k-_T / sqrt(d / heads): the keys keep the norms they have.

Sequences are (batch, T, d) on the way in and (batch, heads, T, d / heads) on the way out. With a `state` the steps
given follow those that the state has seen, and the state moves on. Keys of whole sequences are made by
`mosaics.memory.leaky_keys`, values on a CPU by the kernel of `mosaics.memory.extract`: one pass each. Averages and
norms of 16-bit numbers (under autocast) are taken in float32, and keys and values are rounded to 16 bits again.

Reference: Memory Mosaics, arXiv 2405.06394, sec. 6; public code, variants 'library' and 'nano'.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mosaics.memory import extract
from mosaics.memory.leaky_average import leaky_average
from mosaics.memory.leaky_keys import leaky_keys, unit, widened
from mosaics.memory.options import since_start
from toyworlds.core.validate import reject

EXPONENT = 10.0
"""Betas are stored divided by this number, so that one learning rate suits them and the matrices."""


@dataclass
class PastInputs:
    """The last inputs (batch, K - 1, d) that a convolution over time still needs."""

    values: Tensor


class TimeConvolution(nn.Module):
    """y_T = sum_j W_j x_{T-K+1+j} + b over the last K inputs, zeros before the first; weight (d, d, K)."""

    def __init__(self, width: int, size: int, bias: bool) -> None:
        super().__init__()
        self.size = size
        self.weight = nn.Parameter(torch.empty(width, width, size))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def initial_state(self, batch: int) -> PastInputs:
        """Zeros before the first input."""
        return PastInputs(self.weight.new_zeros(batch, self.size - 1, self.weight.shape[1]))

    def forward(self, x: Tensor, state: PastInputs | None = None, segments: Tensor | None = None) -> Tensor:
        """Convolve x (batch, T, d); each of the `segments` (batch, T) by itself."""
        if state is None:
            known = functional.pad(x, (0, 0, self.size - 1, 0))
        else:
            known = torch.cat([state.values, x], 1)
            state.values = known[:, known.shape[1] - self.size + 1 :]
        last = known.unfold(1, self.size, 1)
        if segments is not None:
            age = torch.arange(self.size - 1, -1, -1, device=x.device)
            last = last.masked_fill((age > since_start(segments)[..., None])[:, :, None], 0.0)
        y = torch.einsum("btik,oik->bto", last, self.weight)
        return y if self.bias is None else y + self.bias


def projection(width: int, size: int, bias: bool) -> nn.Linear | TimeConvolution:
    """Return the linear map over the last `size` inputs."""
    return nn.Linear(width, width, bias=bias) if size == 1 else TimeConvolution(width, size, bias)


def project(
    module: nn.Linear | TimeConvolution, x: Tensor, past: PastInputs | None, segments: Tensor | None = None
) -> Tensor:
    """Apply `module`; only a convolution has a past, and looks at segments."""
    return module(x, past, segments) if isinstance(module, TimeConvolution) else module(x)


@dataclass
class KeyState:
    """Running leaky average (batch, heads, d / heads), None without one, and the past of the projection."""

    average: Tensor | None
    past: PastInputs | None


class LeakyKey(nn.Module):
    """Leaky-average key extractor; see the module for the equation.

    norm is "unit" or "free"; offset is added to norms; limit bounds 10 kernel_beta; power is p; by_head asks for keys
    that lie head by head in memory, as a persistent memory reads them.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        kernel: int = 1,
        bias: bool = False,
        leaky: bool = True,
        norm: str = "unit",
        offset: float = 0.0,
        limit: float = 5.0,
        power: int = 1,
        by_head: bool = False,
    ) -> None:
        super().__init__()
        self.by_head = by_head
        self.heads, self.norm, self.offset, self.limit, self.power = heads, norm, offset, limit, power
        self.project = projection(width, kernel, bias)
        self.leaky_beta = nn.Parameter(torch.linspace(0.5, 5.0, heads) / EXPONENT) if leaky else None
        self.kernel_beta = nn.Parameter(torch.full((heads,), 1.0 / EXPONENT))

    def decay(self) -> Tensor:
        """Decay a of each head, >= 0; infinite (no memory of earlier keys) without a leaky average."""
        if self.leaky_beta is None:
            return torch.full_like(widened(self.kernel_beta), torch.inf)
        return EXPONENT * widened(self.leaky_beta).abs()

    def scale(self) -> Tensor:
        """Scale s of each head."""
        return torch.exp(self.power * torch.clamp(EXPONENT * widened(self.kernel_beta), max=self.limit))

    def initial_state(self, batch: int) -> KeyState:
        """Return the state before any input."""
        average = None
        if self.leaky_beta is not None:
            width = self.project.weight.shape[0] // self.heads
            average = widened(self.kernel_beta).new_zeros(batch, self.heads, width)
        convolution = self.project if isinstance(self.project, TimeConvolution) else None
        return KeyState(average, convolution.initial_state(batch) if convolution else None)

    def forward(self, x: Tensor, state: KeyState | None = None, segments: Tensor | None = None) -> Tensor:
        """Keys (batch, heads, T, d / heads) of inputs x (batch, T, d).

        Segments (batch, T) tell packed sequences apart: no key holds anything of another segment. A state knows of one
        sequence only.
        """
        if segments is not None and state is not None:
            reject("segments", "none with a state", tuple(segments.shape))
        return self.from_projected(project(self.project, x, state.past if state else None, segments), state, segments)

    def from_projected(
        self, projected: Tensor, state: KeyState | None = None, segments: Tensor | None = None
    ) -> Tensor:
        """Keys of k~ (batch, T, d)."""
        split = projected.unflatten(-1, (self.heads, -1))
        if self.norm == "unit" and state is None:
            return leaky_keys(split, self.decay(), self.scale(), self.offset, segments=segments, by_head=self.by_head)
        keys = widened(split)
        if self.leaky_beta is not None:
            keys = self._average(keys, state, segments)
        if self.norm == "unit":
            keys = unit(keys, self.scale()[:, None], self.offset)
        else:
            keys = keys * (self.scale() * -torch.expm1(-self.decay()) / math.sqrt(keys.shape[-1]))[:, None]
        return keys.to(projected.dtype).transpose(1, 2)

    def _average(self, keys: Tensor, state: KeyState | None, segments: Tensor | None) -> Tensor:
        decay = self.decay()
        if state is None or state.average is None:
            return leaky_average(keys, decay, segments=segments)
        steps = torch.arange(1, keys.shape[1] + 1, device=keys.device, dtype=keys.dtype)
        carried = torch.exp(-steps[:, None] * decay)[..., None] * state.average[:, None]
        average = carried + (leaky_average(keys, decay) if keys.shape[1] > 1 else keys)
        state.average = average[:, -1]
        return average


@dataclass
class ValueState:
    """The last v~ (batch, peek, d), where values are mixed, or the past of the convolution."""

    projected: Tensor | None
    past: PastInputs | None


class PeekingValue(nn.Module):
    """Peeking value extractor; see the module for the equation.

    kernel 0 mixes v~_t and v~_{t-peek}; kernel K >= 1 is a convolution over the last K inputs. With `tied` it has no
    projection of its own and is given the key's k~ instead of inputs.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        peek: int = 1,
        kernel: int = 0,
        bias: bool = False,
        offset: float = 0.0,
        tied: bool = False,
    ) -> None:
        super().__init__()
        self.width, self.heads, self.peek, self.offset = width, heads, peek, offset
        self.project = None if tied else projection(width, max(kernel, 1), bias)
        self.mix = nn.Parameter(torch.rand(heads)) if kernel == 0 else None
        self.value_beta = nn.Parameter(torch.full((heads,), -0.5 / EXPONENT))

    def scale(self) -> Tensor:
        """Norm of the values of each head."""
        return torch.exp(EXPONENT * widened(self.value_beta))

    def initial_state(self, batch: int) -> ValueState:
        """Return the state before any input."""
        convolution = self.project if isinstance(self.project, TimeConvolution) else None
        return ValueState(
            None if self.mix is None else self.value_beta.new_zeros(batch, self.peek, self.width),
            convolution.initial_state(batch) if convolution else None,
        )

    def forward(self, x: Tensor, segments: Tensor | None = None) -> Tensor:
        """Values v_T (batch, heads, T, d / heads) of inputs x (batch, T, d); the last `peek` are zero.

        With `segments` (batch, T) each value that is made within its segment holds nothing of another one.
        """
        projected = x if self.project is None else project(self.project, x, None, segments)
        heads = widened(projected).unflatten(-1, (self.heads, -1))
        if self.mix is not None and extract.available(heads):
            return extract.values(heads, self.mix, self.scale(), self.offset, self.peek).to(projected.dtype)
        unknown = min(self.peek, x.shape[1])
        return functional.pad(self._normalised(projected, None), (0, 0, -unknown, unknown))

    def made(self, x: Tensor, state: ValueState) -> Tensor:
        """Values made at each step: entry t is the value of the pair of step t - peek."""
        return self._normalised(x if self.project is None else project(self.project, x, state.past), state)

    def _normalised(self, projected: Tensor, state: ValueState | None) -> Tensor:
        values = unit(self.mixed(widened(projected), state), self.scale()[:, None], self.offset)
        return values.to(projected.dtype).transpose(1, 2)

    def mixed(self, projected: Tensor, state: ValueState | None = None) -> Tensor:
        """Return u (batch, T, heads, d / heads) as it is made at each step of v~ (batch, T, d); see the module."""
        values = projected.unflatten(-1, (self.heads, -1))
        if self.mix is None:
            return values
        if state is None or state.projected is None:
            known = functional.pad(projected, (0, 0, self.peek, 0))
        else:
            known = torch.cat([state.projected, projected], 1)
            state.projected = known[:, known.shape[1] - self.peek :]
        earlier = known[:, : projected.shape[1]].unflatten(-1, (self.heads, -1))
        return torch.lerp(values, earlier, widened(self.mix)[:, None])
