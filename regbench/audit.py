"""Do two datasets share languages? Decided from the stored automata, not from stored hashes or from the seed.

Every stored edge list is read back, minimised and brought to canonical form again; two problems share a language
exactly when these forms are equal (their hashes are compared, 128 bits). Of each split it is also counted how
often it repeats a language of its own, and whether the stored hash is the one recomputed.

>>> from regbench.suites import RegBench
>>> found = audit_rows({"a": canonical_hashes(RegBench().generate(0, "test", 0, 8), RegBench())})
>>> found.shared, found.repeats
({}, {'a': 0})
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from regbench.suites import RegBench, automata_of
from toyworlds.core.storage import Dataset, open_dataset
from toyworlds.core.validate import DataError, InputError


@dataclass(frozen=True)
class Audit:
    """What an audit found; the names are "folder: split"."""

    rows: dict[str, int]
    """Problems of each split."""
    repeats: dict[str, int]
    """Problems whose language occurs earlier in their own split."""
    shared: dict[tuple[str, str], int]
    """For each pair of splits: problems of the second whose language occurs in the first."""

    @property
    def clean(self) -> bool:
        """True when no two splits share a language."""
        return not any(self.shared.values())

    def __str__(self) -> str:
        lines = [f"{name}: {rows} problems, {self.repeats[name]} repeats" for name, rows in self.rows.items()]
        for (first, second), count in self.shared.items():
            lines.append(f"{second}: {count} of {self.rows[second]} problems have a language of {first}")
        return "\n".join(lines)


def audit(datasets: Sequence[Dataset | str | Path]) -> Audit:
    """Audit all splits of some datasets, given as folders or opened, against each other.

    Raises InputError for a dataset that holds no languages and DataError when a stored hash is not that of its
    automaton.
    """
    opened = [data if isinstance(data, Dataset) else open_dataset(data) for data in datasets]
    names = [data.folder.name for data in opened]
    hashes: dict[str, list[str]] = {}
    for number, data in enumerate(opened):
        if not isinstance(data.world, RegBench):
            raise InputError(f"{data.folder}: expected a dataset of languages (regbench); got {data.world.name}")
        name = names[number] if names.count(names[number]) == 1 else f"{names[number]} ({number + 1})"
        for split in data.splits:
            hashes[f"{name}: {split}"] = split_hashes(data, split)
    return audit_rows(hashes)


def split_hashes(data: Dataset, split: str) -> list[str]:
    """Recomputed hashes of a split's languages, in order."""
    found: list[str] = []
    for rows in data.batches(split):
        recomputed = canonical_hashes(rows, data.world)  # type: ignore[arg-type]
        for place, (stored, true) in enumerate(zip(rows["language"], recomputed, strict=True)):
            if stored != true:
                row = len(found) + place
                raise DataError(f"{data.folder}: row {row} of {split} has hash {stored}, its automaton {true}")
        found += recomputed
    return found


def canonical_hashes(rows: Mapping[str, Any], world: RegBench) -> list[str]:
    """Hashes of the languages of stored rows, recomputed from the automata as drawn."""
    return automata_of(rows, world, "raw_").hashes()


def audit_rows(hashes: Mapping[str, list[str]]) -> Audit:
    """Audit lists of hashes."""
    sets = {name: set(values) for name, values in hashes.items()}
    return Audit(
        rows={name: len(values) for name, values in hashes.items()},
        repeats={name: len(values) - len(sets[name]) for name, values in hashes.items()},
        shared={(a, b): sum(value in sets[a] for value in hashes[b]) for a, b in combinations(hashes, 2)},
    )
