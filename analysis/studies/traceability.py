"""Whether predictions hang on the pairs that their traces name: models of RegBench and of three moons.

    named      pairs whose removal the trace expects to change the prediction
    matched    for each another pair of the same head, as heavy, that the trace expects to change little
    effect     change of the prediction when either are removed: total variation on RegBench, |dx| on moons

Three accounts of what is done to a pair and how pairs are named (`analysis.studies.traceability_jobs.ACCOUNTS`).
Intervals are over problems, models as strata: they say how sure the effect is for these models.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from analysis.bootstrap import Interval
from analysis.engines import Job, run_jobs
from analysis.report.table import runs_table
from analysis.studies import STUDIES
from analysis.studies.finished import finished
from analysis.studies.folder import open_study
from analysis.studies.traceability_jobs import ACCOUNTS, moons_job, tamper_job
from analysis.trace_effects import Effects, TooFew, effects
from analysis.tracing import SIDES
from toyworlds.core import folders
from toyworlds.core.validate import choice, integer, reject

FEWEST = 5
"""Problems with matched pairs that each model needs for intervals."""
MODELS = ("mosaic", "mosaic_v2", "transformer", "rotary_transformer")
CAPTION = (
    "Mean change of the prediction when the pairs that the trace names are tampered with, and when as many pairs of "
    "the same heads are that are as heavy, but of which the trace expects little. 95 % intervals over problems."
)


HEAD = ("models", "account", "problems", "named", "matched", "ratio", "Cohen's d", "named larger", "correlation")
EFFECTS = (
    "Problems with matched pairs of all; mean change of the prediction on either side. Nothing is said where a model "
    f"has fewer than {FEWEST} such problems."
)
SIZES = (
    "Ratio of the two; Cohen's d of the paired differences; share of problems whose named pairs change the prediction "
    "more than the matched ones; correlation of the change that the trace expects with the one seen."
)


@STUDIES.register("traceability", "regbench", "moons")
@dataclass(frozen=True)
class TraceabilityStudy:
    """Whether predictions hang on the stored pairs that their traces name, on RegBench and on three moons."""

    models: tuple[str, ...] = ("mosaic",)
    """Models of RegBench: mosaic, mosaic_v2, transformer, rotary_transformer."""
    seeds: int = 3
    """Models of each kind."""
    problems: int = 350
    """Test problems of RegBench for each model."""
    sequences: int = 200
    """Held-out sequences of moons for each model; 0 leaves moons out."""
    steps: int = 2000
    """Updates of the models of RegBench (laptop recipe)."""
    moons_steps: int = 500
    """Updates of the moons models (our recipe)."""
    workers: int = 0
    """Processes; 0 for one a core."""

    name: ClassVar[str] = "traceability"
    metrics: ClassVar[dict[str, str]] = {
        "named": "change of the prediction, pairs that the trace names", "matched": "change, matched pairs",
        "ratio": "named over matched", "problems": "problems with matched pairs",
    }  # fmt: skip

    def __post_init__(self) -> None:
        for field in ("seeds", "steps", "moons_steps"):
            integer(field, getattr(self, field), 1)
        if not self.models or len(set(self.models)) < len(self.models):
            reject("models", "different models, at least one", self.models)
        for model in self.models:
            choice("models", model, MODELS)
        integer("problems", self.problems, 2)
        if integer("sequences", self.sequences, 0) == 1:
            reject("sequences", "0, or at least 2", 1)
        integer("workers", self.workers, 0)

    @classmethod
    def presets(cls) -> dict[str, TraceabilityStudy]:
        """`quick` takes two minutes on two cores; `laptop`, a quarter of an hour, is what docs/tracing.md shows."""
        return {"quick": cls(("mosaic",), 1, 60, 60, steps=600, moons_steps=300), "laptop": cls()}

    def trainings(self) -> dict[str, list[Job]]:
        """Return the jobs that train the models, by kind: a model of RegBench, or "moons"."""
        from analysis.studies.laptop_training import job

        seeds = range(self.seeds)
        found = {model: [job(model, self.steps, seed) for seed in seeds] for model in self.models}
        if self.sequences:
            found["moons"] = [moons_job(self.moons_steps, seed) for seed in seeds]
        return found

    def measurements(self) -> dict[tuple[str, str], list[Job]]:
        """Return the jobs that tamper, one a model, by kind and account."""
        rows = {"regbench": self.problems, "moons": self.sequences}
        return {
            (kind, account): [tamper_job(task_of(kind), job, account, rows[task_of(kind)]) for job in trainings]
            for kind, trainings in self.trainings().items()
            for account in ACCOUNTS
        }

    def jobs(self) -> list[Job]:
        """Return every job, trainings first."""
        return [job for groups in (self.trainings(), self.measurements()) for group in groups.values() for job in group]

    def run(self, out: str | Path) -> Path:
        """Run what is missing, write results and page; return the page's path."""
        out = open_study(out, self)
        jobs, count = self.jobs(), self._models()
        for label, part in (("training", jobs[:count]), ("tampering", jobs[count:])):
            run_jobs(part, out / "jobs", workers=self.workers, label=label)
        return self.report(out)

    def report(self, out: str | Path) -> Path:
        """Write results and page from the finished jobs; a DataError says how many are missing."""
        jobs = self.jobs()
        results = dict(zip((job.id for job in jobs), finished(jobs, out), strict=True))
        trained = {job.name: results[job.id]["metrics"] for job in jobs[: self._models()]}
        found = {
            key: measured([pd.DataFrame(results[job.id]) for job in group])
            for key, group in self.measurements().items()
        }
        return self._write(found, trained, Path(out))

    def table(self, out: str | Path) -> pd.DataFrame:
        """One line a model and account (`analysis.report.table`): means over its problems with matched pairs."""
        of = {
            job.id: (kind, account, seed)
            for (kind, account), group in self.measurements().items()
            for seed, job in enumerate(group)
        }

        def rows(job: Job, result: dict[str, Any]) -> list[dict[str, Any]]:
            kind, account, seed = of[job.id]
            table = pd.DataFrame(result)
            found = table[table["pairs"] > 0]
            scores: dict[str, Any] = dict.fromkeys(("named", "matched", "ratio"))
            if len(found):
                named, matched = (float(found[f"effect_{side}"].mean()) for side in SIDES)
                scores = {"named": named, "matched": matched, "ratio": named / matched if matched else None}
            scores["problems"] = len(found)
            return [{"model": f"{title(kind)}: {account}", "seed": seed} | scores]

        return runs_table(self, Path(out), self.jobs()[self._models() :], rows)

    def _models(self) -> int:
        """Number of trained models, whose jobs come first."""
        return self.seeds * (len(self.models) + (self.sequences > 0))

    def _write(self, found: Found, trained: dict[str, Any], out: Path) -> Path:
        from analysis.plots.tracing import effects_figure
        from analysis.provenance import provenance
        from analysis.report.page import Page

        record: dict[str, Any] = {"provenance": provenance(), "study": asdict(self), "models": trained}
        kinds = {kind: title(kind) for kind, _ in found}
        for kind in kinds:
            task = task_of(kind)
            accounts = {a: {"how": _how(task, a), "effects": asdict(found[kind, a])} for a in ACCOUNTS}
            record[task] = accounts if task == kind else record.get(task, {}) | {kind: accounts}
        folders.write_json(out / "causal.json", record)
        page = Page("Do predictions hang on the pairs that their traces name?", lead(found), out / "figures")
        page.section("Effects").figure("traceability", effects_figure(found, kinds, list(ACCOUNTS)), CAPTION)
        lines = [_line(kind, account, one) for (kind, account), one in found.items()]
        page.table(HEAD[:5], [line[:5] for line in lines], EFFECTS)
        sizes = [[*line[:2], *line[5:]] for line in lines if line[5]]
        if sizes:
            page.table([*HEAD[:2], *HEAD[5:]], sizes, SIZES)
        return page.write(out / "index.html")


def task_of(kind: str) -> str:
    """Task of a kind of models: "regbench" or "moons"."""
    return "moons" if kind == "moons" else "regbench"


def title(kind: str) -> str:
    """Words for a kind of models: `three moons`, or the model on RegBench."""
    return "three moons" if kind == "moons" else f"RegBench, {kind.replace('_', ' ')}"


Found = dict[tuple[str, str], Effects | TooFew]
"""What was measured, by kind of models and account."""


def measured(tables: list[pd.DataFrame]) -> Effects | TooFew:
    """Effects over the tables of a kind of models, one a model, where each has `FEWEST` problems with matched pairs."""
    matched = [int((table["pairs"] > 0).sum()) for table in tables]
    return effects(tables) if min(matched) >= FEWEST else TooFew(sum(matched), sum(map(len, tables)) - sum(matched))


def lead(found: Found) -> str:
    """Say what was found, in the sentences that the page opens with."""
    account = "remove, named by expected effect"
    kinds = {kind: one for (kind, name), one in found.items() if name == account}
    ratios = {kind: _short(one.ratio) for kind, one in kinds.items() if isinstance(one, Effects)}
    if not ratios:
        return (
            "Too few problems have matched pairs to say whether predictions hang on the pairs that their traces name."
        )
    parts = [f"{ratio} times as much on {title(kind)}" for kind, ratio in ratios.items()]
    return (
        "Next to removing matched pairs of the same heads, removing the pairs that a trace names changes the "
        f"prediction {', '.join(parts)}."
    )


def _how(task: str, account: str) -> dict[str, Any]:
    from analysis.studies.traceability_jobs import OPTIONS
    from analysis.tracing import Traceability

    return asdict(Traceability(**OPTIONS[task] | ACCOUNTS[account]))


def _line(kind: str, account: str, one: Effects | TooFew) -> list[Any]:
    begin = [title(kind), account, f"{one.problems} of {one.problems + one.without}"]
    if isinstance(one, TooFew):
        return [*begin, "too few", "", "", "", "", ""]
    sides = (one.named["effect"], one.matched["effect"])
    return [*begin, *map(_short, (*sides, one.ratio, one.standardised, one.larger, one.correlation))]


def _short(interval: Interval) -> str:
    """An interval to two digits."""
    return f"{interval.estimate:.2g} [{interval.low:.2g}, {interval.high:.2g}]"
