"""Predictive disentanglement outside the toy: which unit of a RegBench model serves which n-gram order, which states.

Models are trained by the laptop recipe, of equal parameter count and with equally many heads, from several seeds.
First the models themselves: are they above the trigram on the test set? Then their units: removal, and DCI over known
factors (`analysis.regbench_units`), each against a permutation null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from analysis.engines import Job, run_jobs
from analysis.report.table import runs_table
from analysis.studies import STUDIES
from analysis.studies.finished import finished
from analysis.studies.folder import open_study
from toyworlds.core.validate import choice, integer, reject

if TYPE_CHECKING:
    import pandas as pd

ATTENTION = ("mosaic", "transformer", "rotary_transformer")
"""Models whose heads share one output map."""
MEASURES = {
    "disentanglement": "D: each unit tells one order",
    "lead": "D less that of units dealt anew",
    "completeness": "C: each order is told by one unit",
    "informativeness": "I: how much of it is told",
    "order": "selectivity of removal, by order",
}
FEWEST_ROWS = 256
"""Rows for the 128 numbers that the units put out."""
MOST_EACH = 27
"""The shortest text of the laptop family has 29 tokens, of which the first two are not drawn."""


@STUDIES.register("regbench-units", "regbench")
@dataclass(frozen=True)
class RegBenchUnitsStudy:
    """Which unit of a trained mosaic or transformer serves which n-gram order and which states, on RegBench."""

    models: tuple[str, ...] = ATTENTION
    """Models, of the mosaic's parameter count."""
    seeds: int = 3
    """Models of each kind."""
    steps: int = 2000
    """Updates (laptop recipe)."""
    problems: int = 500
    """Test problems that units are measured on."""
    each: int = 8
    """Rows drawn from each problem for DCI and nulls."""
    permutations: int = 19
    """Permutations of the nulls of DCI; the smallest p-value is 1 / (1 + permutations)."""
    workers: int = 0
    """Processes; 0 for one a core."""

    metrics: ClassVar[dict[str, str]] = {"dfa_accuracy": "DFA accuracy"} | MEASURES
    name: ClassVar[str] = "regbench-units"

    def __post_init__(self) -> None:
        if not self.models or len(set(self.models)) < len(self.models):
            reject("models", "different models, at least one", self.models)
        for model in self.models:
            choice("models", model, ATTENTION)
        integer("seeds", self.seeds, 2)
        for field in ("steps", "problems", "permutations"):
            integer(field, getattr(self, field), 2)
        integer("each", self.each, 1, MOST_EACH)
        if self.problems * self.each < FEWEST_ROWS:
            reject("problems", f"at least {FEWEST_ROWS} rows in all, problems times each", self.problems * self.each)
        integer("workers", self.workers, 0)

    @classmethod
    def presets(cls) -> dict[str, RegBenchUnitsStudy]:
        """`quick` takes some minutes on two cores; `laptop`, half an hour, is what docs/regbench_units.md shows."""
        return {"quick": cls(("mosaic", "transformer"), 2, 600, problems=100, permutations=9), "laptop": cls()}

    def trainings(self) -> dict[str, list[Job]]:
        """Return the jobs that train the models, by model."""
        from analysis.studies.laptop_training import job

        return {model: [job(model, self.steps, seed) for seed in range(self.seeds)] for model in self.models}

    def measurements(self, trainings: Mapping[str, list[Job]]) -> dict[str, list[Job]]:
        """Return the jobs that measure units, by model."""
        from analysis.studies.regbench_units_jobs import job

        how = (self.problems, self.each, self.permutations)
        return {model: [job(training, *how) for training in jobs] for model, jobs in trainings.items()}

    def jobs(self) -> list[Job]:
        """Return every job, trainings first."""
        trainings = self.trainings()
        parts = (trainings, self.measurements(trainings))
        return [job for groups in parts for group in groups.values() for job in group]

    def run(self, out: str | Path) -> Path:
        """Run what is missing, write results and page; return the page's path."""
        jobs, count = self.jobs(), len(self.models) * self.seeds
        out = open_study(out, self)
        for label, part in (("training", jobs[:count]), ("units", jobs[count:])):
            run_jobs(part, out / "jobs", workers=self.workers, label=label)
        return self.report(out)

    def report(self, out: str | Path) -> Path:
        """Write results and page from the finished jobs; a DataError says how many are missing."""
        from analysis.runs import against_ngrams
        from analysis.studies.regbench_units_page import write_page

        jobs, count = self.jobs(), len(self.models) * self.seeds
        results = finished(jobs, out)
        compared = against_ngrams([Path(out) / "jobs" / job.id / "run" for job in jobs[:count]])
        return write_page(self, compared, self._by_model(results[:count]), self._by_model(results[count:]), Path(out))

    def table(self, out: str | Path) -> pd.DataFrame:
        """One line a model whose units are measured (`analysis.report.table`); seconds are those of its training."""
        from analysis.studies.regbench_units_page import scores

        jobs, count = self.jobs(), len(self.models) * self.seeds
        training = dict(zip((job.id for job in jobs[count:]), jobs[:count], strict=True))

        def rows(job: Job, result: dict[str, Any]) -> list[dict[str, Any]]:
            made = training[job.id]
            trained = made.result(Path(out) / "jobs") or {"metrics": {}}
            where = {"model": made.config["model"], "seed": made.config["seed"], "steps": self.steps}
            told = {"dfa_accuracy": trained["metrics"].get("test_dfa_accuracy")} | scores(result)
            return [where | told | {name: trained.get(name) for name in ("parameters", "seconds")}]

        return runs_table(self, Path(out), jobs[count:], rows)

    def _by_model(self, results: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
        return {m: results[place * self.seeds : (place + 1) * self.seeds] for place, m in enumerate(self.models)}
