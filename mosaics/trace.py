"""Every output of a Memory Mosaic, or of a transformer, as a sum over the memories that made it.

    outputs = R N(h_L) + b_R        N(h) = g (h - mean h) / sigma + b,   sigma frozen at the value that it has
    h_l = h_{l-1} + sum of parts    (post-norm: h_l = N(h_{l-1}) + sum of parts)

With the sigmas frozen, the way from a part u to the outputs is one matrix J, so that output v is a sum of J_v u:

    kind          u                                        layer  head  bank  index
    embedding     E[x_T], or W_in x_T for vectors
    position      P[T], where positions are learned
    pair          w_t W_o^h v_t                            l      h           t, the step whose key is stored
    entry         w_i W_o^h V_i exp(10 value_beta) / banks   l      h     b     i
    hidden        W_2[:, i] times the unit's activation    l                  i, a hidden unit (feed-forward networks)
    bias          b of a norm, a linear map or a read-out

The parts sum to the output, whatever the options of the model, and none of them is "the rest". What is frozen: the
sigmas, and the retrieval weights w. So a part says what a memory adds along the residual path, not what it did to
the keys and values of later layers; what happens without it is another question, which `mosaics.edit` answers.

An attention head of a transformer is a memory whose pair t is made of the input at t alone (no peek), and which asks
with another vector than its key.

The moons model has pairs only: prediction of x_{T+1} = sum over heads h and pairs t of w_t W_out^h v_t.

Step T reads tokens (T + 1,) or vectors (T + 1, C); later inputs do not matter. All numbers are float64.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from mosaics.ends import numbers, whole
from mosaics.lookups import memories
from mosaics.moons_model import MoonsModel
from mosaics.trace_parts import moons_parts, stack_parts
from toyworlds.core.validate import InputError, choice, integer, reject

TOLERANCE = 1e-6
Against = int | Literal["mean"] | None


@dataclass(frozen=True)
class Trace:
    """The parts of the outputs at one step."""

    inputs: np.ndarray
    """What the model read: tokens (T + 1,) or vectors (T + 1, C)."""
    outputs: tuple[int, ...]
    """Numbers of the outputs that are traced: tokens, or coordinates."""
    predicted: np.ndarray
    """(outputs,) the model's own outputs at step T."""
    parts: pd.DataFrame
    """One line a part: kind, where (module), layer, memory, head, bank, index (-1 where there is none), weight (NaN).

    memory is "short" or "long" for the levels of version 2, else empty: what `mosaics.edit` calls it too.
    """
    contributions: np.ndarray
    """(parts, outputs) what each part adds to each output."""
    peek: int
    """Steps that the value of a pair looks ahead of its key."""

    @property
    def position(self) -> int:
        """T, the step whose outputs are traced."""
        return len(self.inputs) - 1

    @property
    def error(self) -> float:
        """Largest difference between an output and the sum of its parts."""
        return float(np.abs(self.contributions.sum(0) - self.predicted).max())

    def contribution(self, output: int, against: Against = None) -> np.ndarray:
        """What each part adds to `output`, (parts,); less what it adds to the output `against`, or to their mean.

        A softmax does not see what is added to all outputs alike, so "mean" is what tells why a token is likely; the
        mean is over the traced outputs.
        """
        column = self.contributions[:, self._column("output", output)]
        if against is None:
            return column
        if isinstance(against, str):
            choice("against", against, ("mean",))
            return column - self.contributions.mean(1)
        return column - self.contributions[:, self._column("against", against)]

    def table(self) -> pd.DataFrame:
        """`parts` with one column an output: what each part adds to it."""
        columns = pd.DataFrame(self.contributions, columns=[f"output_{output}" for output in self.outputs])
        return pd.concat([self.parts, columns], axis=1)

    def frame(self, output: int, against: Against = None) -> pd.DataFrame:
        """`parts` with a column ``contribution``, the largest in size first."""
        table = self.parts.assign(contribution=self.contribution(output, against))
        return table.sort_values("contribution", key=np.abs, ascending=False, ignore_index=True)

    def by_kind(self, output: int, against: Against = None) -> pd.Series:
        """Sum of the contributions of each kind of part, and layer where there is one."""
        layer = self.parts["layer"].map(lambda layer: f" {layer}" if layer >= 0 else "")
        names = self.parts["kind"] + layer
        return pd.Series(self.contribution(output, against)).groupby(names.to_numpy(), sort=False).sum()

    def by_source(self, output: int, against: Against = None) -> pd.DataFrame:
        """Contributions of the pairs as a table: one line a (where, head), one column a step t < = T."""
        pairs = (self.parts["kind"] == "pair").to_numpy()
        table = self.parts[pairs].assign(contribution=self.contribution(output, against)[pairs])
        steps = pd.RangeIndex(len(self.inputs), name="index")
        wide = table.pivot_table("contribution", ["where", "head"], "index", aggfunc="sum", sort=False)
        return wide.reindex(columns=steps).fillna(0.0)

    def _column(self, argument: str, output: int) -> int:
        if output not in self.outputs:
            reject(argument, f"one of the {len(self.outputs)} traced outputs", output)
        return self.outputs.index(output)


@torch.no_grad()
def trace(
    model: nn.Module,
    inputs: Tensor | np.ndarray | Sequence[int],
    position: int = -1,
    outputs: Sequence[int] | None = None,
) -> Trace:
    """Trace the outputs of a Memory Mosaic (either version), a transformer or a moons model at one step.

    Parameters
    ----------
    model : MemoryMosaic, MemoryMosaicV2, Transformer or MoonsModel
        In any dtype; the trace is made in float64, from a copy in evaluation mode.
    inputs : (T,) tokens or (T, C) vectors
        One sequence.
    position : int
        The step whose outputs are traced; negative numbers count from the end.
    outputs : sequence of int
        Tokens or coordinates to trace; None for all of them.

    Raises
    ------
    InputError
        For another model, a population, inputs or a position that do not fit; and where the parts do not sum to the
        outputs, as when the model is being edited.

    """
    lone, read = until(model, inputs, position)
    predicted = lone(read[None])[0, -1]
    chosen = tuple(range(len(predicted)) if outputs is None else outputs)
    if not chosen:
        reject("outputs", "at least one output", outputs)
    chosen = tuple(integer("outputs", output, 0, len(predicted) - 1) for output in chosen)
    parts = (moons_parts if isinstance(lone, MoonsModel) else stack_parts)(lone, read, chosen)
    table = pd.concat([part.frame() for part in parts], ignore_index=True)
    contributions = torch.cat([part.contributions for part in parts]).numpy()
    peek = getattr(lone.config, "peek", 1)
    found = Trace(read.numpy(), chosen, predicted[list(chosen)].numpy(), table, contributions, peek)
    if not found.error <= TOLERANCE * max(1.0, float(np.abs(found.predicted).max())):
        raise InputError(f"model: its outputs are not the sum of their parts (off by {found.error:.2g}): is it edited?")
    return found


def until(model: nn.Module, inputs: Any, position: int) -> tuple[Any, Tensor]:
    """Return the model as `exact` does, and the inputs up to `position`; InputError for models without memories."""
    memories(model)
    lone = exact(model)
    read = as_inputs(lone, inputs)
    last = range(len(read))[integer("position", position, -len(read), len(read) - 1)]
    return lone, read[: last + 1]


def exact(model: Any) -> Any:
    """Return the model in float64 on the CPU and in evaluation mode: itself where it is that already, else a copy."""
    like = next(model.parameters())
    if like.dtype == torch.float64 and like.device.type == "cpu" and not model.training:
        return model
    return copy.deepcopy(model).to("cpu", torch.float64).eval()


def as_inputs(model: Any, inputs: Any) -> Tensor:
    """Return one sequence as the model reads it: tokens (T,) int64 or vectors (T, C) float64."""
    tokens = bool(getattr(model.config, "vocabulary", 0))
    expected = f"one sequence of {'tokens (T,)' if tokens else 'vectors (T, C)'}"
    read = numbers("inputs", inputs, expected).detach().cpu()
    if read.dim() != 2 - tokens or not len(read):
        reject("inputs", expected, tuple(read.shape))
    if tokens:
        return whole("inputs", read)
    if not read.isfinite().all():
        reject("inputs", "finite numbers", "NaN or infinite ones")
    return read.double()
