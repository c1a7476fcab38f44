"""What a study checks before it trains anything: models, sizes, seeds, and that no test language was trained on.

>>> check_sizes((100, 5000), 1000)
Traceback (most recent call last):
    ...
toyworlds.core.validate.InputError: sizes: expected at most 1000, the training problems there are; got 5000
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toyworlds.core.validate import DataError, choice, integer, reject

EDGES_SHOWN = 8


def check_models(names: Sequence[str], *tags: str) -> None:
    """Raise an InputError but for names of registered models, at least one and none twice.

    `tags` narrows the choice: "tokens" for models that read tokens, "segments" for those that take packed rows.
    """
    from mosaics.catalogue import MODELS

    known = MODELS.names(*tags)
    for name in _several("models", names):
        choice("models", name, known)


def check_sizes(sizes: Sequence[int], available: int | None = None) -> tuple[int, ...]:
    """Return training sizes, rising, at least one and none twice, none above `available` (None: no limit)."""
    found = tuple(sorted(integer("sizes", size, 1) for size in _several("sizes", sizes)))
    if available is not None and found[-1] > available:
        reject("sizes", f"at most {available}, the training problems there are", found[-1])
    return found


def check_seeds(seeds: int | Sequence[int]) -> tuple[int, ...]:
    """Return seeds: 0 .. n - 1 for a number n of at least 1, or those given, at least one and none twice."""
    if isinstance(seeds, Sequence):
        return tuple(integer("seeds", seed, 0) for seed in _several("seeds", seeds))
    return tuple(range(integer("seeds", seeds, 1)))


def check_disjoint(train: Any, test: Any, *, train_split: str = "train", test_split: str = "test") -> None:
    """Raise a DataError that names a language which is in both the training and the test problems.

    `train` and `test` are `regbench.problems.Problems`, or dataset folders of which a split is read. Languages are
    compared by the hash of the minimal automaton in canonical form, computed here from the automata, not taken from
    the stored column: equal exactly for equal languages, whatever their states are called.
    """
    problems, tested = _problems(train, train_split), _problems(test, test_split)
    trained: dict[str, int] = {}
    for row, name in enumerate(problems.automata.hashes()):
        trained.setdefault(name, row)
    shared = [(row, name) for row, name in enumerate(tested.automata.hashes()) if name in trained]
    if shared:
        row, name = shared[0]
        edges = tested.automata[row].minimise().edges
        shown = ", ".join(f"{state} -{symbol}-> {after}" for state, symbol, after, _ in edges[:EDGES_SHOWN])
        more = ", ..." if len(edges) > EDGES_SHOWN else ""
        raise DataError(
            f"{_place(test, test_split)}: {len(shared)} of {len(tested)} problems have a language of "
            f"{_place(train, train_split)}; problem {row} has that of problem {trained[name]}: "
            f"{name} (edges {shown}{more}). Training and test data must not share a language"
        )


def _problems(source: Any, split: str) -> Any:
    from regbench.problems import Problems, load

    return source if isinstance(source, Problems) else load(Path(source), split)


def _place(source: Any, split: str) -> str:
    return f"{source}, split {split}" if isinstance(source, str | Path) else f"the {split} problems"


def _several(argument: str, values: Sequence[Any]) -> Sequence[Any]:
    if isinstance(values, str) or not isinstance(values, Sequence) or not values or len(set(values)) < len(values):
        reject(argument, "at least one, none of them twice", values)
    return values
