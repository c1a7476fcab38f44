"""Three moons: whether memories learn one moon each, when, and why.

    groups    three heads | three heads under an unknown mixing | one head | the published recipe
    grid      optimizer (bias correction on, off) x context length x batch, published loss
    moons     n heads on n moons, n = 2 .. 8

Every seed is a single start: its own weights, its own data, its own mixing; nothing is restarted or selected. A seed
is disentangled when its alignment score (analysis.scores.alignment) is at least 0.9.

Our recipe differs from the published one in three choices that the study measures one by one: the loss is not
clipped, sequences have 400 steps instead of 800, and the learning rate starts at 2e-2 instead of 1e-2.

Source: Zhang et al., Memory Mosaics, ICLR 2025, section 4.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from analysis.engines import Job, run_jobs
from analysis.report.table import data_hash, runs_table
from analysis.studies import STUDIES
from analysis.studies.finished import finished
from analysis.studies.folder import open_study
from toyworlds.core.validate import choice, integer
from toyworlds.period_pool import period_combinations
from toyworlds.three_moons import ThreeMoons

if TYPE_CHECKING:
    import pandas as pd

JOB = "analysis.studies.moons_population:run"
MEMBERS = 10
"""Seeds that one job trains as one population."""
OURS: dict[str, Any] = {
    "length": 401, "batch_size": 16, "clip": None, "learning_rate": 2e-2, "bias_correction": False, "steps": 500,
}  # fmt: skip
PUBLISHED: dict[str, Any] = OURS | {"length": 801, "batch_size": 64, "clip": 0.5, "learning_rate": 1e-2}
GRID_LENGTHS, GRID_BATCHES = (200, 300, 400, 800), (16, 64)
MOONS = (2, 3, 4, 5, 6, 7, 8)


@STUDIES.register("three-moons", "moons")
@dataclass(frozen=True)
class ThreeMoonsStudy:
    """Whether, when and why three memories learn one moon each."""

    seeds: int = 20
    """Seeds of three heads, without and with an unknown orthogonal mixing."""
    one_head_seeds: int = 10
    """Seeds of one head of width 6."""
    published_seeds: int = 0
    """Seeds of the published recipe (800 steps, batch 64, clipped loss); a quarter as many of it with one head."""
    plain_seeds: int = 0
    """Seeds of plain instead of complex-linear maps, without and with the mixing, and of each step to our recipe."""
    grid_seeds: int = 0
    """Seeds in each cell of optimizer x context length x batch; 0 leaves the grid out."""
    moons_seeds: int = 0
    """Seeds for each number of moons from 2 to 8; 0 leaves them out."""
    steps: int = 500
    """Updates of every training."""
    first_seed: int = 0
    """The first seed; the others follow."""
    mixing: Literal["orthogonal", "general"] = "orthogonal"
    """Kind of the unknown mixing."""
    workers: int = 0
    """Processes; 0 for one a core."""

    name: ClassVar[str] = "three-moons"
    metrics: ClassVar[dict[str, str]] = {
        "alignment": "alignment score", "causal_alignment": "causal alignment score",
        "error_134_200": "error at contexts 134-200 (orbit radii)",
        "error_267_on": "error at contexts 267-800 (orbit radii)", "horizon": "horizon (steps)",
    }  # fmt: skip

    def __post_init__(self) -> None:
        integer("seeds", self.seeds, 1)
        for field in ("one_head_seeds", "published_seeds", "plain_seeds", "grid_seeds", "moons_seeds", "workers"):
            integer(field, getattr(self, field), 0)
        integer("steps", self.steps, 10)
        integer("first_seed", self.first_seed, 0)
        choice("mixing", self.mixing, ("orthogonal", "general"))

    @classmethod
    def presets(cls) -> dict[str, ThreeMoonsStudy]:
        """`demo` takes a minute on two cores, `laptop` some minutes, `full` is what the recorded results hold."""
        full = cls(100, 50, published_seeds=40, plain_seeds=20, grid_seeds=20, moons_seeds=20)
        return {"demo": cls(8, 4), "laptop": cls(), "full": full}

    def jobs(self) -> list[Job]:
        """Every training of the study, in the order of the page."""
        jobs = self.group("three heads", self.seeds)
        jobs += self.group("three heads, mixed", self.seeds, mixing=self.mixing)
        jobs += self.group("one head", self.one_head_seeds, n_heads=1)
        jobs += self.group("published recipe", self.published_seeds, recipe=PUBLISHED)
        jobs += self.group("published recipe, one head", self.published_seeds // 4, recipe=PUBLISHED, n_heads=1)
        for name, mixing in (("plain maps", "none"), ("plain maps, mixed", self.mixing)):
            jobs += self.group(name, self.plain_seeds, linear="plain", mixing=mixing)
        jobs += self.group("ours, clipped loss", self.plain_seeds, recipe=OURS | {"clip": 0.5})
        jobs += self.group("ours, rate 1e-2", self.plain_seeds, recipe=OURS | {"learning_rate": 1e-2})
        jobs += self.group("ours, bias correction", self.plain_seeds, recipe=OURS | {"bias_correction": True})
        jobs += self.group("published, loss not clipped", self.plain_seeds // 2, recipe=PUBLISHED | {"clip": None})
        for corrected in (False, True):
            for batch in GRID_BATCHES:
                for length in GRID_LENGTHS:
                    cell = PUBLISHED | {"length": length + 1, "batch_size": batch, "bias_correction": corrected}
                    jobs += self.group(grid_name(corrected, batch, length), self.grid_seeds, recipe=cell)
        for n in MOONS:
            jobs += self.group(f"{n} moons", self.moons_seeds, moons=n)
        return jobs

    def group(
        self,
        name: str,
        seeds: int,
        *,
        recipe: dict[str, Any] | None = None,
        n_heads: int | None = None,
        linear: str = "complex",
        mixing: str = "none",
        moons: int = 3,
    ) -> list[Job]:
        """The jobs of `seeds` single starts of one kind, at most ten seeds each."""
        recipe = OURS if recipe is None else recipe
        heads = moons if n_heads is None else n_heads
        world = ThreeMoons(length=recipe["length"], mixing=mixing)  # type: ignore[arg-type]
        if moons != 3:
            train, held_out = period_combinations(moons)
            world = replace(world, train_periods=train, held_out_periods=held_out)
        every = max(self.steps // 20, 1)
        config = {
            "model": {
                "channels": world.channels, "n_heads": heads, "head_width": world.channels // heads, "linear": linear,
                "pairing": "given" if mixing == "none" or linear == "plain" else "estimated",
            },
            "world": dataclasses.asdict(world),
            "task": {"batch_size": recipe["batch_size"], "clip": recipe["clip"], "evaluation_rows": 4},
            "train": {
                "steps": self.steps, "learning_rate": recipe["learning_rate"], "final_learning_rate": 5e-6,
                "bias_correction": recipe["bias_correction"], "evaluate_every": every, "threads": 1,
            },
        }  # fmt: skip
        all_seeds = range(self.first_seed, self.first_seed + seeds)
        parts = [list(all_seeds[i : i + MEMBERS]) for i in range(0, seeds, MEMBERS)]
        return [Job(name, JOB, config | {"seeds": part}, self.steps * len(part)) for part in parts]

    def run(self, out: str | Path) -> Path:
        """Run what is missing, write results and page; return the page's path."""
        out = open_study(out, self)
        run_jobs(self.jobs(), out / "jobs", workers=self.workers, label="three moons")
        return self.report(out)

    def report(self, out: Path) -> Path:
        """Write results and page from the finished jobs; a DataError says how many are missing."""
        from analysis.studies.moons_page import write_page
        from analysis.studies.moons_results import collect

        jobs = self.jobs()
        finished(jobs, out)
        return write_page(collect(self, jobs, out), out)

    def table(self, out: str | Path) -> pd.DataFrame:
        """One line a seed of every group (`analysis.report.table`); a job's seconds are shared by its seeds."""
        return runs_table(self, Path(out), self.jobs(), _seeds)


def _seeds(job: Job, result: dict[str, Any]) -> list[dict[str, Any]]:
    world, count = job.config["world"], len(result["seeds"])
    rows = []
    for place, seed in enumerate(result["seeds"]):
        data = data_hash(world=world, version=ThreeMoons.version, seed=seed)
        scores = {name: values[place] for name, values in result.items() if isinstance(values, list)}
        scores.pop("seeds")
        rows.append({"model": job.name, "seed": seed, "data": data, "seconds": result["seconds"] / count, **scores})
    return rows


def grid_name(corrected: bool, batch: int, length: int) -> str:
    """Name of a cell of the grid."""
    return f"grid: bias correction {'on' if corrected else 'off'}, batch {batch}, {length} steps"
