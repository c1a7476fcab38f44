"""Causal traceability: a prediction hangs on the pairs that its trace names, and not on others of the same weight.

At one step of a problem the trace gives each stored pair i of a memory its weight w_i and its contributions c_i to all
logits z; p = softmax(z). From these alone follows what should happen to the logits when pairs S are tampered with:

    silence    the value becomes 0, the weight stays                dz = - sum_S c_i
    remove     the pair goes, its weight goes to the others         dz = (W C - sum_S c_i) / (1 - W),  W = sum_S w_i,
               of its memory                                             C = sum of c over that memory

    expected effect    total variation between p and softmax(z + dz); memories add up
    named              pairs with a large expected effect, at least `floor` of the largest
    matched            for each of these another pair of the same memory (layer, level and head), with a weight within a
                       factor `ratio` of its own, and an expected effect of at most `share` of its own; each is used
                       once

The `pairs` most effective that have a partner are tampered with just before the prediction, and then, in their stead,
their partners. What is then seen in the model itself, all that follows in later layers and norms included:

    effect     total variation between p before and after
    flip       the most probable token is another

On moons, z is one coordinate of the predicted observation, drawn for each sequence, and effects are |dz|; a moons
model is one layer of memories without a norm, so there what is expected is what happens.

A memory returns a weighted mean, so a pair that says what its whole memory says can be removed without effect, though
it contributes much: the others take over. `account` = "contribution" names pairs by what they contribute (dz of
silence) whatever is done to them; "intervention" by what the trace expects of the very intervention.

Effect sizes with intervals come from `analysis.trace_effects`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from regbench.problems import Problems
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import InputError, choice, integer, real, reject

if TYPE_CHECKING:
    from mosaics.trace import Trace

SIDES = ("named", "matched")
MEASURES = ("weight", "expected", "effect", "flip")
Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]
ALONE = 1e-9
"""A memory whose other pairs weigh less than this has nobody to hand a weight to."""


@dataclass(frozen=True)
class Traceability:
    """What is done to pairs, and how they are named and matched."""

    intervention: Literal["silence", "remove"] = "remove"
    """The value becomes 0 and the weight stays, or the pair goes and its weight goes to the others."""
    account: Literal["contribution", "intervention"] = "intervention"
    """Pairs are named by their contributions, or by what the trace expects of the intervention."""
    pairs: int = 4
    """Named pairs at most."""
    floor: float = 0.5
    """A named pair's expected effect is at least this share of the largest."""
    ratio: float = 1.25
    """Weights match within this factor."""
    share: float = 0.25
    """A matched pair's expected effect is at most this share of the named pair's."""
    first: int = 20
    """First row from which the step of a problem is drawn."""
    seed: int = 0
    """Seed of the drawn steps, and of the drawn coordinates on moons."""

    def __post_init__(self) -> None:
        choice("intervention", self.intervention, ("silence", "remove"))
        choice("account", self.account, ("contribution", "intervention"))
        integer("pairs", self.pairs, 1)
        real("floor", self.floor, 0.0, 1.0)
        real("ratio", self.ratio, 1.0)
        if real("share", self.share, 0.0) >= 1.0:
            reject("share", "a number of at least 0 and below 1", self.share)
        integer("first", self.first, 0)
        integer("seed", self.seed, 0)


def steps(problems: Problems, how: Traceability) -> Iterator[tuple[int, int]]:
    """(problem, row) of the drawn steps, for those problems that have a labelled row from `first` on."""
    draws = Stream(how.seed, "traceability", "step").uniform(0, len(problems))
    for problem, draw in enumerate(draws):
        rows = np.flatnonzero(problems.labels[problem] >= 0)
        rows = rows[rows >= how.first]
        if len(rows):
            yield problem, int(rows[int(draw * len(rows))])


def total_variation(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Half the sum of absolute differences of the softmax of logits (.., K)."""
    first, second = (np.exp(z - np.logaddexp.reduce(z, axis=-1, keepdims=True)) for z in (before, after))
    return np.asarray(np.abs(first - second).sum(-1) / 2.0)


def absolute(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Sum of absolute differences of outputs (.., K)."""
    return np.asarray(np.abs(before - after).sum(-1))


@dataclass(frozen=True)
class Stored:
    """The stored pairs of a trace: table (its lines), weights (n,), contributions (n, K), memory (n,) by number."""

    table: pd.DataFrame
    weights: np.ndarray
    contributions: np.ndarray
    memory: np.ndarray
    logits: np.ndarray
    distance: Distance = total_variation

    @classmethod
    def of(cls, found: Trace, distance: Distance = total_variation) -> Stored:
        """Pairs of a trace of all logits, or of other outputs with the distance that effects are taken in."""
        pairs = ((found.parts["kind"] == "pair") & (found.parts["weight"] > 0)).to_numpy()
        table = found.parts[pairs].reset_index(drop=True)
        memory = table.groupby(["layer", "memory", "head"]).ngroup().to_numpy()
        contributions = found.contributions[pairs]
        return cls(table, table["weight"].to_numpy(), contributions, memory, found.predicted, distance)

    def shift(self, chosen: Sequence[int], intervention: str) -> np.ndarray:
        """Change of the logits (K,) that the trace expects of tampering with the pairs numbered `chosen`."""
        total = np.zeros_like(self.logits)
        for memory in np.unique(self.memory[list(chosen)]):
            some = [pair for pair in chosen if self.memory[pair] == memory]
            gone, weight = self.contributions[some].sum(0), self.weights[some].sum()
            if intervention == "remove" and 1.0 - weight > ALONE:
                whole = self.contributions[self.memory == memory].sum(0)
                total += (weight * whole - gone) / (1.0 - weight)
            else:
                total -= gone
        return total

    def expected(self, intervention: str) -> np.ndarray:
        """Expected effect of tampering with each pair alone, (n,)."""
        shifts = np.stack([self.shift([pair], intervention) for pair in range(len(self.weights))])
        return self.distance(self.logits, self.logits + shifts)


def match(stored: Stored, how: Traceability) -> tuple[list[int], list[int]]:
    """Numbers of the named pairs and, in the same order, of those matched to them."""
    effect = stored.expected("silence" if how.account == "contribution" else how.intervention)
    order = [pair for pair in np.argsort(-effect, kind="stable") if effect[pair] >= how.floor * effect.max(initial=0.0)]
    free = np.ones(len(effect), bool)
    named: list[int] = []
    matched: list[int] = []
    for pair in order:
        distance = np.abs(np.log(stored.weights / stored.weights[pair]))
        fits = free & (stored.memory == stored.memory[pair]) & (distance <= np.log(how.ratio))
        fits &= effect <= how.share * effect[pair]
        if free[pair] and fits.any() and len(named) < how.pairs:
            partner = int(np.where(fits, distance, np.inf).argmin())
            named.append(int(pair))
            matched.append(partner)
            free[[pair, partner]] = False
    return named, matched


def measure(model: Any, problems: Problems, how: Traceability | None = None) -> pd.DataFrame:
    """One line a problem: what tampering with its named and with its matched pairs does.

    Columns: problem, row, pairs (on each side), and for either side weight (sum), expected, effect, flip, with the
    suffixes _named and _matched. Problems without any match keep their line, with pairs = 0 and NaN.
    """
    from mosaics.trace import exact, trace

    how, model = how or Traceability(), exact(model)
    lines = []
    for problem, row in steps(problems, how):
        tokens = problems.tokens[problem, : row + 1].astype(np.int64)
        stored = Stored.of(trace(model, tokens))
        lines.append(
            {"problem": problem, "row": row} | _tampered(model, tokens, stored, range(len(stored.logits)), how)
        )
    if not lines:
        raise InputError(f"problems: expected one with a labelled row from {how.first} on; got none")
    return pd.DataFrame(lines)


def measure_moons(model: Any, sequences: np.ndarray, how: Traceability | None = None) -> pd.DataFrame:
    """Return the same for a moons model, sequences (n, T, C): one line a sequence; the drawn coordinate, no flip."""
    from mosaics.trace import exact, trace

    how, model = how or Traceability(), exact(model)
    sequences = np.asarray(sequences, np.float64)
    if sequences.ndim != 3 or sequences.shape[1] <= how.first:
        reject("sequences", f"an array (sequences, more than {how.first} steps, coordinates)", sequences.shape)
    drawn = Stream(how.seed, "traceability", "moons").uniform(0, 2 * len(sequences)).reshape(-1, 2)
    lines = []
    for number, (sequence, (place, which)) in enumerate(zip(sequences, drawn, strict=True)):
        row = how.first + int(place * (len(sequence) - how.first))
        output = int(which * sequence.shape[1])
        read = sequence[: row + 1]
        stored = Stored.of(trace(model, read, outputs=[output]), absolute)
        line = _tampered(model, read, stored, [output], how)
        lines.append({"problem": number, "row": row, "output": output} | line)
    return pd.DataFrame(lines).drop(columns=[f"flip_{side}" for side in SIDES], errors="ignore")


def _tampered(
    model: Any, inputs: np.ndarray, stored: Stored, outputs: Sequence[int], how: Traceability
) -> dict[str, Any]:
    """Number of pairs on each side, and what tampering with them does to the outputs at the last step."""
    import torch

    from mosaics.edit import Remove, Replace, change

    nothing = torch.zeros(_value_width(model), dtype=torch.float64)
    sides = dict(zip(SIDES, match(stored, how), strict=True))
    line: dict[str, Any] = {"pairs": len(sides["named"])}
    line |= {f"{measure}_{side}": np.nan for side in SIDES for measure in MEASURES}
    for side, pairs in sides.items() if line["pairs"] else ():
        edits: list[Any] = [
            Remove(**place) if how.intervention == "remove" else Replace(**place, value=nothing)
            for place in places(stored.table.loc[pairs])
        ]
        edited = change(model, inputs, edits, since=len(inputs) - 1)
        before, after = edited.before[list(outputs)], edited.after[list(outputs)]
        line |= {
            f"weight_{side}": stored.weights[pairs].sum(),
            f"expected_{side}": float(
                stored.distance(stored.logits, stored.logits + stored.shift(pairs, how.intervention))
            ),
            f"effect_{side}": float(stored.distance(before, after)),
            f"flip_{side}": float(after.argmax() != before.argmax()),
        }
    return line


def places(pairs: pd.DataFrame) -> list[dict[str, Any]]:
    """Fields that name these pairs of a trace in `mosaics.edit`, a dictionary each."""
    return [{name: line[name] for name in ("layer", "memory", "head", "index")} for line in pairs.to_dict("records")]


def _value_width(model: Any) -> int:
    config = model.config
    return int(config.head_width if hasattr(config, "head_width") else config.width // config.n_heads)
