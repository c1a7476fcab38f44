"""How many sequences, and how many combinations of periods, it takes to learn to remember moons one by one.

    sequences       the first n sequences of the training split, read again and again; all combinations
    combinations    the first k triples of the published list, in its order; as many sequences as there are batches

Both for one head of width 6 and for three heads of width 2, ten seeds each; every seed has its own sequences, start
and order. Updates, batch and rate are those of our three-moons recipe (`analysis.studies.three_moons`), the same for
every point: what varies is what there is to learn from, not how long. The measure is the one-step error on the
held-out triple (1, 2, 3) once its slowest moon has returned.

Source: Zhang et al., Memory Mosaics, ICLR 2025, section 4; the curve is ours.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from analysis.engines import Job, run_jobs
from analysis.report.table import data_hash, runs_table
from analysis.studies import STUDIES
from analysis.studies.finished import finished
from analysis.studies.folder import open_study
from analysis.studies.moons_curve_job import JOB
from analysis.studies.three_moons import MEMBERS, OURS
from toyworlds.core.validate import integer, reject
from toyworlds.three_moons import PUBLISHED_TRAIN, ThreeMoons

if TYPE_CHECKING:
    import pandas as pd

HEADS = (3, 1)


@dataclass(frozen=True)
class Point:
    """One cell of the study: how many heads, combinations and sequences."""

    heads: int
    combinations: int
    sequences: int


@STUDIES.register("moons-curve", "moons")
@dataclass(frozen=True)
class MoonsCurveStudy:
    """Error and alignment against the number of training sequences and of period combinations."""

    sequences: tuple[int, ...] = (1, 4, 16, 64, 256)
    """Numbers of training sequences, besides as many as the training reads."""
    combinations: tuple[int, ...] = (1, 2, 4)
    """Numbers of period combinations, besides all eight."""
    grid: bool = False
    """Every number of sequences with every number of combinations, instead of one while the other is full."""
    seeds: int = 10
    """Seeds of every point."""
    first_seed: int = 0
    """The first seed; the others follow."""
    steps: int = 500
    """Updates of every training."""
    workers: int = 0
    """Processes; 0 for one a core."""

    metrics: ClassVar[dict[str, str]] = {
        "alignment": "alignment score",
        "error_134_200": "error at contexts 134-200 (orbit radii)",
        "error_267_on": "error at contexts 267-800 (orbit radii)",
        "training_error": "error on training sequences (orbit radii)",
    }
    name: ClassVar[str] = "moons-curve"

    def __post_init__(self) -> None:
        for field, most in (("sequences", self.all_sequences - 1), ("combinations", len(PUBLISHED_TRAIN) - 1)):
            values = getattr(self, field)
            if not isinstance(values, tuple) or not values or sorted(set(values)) != list(values):
                reject(field, "at least one number, in rising order", values)
            for value in values:
                integer(field, value, 1, most)
        integer("seeds", self.seeds, 2)
        integer("steps", self.steps, 10)
        for field in ("first_seed", "workers"):
            integer(field, getattr(self, field), 0)

    @classmethod
    def presets(cls) -> dict[str, MoonsCurveStudy]:
        """`laptop` takes some minutes on two cores; `full` is the whole grid; `quick` a smaller one."""
        return {"laptop": cls(), "full": cls(grid=True), "quick": cls((4, 64), (1,), seeds=4)}

    @property
    def all_sequences(self) -> int:
        """Sequences that a training reads when none comes twice."""
        sequences: int = self.steps * OURS["batch_size"]
        return sequences

    def points(self) -> list[Point]:
        """Every cell, three heads first."""
        sequences, triples = (*self.sequences, self.all_sequences), (*self.combinations, len(PUBLISHED_TRAIN))
        cells = [(k, n) for k in triples for n in sequences if self.grid or k == triples[-1] or n == sequences[-1]]
        return [Point(heads, k, n) for heads in HEADS for k, n in cells]

    def runs(self) -> list[tuple[Point, Job]]:
        """Each cell and its jobs, at most ten seeds a job."""
        seeds = list(range(self.first_seed, self.first_seed + self.seeds))
        parts = [seeds[i : i + MEMBERS] for i in range(0, self.seeds, MEMBERS)]
        return [(point, self._job(point, part)) for point in self.points() for part in parts]

    def jobs(self) -> list[Job]:
        """Every training of the study."""
        return [job for _, job in self.runs()]

    def _job(self, point: Point, seeds: list[int]) -> Job:
        world = ThreeMoons(length=OURS["length"], train_periods=PUBLISHED_TRAIN[: point.combinations])
        config: dict[str, Any] = {
            "model": {"channels": 6, "n_heads": point.heads, "head_width": 6 // point.heads},
            "world": dataclasses.asdict(world),
            "task": {"batch_size": OURS["batch_size"], "clip": OURS["clip"], "evaluation_rows": 4,
                     "train_size": point.sequences},
            "train": {"steps": self.steps, "learning_rate": OURS["learning_rate"], "final_learning_rate": 5e-6,
                      "bias_correction": OURS["bias_correction"], "threads": 1, "log_every": self.steps},
            "seeds": seeds,
        }  # fmt: skip
        name = f"{point.heads} heads, {point.combinations} combinations, {point.sequences} sequences"
        return Job(name, JOB, config, self.steps * len(seeds))

    def run(self, out: str | Path) -> Path:
        """Run what is missing, write results and page; return the page's path."""
        out = open_study(out, self)
        run_jobs(self.jobs(), out / "jobs", workers=self.workers, label="moons curve")
        return self.report(out)

    def table(self, out: str | Path) -> pd.DataFrame:
        """One line a seed of every cell (`analysis.report.table`); a job's seconds are shared by its seeds."""
        return runs_table(self, Path(out), self.jobs(), self._rows)

    def _rows(self, job: Job, result: dict[str, Any]) -> list[dict[str, Any]]:
        world, task, heads = job.config["world"], job.config["task"], job.config["model"]["n_heads"]
        fixed = {"model": f"{heads} head{'s' * (heads > 1)}", "size": task["train_size"]}
        fixed |= {"combinations": len(world["train_periods"]), "seconds": result["seconds"] / len(result["seeds"])}
        return [
            fixed
            | {"seed": seed, "data": data_hash(world=world, version=ThreeMoons.version, seed=seed)}
            | {name: result[name][place] for name in self.metrics}
            for place, seed in enumerate(result["seeds"])
        ]

    def report(self, out: Path) -> Path:
        """Write results and page from the finished jobs; a DataError says how many are missing."""
        from analysis.studies.moons_curve_page import write_page
        from analysis.studies.moons_curve_results import collect

        finished(self.jobs(), out)
        return write_page(collect(self, out), out)
