"""Stores: what each of them loses, and what it saves, on a mosaic that has learned RegBench.

    budget     what a family spends: pairs held (capacity), pairs looked at (hash, faiss), features (features)
    excess     loss with the store - loss with every pair, nats a labelled row; paired by problem
    recall     sum_i min(w_i, w~_i), the share of the exact retrieval weights that the store keeps
    bytes      of one memory, room not used yet included
    seconds    of one step: a pair stored, a query asked

A mosaic is trained by the laptop recipe (width 64), reads test problems step by step, and only its stores differ.
Recall is taken on the states that the model with this store is in. Costs are taken on random keys in memories of width
16, the published size, since laptop problems are at most 129 tokens long.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from analysis.engines import Job, run_jobs
from analysis.report.table import runs_table
from analysis.studies import STUDIES
from analysis.studies.finished import finished
from analysis.studies.folder import open_study
from toyworlds.core.validate import integer, reject

if TYPE_CHECKING:
    import pandas as pd

JOBS = "analysis.studies.stores_measure:"
POLICIES = ("least-recently-used", "oldest", "least-total-weight", "random")
BITS = (1, 2, 3, 4, 5, 6, 8, 10)
TABLES = 8
HIGH = 8.0
"""A higher threshold of use, to see whether it matters."""
FEATURES = (8, 32, 128, 512)


@STUDIES.register("stores", "regbench")
@dataclass(frozen=True)
class StoresStudy:
    """What stores with limited room or approximate retrieval lose, on a mosaic trained on RegBench."""

    steps: int = 1500
    """Updates of the training (laptop recipe)."""
    problems: int = 96
    """Test problems read."""
    budgets: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128)
    """Pairs held, or looked at."""
    pairs: tuple[int, ...] = (64, 256, 1024, 4096, 16384)
    """Numbers of pairs at which seconds and bytes are taken."""
    seed: int = 0
    """Seed of the model, of the order of its training problems and of the bootstrap."""
    workers: int = 0
    """Processes; 0 for one a core."""

    name: ClassVar[str] = "stores"
    metrics: ClassVar[dict[str, str]] = {
        "excess": "loss more than with every pair (nats)", "recall": "recall of the retrieval weights",
        "looked": "pairs looked at",
    }  # fmt: skip

    def __post_init__(self) -> None:
        integer("steps", self.steps, 10)
        integer("problems", self.problems, 2)
        integer("seed", self.seed, 0)
        integer("workers", self.workers, 0)
        for field in ("budgets", "pairs"):
            if not isinstance(getattr(self, field), tuple) or not getattr(self, field):
                reject(field, "at least one number", getattr(self, field))
            for number in getattr(self, field):
                integer(field, number, 1)

    @classmethod
    def presets(cls) -> dict[str, StoresStudy]:
        """`demo` takes a minute on two cores, `laptop` some minutes."""
        return {"demo": cls(300, 16, budgets=(2, 8, 32, 128), pairs=(64, 1024)), "laptop": cls()}

    def families(self) -> dict[str, list[dict[str, Any]]]:
        """Stores of each family, from the smallest budget on; faiss where it is installed."""
        families = {"exact": [_entry("exact", 0)]}
        for policy in POLICIES:
            families[policy] = [_entry("capacity", c, capacity=c, policy=policy) for c in self.budgets]
        families[f"least-recently-used, threshold {HIGH:g}"] = [
            _entry("capacity", c, capacity=c, threshold=HIGH) for c in self.budgets
        ]
        families["hash"] = [_entry("hash", bits, tables=TABLES, bits=bits) for bits in BITS[::-1]]
        if importlib.util.find_spec("faiss") is not None:
            families["faiss"] = [_entry("faiss", c, neighbours=c) for c in self.budgets]
        families["features, damped"] = [_entry("features", m, features=m) for m in FEATURES]
        families["features, FAVOR+"] = [_entry("features", m, features=m, damping=1.0) for m in FEATURES]
        return families

    def training(self) -> Job:
        """The job that trains the model."""
        from analysis.studies.stores_measure import recipe

        return Job("training", JOBS + "train", recipe(self.steps) | {"seed": self.seed}, self.steps)

    def qualities(self) -> dict[str, Job]:
        """The jobs that measure quality, by family."""
        training = self.training()
        common = {name: training.config[name] for name in ("model", "world")}
        common |= {"data_seed": training.config["task"]["data_seed"]}
        common |= {"training": training.id, "problems": self.problems}
        return {
            name: Job(name, JOBS + "quality", common | {"stores": stores}, len(stores))
            for name, stores in self.families().items()
        }

    def costs(self) -> Job:
        """The job that takes seconds and bytes."""
        return Job("cost", JOBS + "cost", {"stores": self.timed(), "pairs": list(self.pairs)}, len(self.pairs))

    def timed(self) -> list[dict[str, Any]]:
        """Stores whose cost is taken."""
        stores = [
            _entry("exact", 0),
            _entry("capacity", 256, capacity=256),
            _entry("hash", 256, tables=TABLES, bits=8, bucket=32),
            _entry("features", 256, features=256),
        ]
        faiss = importlib.util.find_spec("faiss") is not None
        return [*stores, _entry("faiss", 32, neighbours=32)] if faiss else stores

    def jobs(self) -> list[Job]:
        """Return every job, the training first."""
        return [self.training(), *self.qualities().values(), self.costs()]

    def run(self, out: str | Path) -> Path:
        """Run what is missing, write results and page; return the page's path."""
        out = open_study(out, self)
        run_jobs([self.training()], out / "jobs", workers=self.workers, label="training")
        run_jobs(list(self.qualities().values()), out / "jobs", workers=self.workers, label="stores")
        run_jobs([self.costs()], out / "jobs", workers=1, label="costs")
        return self.report(out)

    def report(self, out: str | Path) -> Path:
        """Write results and page from the finished jobs; a DataError says how many are missing."""
        from analysis.studies.stores_page import collect, write_page

        trained, *measured, costs = finished(self.jobs(), out)
        return write_page(collect(self, trained, dict(zip(self.families(), measured, strict=True)), costs), Path(out))

    def table(self, out: str | Path) -> pd.DataFrame:
        """One line a store and budget (`analysis.report.table`); its size is the budget, none for the exact store."""
        from analysis.studies.stores_page import excess

        jobs = self.qualities()
        exact = jobs["exact"].result(Path(out) / "jobs")

        def rows(job: Job, result: dict[str, Any]) -> list[dict[str, Any]]:
            return [
                {"model": job.name, "size": store["budget"] or None, "seed": self.seed}
                | {"excess": excess(entry, exact["stores"][0])[0] if exact else None}
                | {name: sum(entry[name]) / len(entry[name]) for name in ("recall", "looked")}
                for store, entry in zip(job.config["stores"], result["stores"], strict=True)
            ]

        return runs_table(self, Path(out), list(jobs.values()), rows)


def _entry(store: str, budget: int, **options: Any) -> dict[str, Any]:
    return {"store": store, "budget": budget, "options": options, "label": f"{store} {budget}"}
