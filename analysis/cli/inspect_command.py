"""`mosaicbench inspect DIR`: show what a folder of data holds, or audit folders for shared languages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from analysis.cli.list_command import registry_of
from analysis.cli.text_folder import describe_text, holds_text
from toyworlds.core.ragged import Ragged
from toyworlds.core.storage import Dataset, open_dataset
from toyworlds.core.validate import DataError, integer, reject

MOST = 100
"""Characters of a text or of an array's numbers that are shown."""


@dataclass(frozen=True)
class Command:
    """Show what folders hold; with --audit, list the languages that any two splits share."""

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of datasets, or of token streams (prepare-text)."""
    rows: int = 2
    """Rows of the first split to show."""
    audit: bool = False
    """Recompute the canonical form of every language and print the overlaps of all splits of all folders."""

    def run(self) -> None:
        """Print the description or the audit."""
        registry_of("worlds")
        integer("rows", self.rows, 0)
        if not self.folders:
            reject("folders", "at least one dataset folder", ())
        if self.audit:
            from regbench.audit import audit

            for folder in filter(holds_text, self.folders):
                raise DataError(f"{folder}: expected a dataset of languages (generate regbench); got token streams")
            print(audit([open_dataset(folder) for folder in self.folders]))
            return
        for folder in self.folders:
            print(describe_text(folder) if holds_text(folder) else describe(open_dataset(folder), self.rows))


def describe(data: Dataset, rows: int) -> str:
    """Splits, columns, and the first rows."""
    manifest = data.manifest
    lines = [f"{data.folder}: {manifest['world']}, version {manifest['generator_version']}, seed {data.seed}", ""]
    lines += [
        f"  {name:<12} {split['rows']:>10,} rows   {sum(file['bytes'] for file in split['files']) / 1e6:10.2f} MB"
        f"   SHA-256 {split['sha256'][:16]}..."
        for name, split in manifest["splits"].items()
    ]
    changed = {k: v for k, v in manifest["config"].items() if v != _default(data, k)}
    lines += ["", "  options away from their defaults: " + (str(changed) if changed else "none"), ""]
    split = next(iter(data.splits))
    sample = data.read(split, 0, rows)
    for column in data.world.columns():
        shape = " x ".join("any" if axis is None else str(axis) for axis in column.shape) or "one"
        unit = f", {column.unit}" if column.unit else ""
        lines.append(f"  {column.name} ({column.role}, {column.dtype}, {shape}{unit})  {column.description}".rstrip())
        lines += [
            f"      {split}[{row}] {_short(sample[column.name], row)}" for row in range(_count(sample, column.name))
        ]
    return "\n".join(lines) + "\n"


def _default(data: Dataset, key: str) -> Any:
    import json

    return json.loads(json.dumps(getattr(type(data.world)(), key)))


def _count(sample: dict[str, Any], name: str) -> int:
    return len(sample[name])


def _short(column: np.ndarray | Ragged, row: int) -> str:
    """One row's value in at most `MOST` characters or so: the ends of an array, the beginning of a text."""
    value = np.asarray(column[row])
    if value.dtype.kind in "OU":
        text = str(value)
        return repr(text if len(text) <= MOST else text[:MOST] + "...")
    ends = 3 if value.ndim < 2 else 1
    text = np.array2string(value, threshold=12, edgeitems=ends, precision=3, max_line_width=10_000)
    return " ".join(text.split()).replace("[ ", "[").replace(" ]", "]")
