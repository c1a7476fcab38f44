"""What each part of a Memory Mosaic is worth on RegBench, and what depth is.

    arms      the mosaic and the mosaic with one part changed; version 2 and version 2 with one change taken back
    depths    mosaic and transformer of 1, 2, 3, 4 and 8 blocks

    no peek                       a pair is stored with the value of its own step: nothing of the next input
    no leaky average              a key is a map of the present input alone
    unequal norms (Gaussian)      keys keep their norms, under the kernel -|k - k'|^2 / 2
    unequal norms (product)       keys keep their norms, under the product k.k'
    tied key and value            one projection for both
    feed-forward                  a network in place of the persistent memories
    contextual only               nothing in their place

Every arm has the parameter count of the published mosaic of its depth, the same candidates for the learning rate and
the same updates; the rate is chosen on validation within each arm. Differences are paired by seed, which fixes the
order of the data.

Reference: Memory Mosaics, arXiv 2405.06394, and the questions of its reviewers; at scale, arXiv 2507.03285.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from analysis.engines import Job, run_jobs
from analysis.plots.curves import LABELS
from analysis.studies import STUDIES
from analysis.studies.finished import finished
from analysis.studies.folder import open_study
from analysis.studies.regbench_options import RegBenchOptions
from toyworlds.core.validate import integer, real, reject

if TYPE_CHECKING:
    pass

MOSAIC: dict[str, dict[str, Any]] = {
    "mosaic": {},
    "no peek": {"peek": 0},
    "no leaky average": {"leaky": False},
    "unequal norms (Gaussian)": {"key_norm": "gaussian"},
    "unequal norms (product)": {"key_norm": "dot"},
    "tied key and value": {"tied_key_value": True},
    "feed-forward": {"second": "feedforward"},
    "contextual only": {"second": "none"},
}
"""Options of each arm of the first version."""
V2: dict[str, dict[str, Any]] = {
    "v2": {},
    "v2 with one level": {"levels": "one"},
    "v2 with constant decay": {"gated_key": False},
    "v2 with constant bandwidth": {"adaptive_bandwidth": False},
}
"""Options of each arm of the second version."""
DEEP = ("mosaic", "transformer")
WINDOWS = {"window": 32, "delay": 16, "shortest_delay": 8, "longest_delay": 32}
"""Reach of version 2's memories: texts of the small family have about 70 tokens, the published reach is 64 to 256."""


@STUDIES.register("regbench-ablation", "regbench")
@dataclass(frozen=True)
class RegBenchAblationStudy(RegBenchOptions):
    """Ablations of the Memory Mosaic on RegBench, and depth."""

    size: int = 1000
    """Training problems."""
    width: int = 64
    """Width of the residual stream."""
    depth: int = 2
    """Blocks of the ablations."""
    heads: int = 4
    """Heads."""
    depths: tuple[int, ...] = (1, 2, 3, 4, 8)
    """Blocks of mosaic and transformer."""
    learning_rates: tuple[float, ...] = (2e-3, 5e-3)
    """Candidates, of which each arm gets the best on validation."""

    metrics: ClassVar[dict[str, str]] = LABELS
    name: ClassVar[str] = "regbench-ablation"

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("size", "width", "depth", "heads"):
            integer(field, getattr(self, field), 1)
        for field in ("depths", "learning_rates"):
            values = getattr(self, field)
            if not isinstance(values, tuple) or not values or len(set(values)) < len(values):
                reject(field, "at least one value, none of them twice", values)
        for depth in self.depths:
            integer("depths", depth, 1)
        for rate in self.learning_rates:
            real("learning_rates", rate, above=0.0)

    @classmethod
    def presets(cls) -> dict[str, RegBenchAblationStudy]:
        """`laptop` takes some minutes on two cores, `full` two hours; `published` wants a GPU."""
        full = cls(steps=1500, evaluations=6)
        published = replace(
            full, world="regbench", size=5000, width=128, heads=8, schedule="equal-epochs", batch_size=32,
            dropout=0.05, learning_rates=(2.5e-4, 5e-4), evaluations=200, validation_size=500, test_size=500,
            position_width=25,
        )  # fmt: skip
        return {"laptop": cls(learning_rates=(4e-3,)), "full": full, "published": published}

    def arms(self) -> list[tuple[str, str, Any]]:
        """(name on the page, registered model, config) of every arm."""
        sizes = {"width": self.width, "n_heads": self.heads, "n_layers": self.depth}
        plain = self.model("mosaic", **sizes)
        arms: list[tuple[str, str, Any]] = []
        for name, options in MOSAIC.items():
            arms.append((name, "mosaic", _matched(replace(plain, **options), plain) if options else plain))
        reach = WINDOWS if self.world == "regbench_laptop" else {}
        for name, options in V2.items():
            arms.append((name, "mosaic_v2", self.model("mosaic_v2", **sizes, **reach, **options)))
        known = {("mosaic", self.depth)}
        for model, depth in product(DEEP, self.depths):
            if (model, depth) not in known:
                config = self.model(model, **(sizes | {"n_layers": depth}))
                arms.append((depth_name(model, depth), model, config))
        return arms

    def runs(self) -> list[tuple[dict[str, Any], Job]]:
        """What varies in each run, and its job; all of one seed before the next."""
        arms = self.arms()
        runs = []
        for seed in range(self.first_seed, self.first_seed + self.seeds):
            for rate, (name, model, config) in product(self.learning_rates, arms):
                varied = {"variant": name, "model": model, "depth": config.n_layers, "size": self.size}
                varied |= {"learning_rate": rate, "weight_decay": 0.1, "seed": seed}
                runs.append((varied, self.job(name, model, config, size=self.size, seed=seed, rate=rate)))
        return runs

    def run(self, out: str | Path) -> Path:
        """Run what is missing, write results and page; return the page's path."""
        jobs = self.jobs()
        self.check(self.size)
        out = open_study(out, self)
        run_jobs(jobs, out / "jobs", workers=self.workers, label="RegBench ablation")
        return self.report(out)

    def report(self, out: Path) -> Path:
        """Write results and page from the finished jobs; a DataError says how many are missing."""
        from analysis.studies.regbench_ablation_page import collect, write_page

        finished(self.jobs(), out)
        return write_page(collect(self, out), out)


def depth_name(model: str, depth: int) -> str:
    """Name of an arm of another depth."""
    return f"{model}, depth {depth}"


@functools.lru_cache(maxsize=64)
def _matched(config: Any, like: Any) -> Any:
    """Return `config` with as many parameters as the model of `like`."""
    from mosaics.sizes import count, match_parameters

    return match_parameters(config, count(like))
