"""Short-term and long-term memories of Memory Mosaics v2.

    k-_t = g_t W_k x_t + l_t k-_{t-1},   g_t = exp(W_g x_t),  l_t = exp(-|W_l x_t|)  one a head,   k_t = k-_t / |k-_t|
    v_t  as in `mosaics.extractors`, one step ahead
    y_T  = sum_t softmax_t(2 beta k_T . k_t) v_t,     beta = beta_1 n^alpha + beta_0,  n the number of pairs in reach

    short-term    pairs T - h <= t < T          n = min(T, h)
    long-term     pairs t <= T - m              n = max(T - m + 1, 0)

    out_T = W_o [short y_T, long y_T]           each level has extractors and a bandwidth of its own

2 beta k_T . k_t has the weights of the Gaussian kernel -beta |k_T - k_t|^2, all keys having norm 1. The paper gives no
starting values for the bandwidth; ours are beta_1 = beta_0 = 1 and alpha = 2 / (w + 4), the rate at which the best
bandwidth of a kernel smoother in w dimensions grows.

Sequences (batch, T, d), memories (batch, heads, T, w); segments (batch, T) of packed rows, or None. The delay m is
drawn anew at every training forward pass.

Reference: Memory Mosaics at scale, arXiv 2507.03285, sec. 3 and appendix C.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from mosaics.extractors import PeekingValue, ValueState
from mosaics.levels_ablated import SteadyBandwidth, SteadyKey
from mosaics.memory import retrieve
from mosaics.memory.leaky_average import leaky_average
from mosaics.memory.leaky_keys import leaky_keys, unit, widened
from mosaics.memory.options import since_start
from mosaics.memory.windowed import pad
from mosaics.pairs import Pairs, PairStore, RecentPairs
from mosaics.stack import StoreMaker


class GatedKey(nn.Module):
    """Gated, time-varying key extractor; its state is the last k- (batch, heads, w)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(width, width, bias=False)
        self.gate = nn.Linear(width, heads, bias=False)
        self.decay = nn.Linear(width, heads, bias=False)

    def keys(self, x: Tensor, segments: Tensor | None = None) -> Tensor:
        """Keys (batch, heads, T, w) of whole sequences x (batch, T, d), in one pass."""
        projected = self.project(x).unflatten(-1, (self.heads, -1))
        gate, decay = torch.exp(widened(self.gate(x))), widened(self.decay(x)).abs()
        return leaky_keys(projected, decay, decay.new_ones(self.heads), gate=gate, segments=segments)

    def forward(self, x: Tensor, last: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Keys (batch, heads, T, w) of x (batch, T, d) that follows `last`, and the last k-."""
        projected = self.project(x)
        gained = widened(projected).unflatten(-1, (self.heads, -1)) * torch.exp(widened(self.gate(x)))[..., None]
        decay = widened(self.decay(x)).abs()
        average = leaky_average(gained, decay) if x.shape[1] > 1 else gained
        if last is not None:
            average = average + torch.exp(-decay.cumsum(1))[..., None] * last[:, None]
        keys = unit(average, torch.ones_like(average[..., :1]), 0.0).to(projected.dtype)
        return keys.transpose(1, 2), average[:, -1]


class AdaptiveBandwidth(nn.Module):
    """beta = beta_1 n^alpha + beta_0 with beta_1 > 0, beta_0 >= 0, 0 < alpha < 1, one of each a head."""

    def __init__(self, heads: int, width: int) -> None:
        super().__init__()
        alpha = 2.0 / (width + 4)
        self.log_beta_1 = nn.Parameter(torch.zeros(heads))
        self.log_beta_0 = nn.Parameter(torch.zeros(heads))
        self.logit_alpha = nn.Parameter(torch.full((heads,), math.log(alpha / (1 - alpha))))

    def forward(self, count: Tensor) -> Tensor:
        """Beta (.., heads, T, 1) for the numbers of pairs (.., T); an empty memory counts as one pair."""
        powers = count[..., None, :].clamp_min(1.0) ** torch.sigmoid(self.logit_alpha)[:, None]
        return (torch.exp(self.log_beta_1)[:, None] * powers + torch.exp(self.log_beta_0)[:, None])[..., None]


@dataclass
class LevelState:
    """What one level remembers: extractor states, the last key, pairs too young to be used, and those in use."""

    value: ValueState
    pairs: PairStore
    last: Tensor | None = None
    waiting: Tensor | None = None
    young: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    count: int = 0


class Level(nn.Module):
    """One level: pairs from `delay` steps old on, and no older than `window` steps (0: any age, with delay 1 only).

    Without `gated` or `adaptive`, the parts of `mosaics.levels_ablated` take the place of the key or the bandwidth.
    """

    lookup = staticmethod(retrieve)

    def __init__(
        self, width: int, heads: int, *, delay: int = 1, window: int = 0, gated: bool = True, adaptive: bool = True
    ) -> None:
        super().__init__()
        self.delay, self.window = delay, window
        self.key = GatedKey(width, heads) if gated else SteadyKey(width, heads)
        self.value = PeekingValue(width, heads)
        self.bandwidth = AdaptiveBandwidth(heads, width // heads) if adaptive else SteadyBandwidth(heads)

    def forward(self, x: Tensor, delay: int, state: LevelState | None = None, segments: Tensor | None = None) -> Tensor:
        """What each memory finds, (batch, T, heads, w); a fresh `state`, where given, ends up as after T steps.

        In a packed row steps, and with them the pairs in reach, are counted from the start of each segment.
        """
        if state is None:
            key, value = self.key.keys(x, segments), self.value(x)
        else:
            key, value = self._fill(x, state)
        own = None if segments is None else segments[:, None]
        steps = torch.arange(x.shape[1], device=x.device)[None] if segments is None else since_start(segments)
        beta = self.sharpness(steps, delay)[..., 0]
        window = (1, self.window) if self.window else (delay, None)
        return self.lookup(key, value, beta=beta, score="dot", window=window, segments=own).transpose(1, 2)

    def sharpness(self, steps: Tensor, delay: int) -> Tensor:
        """2 beta (.., heads, T, 1) at the given steps (.., T)."""
        count = (steps - delay + 1).clamp_min(0)
        count = count.clamp_max(self.window) if self.window else count
        return 2.0 * self.bandwidth(count.to(self.value.value_beta.dtype))

    def initial_state(self, batch: int, make_store: StoreMaker | None = None) -> LevelState:
        """Return the state before any input; `make_store` makes the place where long-term pairs are held."""
        store: PairStore = RecentPairs(self.window) if self.window else (make_store or Pairs)("dot")
        return LevelState(self.value.initial_state(batch), store)

    def step(self, x: Tensor, state: LevelState) -> Tensor:
        """What each memory finds, (batch, heads, w), after one input (batch, d)."""
        key, state.last = self.key(x[:, None], state.last)
        made = self.value.made(x[:, None], state.value)
        if state.waiting is not None:
            state.young.append((state.waiting, made))
        state.waiting = key
        if len(state.young) >= self.delay:
            state.pairs.store(*state.young.pop(0))
        step = torch.tensor([state.count], device=x.device)
        state.count += 1
        return state.pairs.retrieve((key * self.sharpness(step, self.delay)).to(key.dtype))[:, :, 0]

    def _fill(self, x: Tensor, state: LevelState) -> tuple[Tensor, Tensor]:
        """Keys and values as for a whole sequence; brings a fresh state to its end."""
        key, state.last = self.key(x, state.last)
        value = pad(self.value.made(x, state.value), -1, 1)
        length = state.count = x.shape[1]
        old = max(length - self.delay, 0)
        if old:
            state.pairs.store(key[:, :, :old], value[:, :, :old])
        state.young = [(key[:, :, t : t + 1], value[:, :, t : t + 1]) for t in range(old, length - 1)]
        state.waiting = key[:, :, -1:]
        return key, value


class TwoLevelMemory(nn.Module):
    """Short-term and long-term memories side by side."""

    def __init__(
        self, width: int, heads: int, *, window: int, delay: int, training_delay: tuple[int, int], **parts: bool
    ) -> None:
        super().__init__()
        self.training_delay = training_delay
        self.short = Level(width, heads, window=window, **parts)
        self.long = Level(width, heads, delay=delay, **parts)
        self.output = nn.Linear(2 * width, width, bias=False)

    def forward(self, x: Tensor, state: list[LevelState] | None = None, segments: Tensor | None = None) -> Tensor:
        """Output (batch, T, d)."""
        delay = self.long.delay
        if self.training:
            low, high = self.training_delay
            delay = int(torch.randint(low, high + 1, ()))
        short = self.short(x, 1, state[0] if state else None, segments)
        found = torch.cat([short, self.long(x, delay, state[1] if state else None, segments)], 2)
        return self.output(found.flatten(2))

    def memories(self) -> dict[str, nn.Module]:
        """Return the memories by name, in the order in which `output` reads them."""
        return {"short": self.short, "long": self.long}

    def initial_state(self, batch: int, make_store: StoreMaker | None = None) -> list[LevelState]:
        """Return the states of both levels before any input."""
        return [self.short.initial_state(batch), self.long.initial_state(batch, make_store)]

    def step(self, x: Tensor, state: list[LevelState]) -> Tensor:
        """Output (batch, d) for one input (batch, d)."""
        found = [level.step(x, part) for level, part in zip((self.short, self.long), state, strict=True)]
        return self.output(torch.cat(found, 1).flatten(1))


class OneLevelMemory(nn.Module):
    """One memory of all pairs t < T (an ablation of the two levels)."""

    def __init__(self, width: int, heads: int, **parts: bool) -> None:
        super().__init__()
        self.level = Level(width, heads, **parts)
        self.output = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, state: LevelState | None = None, segments: Tensor | None = None) -> Tensor:
        """Output (batch, T, d)."""
        return self.output(self.level(x, 1, state, segments).flatten(2))

    def memories(self) -> dict[str, nn.Module]:
        """Return the one memory, which has no name."""
        return {"": self.level}

    def initial_state(self, batch: int, make_store: StoreMaker | None = None) -> LevelState:
        """Return the state before any input."""
        return self.level.initial_state(batch, make_store)

    def step(self, x: Tensor, state: LevelState) -> Tensor:
        """Output (batch, d) for one input (batch, d)."""
        return self.output(self.level.step(x, state).flatten(1))
