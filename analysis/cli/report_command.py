"""`mosaicbench report DIR ...`: draw a study's page again, or merge several studies into one page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from analysis.cli.list_command import registry_of
from analysis.studies.folder import load_study
from toyworlds.core.validate import DataError, choice, reject


@dataclass(frozen=True)
class Command:
    """Merge the runs of studies into one page with CSV, Parquet and LaTeX; for one folder, draw its own page again.

    Computes nothing new. A study that is under way is shown by a merged page, also one of this study alone (--out),
    with the runs that are finished; its own page comes when all are.
    """

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of studies."""
    out: Path | None = None
    """Folder of the merged page; none: out/report for several folders, and no merged page for one."""
    metrics: tuple[str, ...] = ()
    """Columns to draw, in order; none for the first six. Tables and files hold all."""
    statistic: Literal["mean", "iqm"] = "mean"
    """Mean over seeds, or interquartile mean (without the lowest and the highest quarter)."""
    files: tuple[Path, ...] = ()
    """Python files that define studies of your own."""

    def run(self) -> None:
        """Write the page and print where it is."""
        if not self.folders:
            reject("folders", "at least one folder of a study", ())
        choice("statistic", self.statistic, ("mean", "iqm"))
        studies = self._studies()
        if len(studies) == 1 and self.out is None:
            if self.metrics:
                reject("metrics", "--out with it, since a study's own page draws what it always does", self.metrics)
            study, folder = studies[0]
            print(f"page: {study.report(folder).resolve()}")
            if hasattr(study, "table"):
                self._merge(studies, folder, page=False)
            return
        for study, folder in studies:
            if not hasattr(study, "table"):
                raise DataError(f"{folder}: a study {study.name} has no table of runs, so that it cannot be merged")
        self._merge(studies, self.out or Path("out") / "report", page=True)

    def _studies(self) -> list[tuple[Any, Path]]:
        from analysis.cli.study_command import study_of_file

        known = registry_of("studies")
        for path in self.files:
            study_of_file(path, known)
        return [(load_study(folder, known), folder) for folder in self.folders]

    def _merge(self, studies: list[tuple[Any, Path]], out: Path, *, page: bool) -> None:
        from analysis.report.merged import write_files, write_report

        if not page:
            write_files(studies, out, statistic=self.statistic)
            return
        if (out / "study.json").exists():
            reject("out", "a folder that holds no study, whose page would be lost", str(out))
        print(f"page: {write_report(studies, out, metrics=self.metrics, statistic=self.statistic).resolve()}")
