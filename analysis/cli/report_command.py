"""`mosaicbench report DIR`: draw a study's page again from the results in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from analysis.cli.list_command import registry_of
from analysis.studies.folder import read_study
from toyworlds.core.validate import DataError, from_dict, reject


@dataclass(frozen=True)
class Command:
    """Draw the page of a study again from what its folder holds; computes nothing new."""

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of studies."""

    def run(self) -> None:
        """Draw each page."""
        if not self.folders:
            reject("folders", "at least one folder of a study", ())
        studies = registry_of("studies")
        for folder in self.folders:
            name, config = read_study(folder)
            if name not in studies:
                raise DataError(f"{folder / 'study.json'}: unknown study {name!r}")
            try:
                study = from_dict(studies[name], config, "config")
            except ValueError as error:
                raise DataError(f"{folder / 'study.json'}: {error}") from None
            print(f"page: {study.report(folder).resolve()}")
