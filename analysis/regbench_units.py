"""Which unit of a sequence model serves which n-gram order and which automaton states, on RegBench.

A unit is a head: a contextual memory of a mosaic, an attention head of a transformer; what it puts out, (w,) numbers a
row, is what it hands to the output map of its layer. Two questions, both over rows drawn from problems:

    needed     d[r, u] = cross-entropy of row r with unit u silenced - without      silenced: its mean over all rows
    told       DCI of the units' outputs over factors that are known for every row (`analysis.scores.dci`)

Groups of rows, all known from the automaton behind the text:

    order      the least n for which the last n - 1 tokens (the beginning of a string is one) tell the law of the next
               symbol, whatever came before: 1, 2, 3, 4, and 5 for "not even four do"
    visits     earlier rows of the problem in the same state: 0, 1-2, 3-5, 6 and more
    state      the state in the canonical numbering, 0 where strings begin; other numbers mean nothing across languages
    edges      symbols that the state allows

    N[u, g]    = max(0, mean of d[r, u] over the rows of group g)
    selectivity of N = sum_u rho_u (1 - H(N_u)), as the D of DCI: 1 when each unit is needed in one group, 0 when each
    is needed in all alike

Factors, numbers per symbol, the news of each order:

    order 1    p_1                 p_n what an n-gram (Witten-Bell) of the text so far predicts
    order n    p_n - p_(n-1)       n = 2, 3
    state      q - p_3             q what the state oracle predicts, who is told the states but not their edges

and, as a check of what units read: the last token, the one before, and the one before that, as classes.

Reference: docs/regbench_units.md; Eastwood and Williams, ICLR 2018, for DCI.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.scores.codes import class_targets
from analysis.scores.dci import disentanglement
from regbench.metrics import score
from regbench.ngram import NGram
from regbench.oracle import StateOracle
from regbench.problems import Problems
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import integer, reject

if TYPE_CHECKING:
    from torch import nn

MOST_ORDER = 5
"""Order of the rows whose law four tokens do not tell."""
VISITS = (0, 1, 3, 6)
"""First number of earlier visits of each group."""


def order_needed(problems: Problems) -> np.ndarray:
    """Least n-gram order that tells the law of each row, (n, T) int8; 0 on padding.

    A set of states is kept for each length m of the context: all states m tokens ago, walked along those tokens.
    """
    automata, separator = problems.automata, problems.vocabulary - 1
    n, longest = problems.tokens.shape
    law = _law_numbers(problems)
    start = np.zeros((n, automata.states), bool)
    start[np.arange(n), automata.start] = True
    used = np.arange(automata.states) < automata.n_states[:, None]
    before = [used] + [start] * (MOST_ORDER - 2)
    order = np.zeros((n, longest), np.int8)
    for t in range(longest):
        token = problems.tokens[:, t]
        moved = [_moved(states, automata.next_state, token) for states in before]
        now = [used] + [np.where((token == separator)[:, None], start, states) for states in moved]
        told = np.stack([_one_law(states, law) for states in now])
        order[:, t] = np.where(told.any(0), told.argmax(0) + 1, MOST_ORDER)
        before = now[:-1]
    return np.where(problems.inside, order, 0)


def _moved(states: np.ndarray, next_state: np.ndarray, token: np.ndarray) -> np.ndarray:
    """Sets of states (n, S) after a symbol each, by automata next_state (n, S, A)."""
    n, size = states.shape
    symbol = np.clip(token - 1, 0, next_state.shape[2] - 1)
    after = next_state[np.arange(n), :, symbol]
    out = np.zeros((n, size), bool)
    problem, state = np.nonzero(states & (after >= 0))
    out[problem, after[problem, state]] = True
    return out


def _law_numbers(problems: Problems) -> np.ndarray:
    """A number for each state that names its law among all laws, (n, S)."""
    law = problems.automata.law()
    _, number = np.unique(law.reshape(-1, law.shape[2]), axis=0, return_inverse=True)
    return number.reshape(law.shape[:2])


def _one_law(states: np.ndarray, law: np.ndarray) -> np.ndarray:
    """True where all states of a set (n, S) have one law."""
    most = np.where(states, law, -1).max(1)
    return np.asarray(most == np.where(states, law, np.iinfo(np.int64).max).min(1))


def earlier_visits(problems: Problems) -> np.ndarray:
    """Rows of the problem so far in the state of each row, itself left out, (n, T) int64."""
    here = problems.states[:, :, None] == np.arange(problems.automata.states)
    count = np.cumsum(here, axis=1) - here
    state = np.maximum(problems.states, 0)[:, :, None].astype(np.int64)
    return np.take_along_axis(count, state, 2)[:, :, 0]


def groups(problems: Problems) -> dict[str, tuple[np.ndarray, list[str]]]:
    """Number of the group of each row, (n, T), and the groups' names, by grouping; see the module."""
    size = problems.automata.states
    edges = np.take_along_axis((problems.automata.law() > 0).sum(2), np.maximum(problems.states, 0).astype(np.int64), 1)
    visits = np.searchsorted(VISITS, earlier_visits(problems), side="right") - 1
    ends = [*(following - 1 for following in VISITS[1:]), None]
    spans = [
        f"{a}" if a == b else f"{a} and more" if b is None else f"{a}-{b}" for a, b in zip(VISITS, ends, strict=True)
    ]
    orders = [f"{n}-gram" for n in range(1, MOST_ORDER)] + ["longer"]
    return {
        "order": (order_needed(problems).astype(np.int64) - 1, orders),
        "visits": (visits, spans),
        "state": (problems.states.astype(np.int64), [f"state {q}" for q in range(size)]),
        "edges": (edges - 1, [f"{d + 1} allowed" for d in range(problems.automata.symbols)]),
    }


def news(problems: Problems, world: Any) -> dict[str, np.ndarray]:
    """Factors of every row, (n, T, symbols) each: what each n-gram order and the state add; see the module."""
    assert problems.raw_states is not None
    size = problems.vocabulary
    grams = [NGram(order, "witten-bell").predict(problems.tokens, size) for order in (1, 2, 3)]
    oracle = StateOracle.of(world).predict(problems.tokens, problems.raw_states, size)
    found = {"order 1": grams[0], "order 2": grams[1] - grams[0], "order 3": grams[2] - grams[1]}
    return {name: part[:, :, 1:-1] for name, part in (found | {"state": oracle - grams[2]}).items()}


@dataclass(frozen=True)
class Rows:
    """Rows drawn from problems, as many from each: numbers of problem and row, (n,) each, problem by problem."""

    problem: np.ndarray
    row: np.ndarray
    each: int

    @classmethod
    def draw(cls, problems: Problems, each: int, seed: int = 0) -> Rows:
        """`each` rows of every problem, without replacement, from the third on, in the order of the text."""
        integer("each", each, 1, int(problems.lengths.min()) - 2)
        longest = problems.tokens.shape[1]
        words = Stream(seed, "regbench_units", "rows").uniform(0, problems.tokens.size).reshape(-1, longest)
        place = np.arange(longest)
        free = problems.inside & (place >= 2)
        chosen = np.sort(np.where(free, words, 2.0).argsort(axis=1, kind="stable")[:, :each], axis=1)
        return cls(np.repeat(np.arange(len(problems)), each), chosen.ravel(), each)

    def of(self, table: np.ndarray) -> np.ndarray:
        """Lines of a table (n, T, ..) at these rows."""
        return table[self.problem, self.row]


def tokens_read(problems: Problems, rows: Rows) -> dict[str, np.ndarray]:
    """The last three tokens of each row as classes, (n, classes) each."""
    names = ("last token", "one before", "two before")
    return {name: class_targets(problems.tokens[rows.problem, rows.row - back]) for back, name in enumerate(names)}


def output_maps(model: nn.Module) -> list[Any]:
    """The output map of every layer's contextual memories or attention heads, from the first layer on.

    InputError for a model that has neither, or whose heads do not share one map.
    """
    found = []
    for block in getattr(model, "blocks", []):
        unit = getattr(block, "contextual", None) or getattr(block, "attention", None)
        found.append(getattr(unit, "output", None))
    config: Any = model.config
    if not found or any(getattr(module, "in_features", 0) != config.width for module in found):
        reject("model", "a mosaic or a transformer with one map behind the heads of a layer", type(model).__name__)
    return found


def names_of_units(model: nn.Module) -> list[str]:
    """``block 0, head 0`` and so on."""
    config: Any = model.config
    return [f"block {layer}, head {head}" for layer in range(len(output_maps(model))) for head in range(config.n_heads)]


@contextmanager
def _before(maps: Sequence[Any], change: Any) -> Iterator[None]:
    """Let ``change(layer, x)`` see, and replace where it returns something, what the heads of a layer put out."""

    def called(layer: int, module: Any, given: Any) -> Any:
        new = change(layer, given[0])
        return None if new is None else (new,)

    handles = [module.register_forward_pre_hook(partial(called, layer)) for layer, module in enumerate(maps)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def outputs(model: nn.Module, problems: Problems) -> np.ndarray:
    """What every unit puts out at every row, (n, T, units, w) float32; rows of padding mean nothing."""
    import torch

    from mosaics.tasks.regbench import predict

    config: Any = model.config
    maps = output_maps(model)
    parts: list[list[Any]] = [[] for _ in maps]
    with _before(maps, lambda layer, x: parts[layer].append(x.clone())):
        predict(model, problems.tokens)
    layers = [torch.cat(part).unflatten(-1, (config.n_heads, -1)) for part in parts]
    return torch.cat(layers, 2).float().cpu().numpy()


def cross_entropy(model: nn.Module, problems: Problems, unit: int | None = None, value: Any = None) -> np.ndarray:
    """Cross-entropy of every row against the automaton's law, (n, T); with `unit` putting out `value` (w,) always."""
    import torch

    from mosaics.tasks.regbench import predict

    config: Any = model.config
    maps = output_maps(model) if unit is not None else []
    width = config.width // config.n_heads
    mine, head = divmod(unit or 0, config.n_heads)

    def change(layer: int, x: Any) -> Any:
        if layer != mine:
            return None
        x = x.clone()
        x[..., head * width : (head + 1) * width] = torch.as_tensor(value, dtype=x.dtype, device=x.device)
        return x

    with _before(maps, change):
        return score(predict(model, problems.tokens), problems, kind="logits").values["cross_entropy"]


def needed(model: nn.Module, problems: Problems, put_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cross-entropy of each row (n, T), and d, what silencing each unit adds to it, (n, T, units).

    `put_out` is what `outputs` returns.
    """
    means = put_out[problems.inside].mean(0)
    whole = cross_entropy(model, problems)
    change = [cross_entropy(model, problems, unit, mean) - whole for unit, mean in enumerate(means)]
    return whole, np.stack(change, 2)


def group_means(differences: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    """Mean of differences (r, units) over the rows of each group (r,), (units, count); NaN where no row is."""
    rows = np.bincount(group, minlength=count)
    sums = np.stack([np.bincount(group, column, minlength=count) for column in differences.T])
    return np.where(rows > 0, sums / np.maximum(rows, 1), np.nan)


def selectivity(differences: Any, targets: Any) -> float:
    """Selectivity of N for differences (r, units) and groups as classes (r, groups), or a list with that alone."""
    table = np.asarray(differences, np.float64).reshape(len(differences), -1)
    classes = np.asarray(targets[0] if isinstance(targets, list) else targets)
    means = group_means(table, classes.argmax(1), classes.shape[1])
    return disentanglement(np.maximum(means[:, ~np.isnan(means).any(0)], 0.0))
