"""`mosaicbench verify DIR`: recompute the hashes of a folder of a dataset or of token streams."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from analysis.cli.list_command import registry_of
from analysis.cli.text_folder import holds_text, verify_text
from toyworlds.core.storage import open_dataset
from toyworlds.core.validate import reject


@dataclass(frozen=True)
class Command:
    """Recompute the hashes of folders; exit status 1 names the file that differs."""

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of datasets, or of token streams (prepare-text)."""

    def run(self) -> None:
        """Verify each folder."""
        registry_of("worlds")
        if not self.folders:
            reject("folders", "at least one folder", ())
        for folder in self.folders:
            text = holds_text(folder)
            counts = verify_text(folder) if text else open_dataset(folder).verify()
            unit = "tokens" if text else "rows"
            print(f"{folder}: whole (" + ", ".join(f"{name} {count:,} {unit}" for name, count in counts.items()) + ")")
