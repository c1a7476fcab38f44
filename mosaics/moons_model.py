"""The moons model: one layer of associative memories between linear maps, one memory a head.

    k_T = W_phi x_T,   v_T = W_psi x_{T+1}                        key and value of step T, cut into heads
    y_T = sum_{t < T} softmax_t(beta k_T . k_t) v_t               retrieval, head by head (mosaics.memory)
    prediction of x_{T+1} = W_out concat_h(y_T^h)

    ours              paper            public code    shape
    key map           W_phi, varphi    k_lin          (heads * width, channels)
    value map         W_psi, psi       v_lin          (heads * width, channels)
    output map        W_z              out_proj       (channels, heads * width)
    beta              beta             attn_scale     a number, or one a head when learned

Weights start as U(-1, 1) / sqrt(fan-in). Complex-linear maps (mosaics.complex_linear) are these projected
once; coordinates (2 i, 2 i + 1) are taken together, in every head alike, so nothing tells the model which
pair is which moon, or whether an unknown mixing has left any pair to be one.

The value peeks one step ahead: the pair (k_T, v_T) is stored when x_{T+1} is known, after the prediction of
step T. Without the peek (the ablation) v_T = W_psi x_T, and the memory is used in the same order. At T = 0
the output is 0. A pair with an unseen part (see `seen`) is not stored.

A population is `members` such models at once: parameters and outputs carry one more leading axis.

Reference: Memory Mosaics, arXiv 2405.06394, section 4; its supplementary code for the initialisation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mosaics import complex_linear
from mosaics.base import seed_or_seeds
from mosaics.memory import recall, retrieval_weights, retrieve
from mosaics.pairing import estimate_basis
from mosaics.registry import MODELS
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import choice, integer, real, reject

UNSEEN_SCORE = 1e4
"""A pair that is not to be stored scores this much less than its key would: its weight is exp(-1e4) = 0."""
SMALLEST_NORM = 1e-6


@MODELS.register("moons", "vectors")
@dataclass(frozen=True)
class MoonsModelConfig:
    """One layer of associative memories between linear maps (the paper's three-moons model)."""

    channels: int = 6
    """Numbers in one observation: two a moon."""
    n_heads: int = 3
    """Memories."""
    head_width: int = 2
    """Numbers in the key and in the value of one memory."""
    linear: Literal["complex", "plain"] = "complex"
    """Maps made of scaled rotations of pairs of coordinates, or any matrices."""
    pairing: Literal["given", "estimated"] = "given"
    """Coordinates (2 i, 2 i + 1) belong together, or pairs are estimated from the first batch (mosaics.pairing)."""
    score: Literal["dot", "gaussian"] = "dot"
    """beta k.k' (published; not a kernel smoother unless all keys have one norm), or -beta |k - k'|^2."""
    beta: float = 50.0
    """Sharpness of retrieval; where all keys have one norm, gaussian 25 gives the weights of dot 50."""
    learn_beta: bool = False
    """Learn one beta a head, starting at `beta`."""
    normalise_keys: bool = False
    """Give every key the norm 1."""
    normalise_values: bool = False
    """Give every value the norm 1."""
    peek: Literal[0, 1] = 1
    """Steps that the value looks ahead: 1, or 0 for the ablation."""
    tied: bool = False
    """Use the key map for the values too (ablation)."""

    def __post_init__(self) -> None:
        integer("channels", self.channels, 1)
        integer("n_heads", self.n_heads, 1)
        integer("head_width", self.head_width, 1)
        choice("linear", self.linear, ("complex", "plain"))
        for name in ("channels", "head_width"):
            if self.linear == "complex" and getattr(self, name) % 2:
                reject(name, "an even number, for complex-linear maps", getattr(self, name))
        choice("pairing", self.pairing, ("given", "estimated"))
        choice("score", self.score, ("dot", "gaussian"))
        real("beta", self.beta, above=0.0)
        integer("peek", self.peek, 0, 1)

    def build(self, seed: int | Sequence[int] = 0) -> MoonsModel:
        """Return the model that starts from `seed`, or a population with one member a seed."""
        return MoonsModel(self, seed)


@dataclass(frozen=True)
class MoonsState:
    """The memory: n stored pairs, and the last key, whose value is not known yet.

    keys (..., B, head, n, width + 1), where the last number tells pairs that count (0) from those with an
    unseen part; values (..., B, head, n, width); pending (..., B, head, 1, width) and pending_seen (..., B),
    None at the start.
    """

    keys: Tensor
    values: Tensor
    pending: Tensor | None = None
    pending_seen: Tensor | None = None


class MoonsModel(nn.Module):
    """The model of this file; `seed` is one number, or a sequence for a population."""

    key_map: nn.Parameter
    value_map: nn.Parameter
    output_map: nn.Parameter
    log_beta: nn.Parameter
    basis: Tensor
    lookup = staticmethod(retrieve)

    def __init__(self, config: MoonsModelConfig, seed: int | Sequence[int] = 0) -> None:
        super().__init__()
        self.config, self.seed = config, seed_or_seeds(seed)
        self.members = None if isinstance(self.seed, int) else len(self.seed)
        if self.members == 0:
            reject("seed", "at least one seed", seed)
        seeds = (self.seed,) if isinstance(self.seed, int) else self.seed
        starts = [start(config, s) for s in seeds]
        for name in starts[0]:
            values = torch.stack([s[name] for s in starts]) if self.members else starts[0][name]
            self.register_parameter(name, nn.Parameter(values.float()))
        if config.pairing == "estimated":
            identity = torch.eye(config.channels)
            self.register_buffer("basis", identity.expand(self.members, -1, -1).clone() if self.members else identity)

    def prepare(self, observation: Tensor) -> None:
        """Estimate the pairing, where the config asks for it, from sequences (..., B, T, C) of each member."""
        if self.config.pairing == "estimated":
            members = observation.double().cpu().numpy().reshape(-1, *observation.shape[-3:])
            bases = torch.from_numpy(np.stack([estimate_basis(rows) for rows in members]))
            self.basis.copy_(bases if self.members else bases[0])

    def maps(self) -> dict[str, Tensor]:
        """Return the matrices W_phi ("key"), W_psi ("value") and W_out ("output"): (..., rows, columns)."""
        value_map = self.key_map if self.config.tied else self.value_map
        maps: dict[str, Tensor] = {"key": self.key_map, "value": value_map, "output": self.output_map}
        if self.config.linear == "complex":
            maps = {role: complex_linear.matrix(parameters) for role, parameters in maps.items()}
        if self.config.pairing == "given":
            return maps
        inner = {role: maps[role] @ self.basis for role in ("key", "value")}
        return inner | {"output": torch.linalg.solve(self.basis, maps["output"])}

    def forward(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        """Predict x_{T+1} at every step T: (..., B, T, C) -> (..., B, T, C).

        `seen` (..., B, T), False where x_T went unseen; such an x_T may hold anything. A population takes one
        batch for all members, (B, T, C), or one each, (S, B, T, C), and returns the latter.
        """
        return self.output(self.retrieved(x, seen))

    def pairs(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return key and value of every step, (..., B, head, T, width); the value of the last step is 0."""
        _, key, value = self._pairs(x, None)
        return key, value

    def retrieved(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        """Return what each memory finds at each step, y_T: (..., B, head, T, width)."""
        query, keys, values = self._pairs(x, seen)
        return self.lookup(keys, values, beta=self.beta(), score=self.config.score, query=query)

    def weights(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        """Return the retrieval weights of each memory, (..., B, head, T, T)."""
        query, keys, _ = self._pairs(x, seen)
        return retrieval_weights(keys, beta=self.beta(), score=self.config.score, query=query)

    def beta(self) -> float | Tensor:
        """Sharpness: the number of the config, or one a head, (..., 1, head), when learned."""
        return self.log_beta.exp()[..., None, :] if self.config.learn_beta else self.config.beta

    def num_parameters(self) -> int:
        """Count the numbers that training can change, of one member."""
        return sum(p.numel() for p in self.parameters()) // (self.members or 1)

    def flops_per_token(self, context: int) -> float:
        """Multiplications and additions of one prediction after `context` steps."""
        inner = self.config.n_heads * self.config.head_width
        return 6.0 * inner * self.config.channels + 4.0 * inner * context

    def initial_state(self, batch_size: int) -> MoonsState:
        """Return the empty memory."""
        heads, width = self.config.n_heads, self.config.head_width
        lead = (self.members,) if self.members else ()
        empty = next(self.parameters()).new_zeros((*lead, batch_size, heads, 0, width + 1))
        return MoonsState(empty, empty[..., :-1])

    def step(self, x: Tensor, state: MoonsState, seen: Tensor | None = None) -> tuple[Tensor, MoonsState]:
        """Read x_T (..., B, C), store the pair that it completes, predict x_{T+1} (..., B, C); O(stored)."""
        seen = _everything(x) if seen is None else seen
        now = _blanked(x, seen)[..., None, :]
        key, value = self._heads("key", now), self._heads("value", now)
        if self.config.peek and state.pending is not None and state.pending_seen is not None:
            state = self._store(state, state.pending, value, seen & state.pending_seen)
        prediction = self._recall(key, state)
        if not self.config.peek:
            state = self._store(state, key, value, seen)
        return prediction, replace(state, pending=key, pending_seen=seen)

    def read(self, context: Tensor, seen: Tensor | None = None) -> tuple[Tensor, MoonsState]:
        """Read x_0 .. x_{T-1} (..., B, T, C) at once: the prediction of x_T, (..., B, C), and the state."""
        seen = _everything(context) if seen is None else seen
        query, keys, values = self._pairs(context, seen)
        last = query[..., -1:, :-1]
        state = MoonsState(keys[..., :-1, :], values[..., :-1, :], last, seen[..., -1])
        prediction = self._recall(last, state)
        return prediction, state if self.config.peek else replace(state, keys=keys, values=values)

    def free_run(self, context: Tensor, steps: int, *, frozen: bool = False, seen: Tensor | None = None) -> Tensor:
        """Continue x_0 .. x_{T-1} by `steps` predictions, each the next input: (..., B, steps, C).

        Generated pairs are stored like seen ones, or the memory stays `frozen` as the context left it.
        """
        prediction, state = self.read(context, seen)
        path = [prediction]
        for _ in range(integer("steps", steps, 1) - 1):
            if frozen:
                prediction = self._recall(self._heads("key", prediction[..., None, :]), state)
            else:
                prediction, state = self.step(prediction, state)
            path.append(prediction)
        return torch.stack(path, dim=-2)

    def _heads(self, role: str, x: Tensor) -> Tensor:
        """W_phi x_T ("key") or W_psi x_T ("value"), cut into heads and normalised: (..., B, head, T, width)."""
        heads = (_batched(self.maps()[role], x) @ x.mT).unflatten(-2, (self.config.n_heads, -1)).mT
        normalise = self.config.normalise_keys if role == "key" else self.config.normalise_values
        return _unit(heads) if normalise else heads

    def _pairs(self, x: Tensor, seen: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value of every step; the value is zero where x_{T+1} or the pair went unseen."""
        x = x if seen is None else _blanked(x, seen)
        key = self._heads("key", x)
        value = self._heads("value", functional.pad(x[..., 1:, :], (0, 0, 0, 1)) if self.config.peek else x)
        if seen is None:
            return key, key, value
        stored = seen & functional.pad(seen[..., 1:], (0, 1)) if self.config.peek else seen
        return self._query(key), self._flagged(key, stored), value * stored[..., None, :, None]

    def _query(self, key: Tensor) -> Tensor:
        """Append the number that meets the flag of :meth:`_flagged`."""
        return functional.pad(key, (0, 1), value=1.0 if self.config.score == "dot" else 0.0)

    def _flagged(self, key: Tensor, stored: Tensor) -> Tensor:
        """Append 0 where the pair is `stored` (..., B, T), else what takes UNSEEN_SCORE off its score."""
        beta = torch.as_tensor(self.beta(), dtype=key.dtype, device=key.device).detach()
        far = UNSEEN_SCORE / beta
        far = (-far if self.config.score == "dot" else far.sqrt()).expand(key.shape[:-2])[..., None]
        return torch.cat([key, torch.where(stored[..., None, :], 0.0, far)[..., None]], dim=-1)

    def _store(self, state: MoonsState, key: Tensor, value: Tensor, stored: Tensor) -> MoonsState:
        flagged, value = self._flagged(key, stored[..., None]), value * stored[..., None, None, None]
        keys, values = torch.cat([state.keys, flagged], dim=-2), torch.cat([state.values, value], dim=-2)
        return replace(state, keys=keys, values=values)

    def _recall(self, key: Tensor, state: MoonsState) -> Tensor:
        """Prediction from the stored pairs for the key of one step: (..., B, C)."""
        found = recall(self._query(key), state.keys, state.values, beta=self.beta(), score=self.config.score)
        return self.output(found).squeeze(-2)

    def output(self, found: Tensor) -> Tensor:
        """W_out y_T for y (..., B, head, T, width): (..., B, T, C)."""
        inner = found.mT.flatten(-3, -2).mT
        return inner @ _batched(self.maps()["output"], inner).mT


def start(config: MoonsModelConfig, seed: int) -> dict[str, Tensor]:
    """Return the parameters of one member at the start, float64, the same on every machine."""
    inner = config.n_heads * config.head_width
    shapes = {"key_map": (inner, config.channels), "value_map": (inner, config.channels)}
    shapes["output_map"] = (config.channels, inner)
    if config.tied:
        del shapes["value_map"]
    parameters = {}
    for name, (rows, columns) in shapes.items():
        draw = Stream(seed, "moons_model", name).uniform(0, rows * columns).reshape(rows, columns)
        plain = torch.from_numpy((2.0 * draw - 1.0) / math.sqrt(columns))
        parameters[name] = complex_linear.project(plain) if config.linear == "complex" else plain
    if config.learn_beta:
        parameters["log_beta"] = torch.full((config.n_heads,), math.log(config.beta), dtype=torch.float64)
    return parameters


def _batched(matrix: Tensor, x: Tensor) -> Tensor:
    """Repeat a map, (rows, columns) or (S, rows, columns), for each sequence of `x`, without a copy.

    A product of equal batches is one call without copies; torch folds unequal ones with several.
    """
    matrix = matrix[..., None, :, :]
    return matrix.expand(*torch.broadcast_shapes(matrix.shape[:-2], x.shape[:-2]), *matrix.shape[-2:])


def _unit(vectors: Tensor) -> Tensor:
    return vectors * (vectors.square().sum(-1, keepdim=True) + SMALLEST_NORM**2).rsqrt()


def _everything(x: Tensor) -> Tensor:
    return torch.ones(x.shape[:-1], dtype=torch.bool, device=x.device)


def _blanked(x: Tensor, seen: Tensor) -> Tensor:
    return x.masked_fill(~seen[..., None], 0.0)
