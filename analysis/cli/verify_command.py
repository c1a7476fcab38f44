"""`mosaicbench verify DIR`: recompute the hashes of a dataset folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from analysis.cli.list_command import registry_of
from toyworlds.core.storage import open_dataset
from toyworlds.core.validate import reject


@dataclass(frozen=True)
class Command:
    """Recompute the hashes of dataset folders; exit status 1 names the file that differs."""

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Dataset folders."""

    def run(self) -> None:
        """Verify each folder."""
        registry_of("worlds")
        if not self.folders:
            reject("folders", "at least one dataset folder", ())
        for folder in self.folders:
            rows = open_dataset(folder).verify()
            print(f"{folder}: whole (" + ", ".join(f"{name} {count:,} rows" for name, count in rows.items()) + ")")
