"""How the models' accuracy grows with the number of training languages.

    runs      variant (model, width, depth, heads) x training size x (learning rate, weight decay) x seed
    chosen    for each variant and size, the (learning rate, weight decay) of least mean validation loss over seeds

Every variant has the same number of candidates and the same number of updates a candidate. The test set is read by
the chosen runs' best weights alone. Smaller training sets are the beginnings of larger ones; no language of the test
set can be in a training set.

Reference: Akyurek et al., arXiv 2401.12973, section 4; Memory Mosaics, arXiv 2405.06394, section 6.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from analysis.engines import Job, run_jobs
from analysis.plots.curves import LABELS
from analysis.studies import STUDIES
from analysis.studies.checks import check_models
from analysis.studies.finished import finished
from analysis.studies.folder import open_study
from analysis.studies.regbench_options import RegBenchOptions
from analysis.studies.regbench_references import learners
from toyworlds.core.validate import integer, real, reject

LARGEST = 1_000_000
"""Training problems at most; so many take 341 MB on disk."""


class Variant(NamedTuple):
    """One curve."""

    model: str
    width: int
    depth: int
    heads: int


@STUDIES.register("regbench-curve", "regbench")
@dataclass(frozen=True)
class RegBenchCurveStudy(RegBenchOptions):
    """Learning curves on RegBench: accuracy against the number of training languages."""

    models: tuple[str, ...] = ("mosaic", "transformer", "lstm", "mamba2")
    """Models to compare; the first is the one that the others are compared with."""
    sizes: tuple[int, ...] = (100, 300, 1000)
    """Numbers of training problems, one language each."""
    widths: tuple[int, ...] = (64,)
    """Widths of the residual stream, each a curve."""
    depths: tuple[int, ...] = (2,)
    """Numbers of blocks, each a curve."""
    heads: tuple[int, ...] = (4,)
    """Numbers of heads, each a curve."""
    learning_rates: tuple[float, ...] = (2e-3, 5e-3)
    """Candidates, of which each (model, size) gets the best on validation."""
    weight_decays: tuple[float, ...] = (0.1,)
    """Candidates, likewise."""
    classical: str = ""
    """Folder of a finished study regbench-classical of the same problems, whose learners are drawn in."""

    metrics: ClassVar[dict[str, str]] = LABELS
    name: ClassVar[str] = "regbench-curve"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "models", tuple(str(name).replace("-", "_") for name in self.models))
        for field in ("models", "sizes", "widths", "depths", "heads", "learning_rates", "weight_decays"):
            values = getattr(self, field)
            if not isinstance(values, tuple) or not values or len(set(values)) < len(values):
                reject(field, "at least one value, none of them twice", values)
        for field in ("sizes", "widths", "depths", "heads"):
            for value in getattr(self, field):
                integer(field, value, 1, LARGEST if field == "sizes" else None)
        for value in self.learning_rates:
            real("learning_rates", value, above=0.0)
        for value in self.weight_decays:
            real("weight_decays", value, 0.0)

    @classmethod
    def presets(cls) -> dict[str, RegBenchCurveStudy]:
        """`quick` takes minutes on two cores, `laptop` an hour; `reduced` is `published` for a CPU."""
        quick = cls()
        laptop = replace(
            quick, models=("mosaic", "transformer", "lstm"), sizes=(100, 300, 1000, 3000), steps=600,
            validation_size=200, evaluations=6,
        )  # fmt: skip
        published = replace(
            laptop, world="regbench", widths=(128,), heads=(8,), sizes=(1000, 2500, 5000, 10_000, 20_000, 40_000),
            schedule="equal-epochs", batch_size=32, dropout=0.05, learning_rates=(2.5e-4, 5e-4), evaluations=200,
            validation_size=500, test_size=500, position_width=25,
        )  # fmt: skip
        reduced = replace(
            published, widths=(64,), heads=(4,), sizes=(1000, 2500, 5000), schedule="equal-steps", steps=3000,
            batch_size=4, dropout=0.0, learning_rates=(3e-3,), evaluations=4, validation_size=100,
        )  # fmt: skip
        return {"laptop": laptop, "quick": quick, "published": published, "reduced": reduced}

    def variants(self) -> list[Variant]:
        """Every curve, in the order of the page."""
        return [Variant(*each) for each in product(self.models, self.widths, self.depths, self.heads)]

    def settings(self) -> list[tuple[float, float]]:
        """Candidates (learning rate, weight decay) of every variant and size."""
        return list(product(self.learning_rates, self.weight_decays))

    def label(self, variant: Variant) -> str:
        """Name of a variant on the page: the model, and what else differs between variants."""
        parts = [variant.model]
        parts += [f"width {variant.width}"] * (len(self.widths) > 1)
        parts += [f"depth {variant.depth}"] * (len(self.depths) > 1)
        parts += [f"{variant.heads} heads"] * (len(self.heads) > 1)
        return ", ".join(parts)

    def runs(self) -> list[tuple[dict[str, Any], Job]]:
        """What varies in each run, and its job; all of one seed before the next."""
        check_models(self.models, "tokens")
        made = {
            variant: self.model(variant.model, width=variant.width, n_layers=variant.depth, n_heads=variant.heads)
            for variant in self.variants()
        }
        runs = []
        for seed in range(self.first_seed, self.first_seed + self.seeds):
            for (rate, decay), size, (variant, config) in product(self.settings(), self.sizes, made.items()):
                varied = {"variant": self.label(variant), **variant._asdict(), "size": size}
                varied |= {"learning_rate": rate, "weight_decay": decay, "seed": seed}
                job = self.job(self.label(variant), variant.model, config, size=size, seed=seed, rate=rate, decay=decay)
                runs.append((varied, job))
        return runs

    def run(self, out: str | Path) -> Path:
        """Run what is missing, write results and page; return the page's path."""
        jobs = self.jobs()
        self.check(*self.sizes)
        if self.classical:
            learners(Path(self.classical), self)
        out = open_study(out, self)
        run_jobs(jobs, out / "jobs", workers=self.workers, label="RegBench curves")
        return self.report(out)

    def report(self, out: Path) -> Path:
        """Write results and page from the finished jobs; a DataError says how many are missing."""
        from analysis.studies.regbench_curve_page import write_page
        from analysis.studies.regbench_curve_results import collect

        finished(self.jobs(), out)
        return write_page(collect(self, out), out)
