"""Options that the trainings of a RegBench study share, and the jobs that they make.

    equal-steps     every size gets `steps` updates: equal compute, small sets are read more often
    equal-epochs    every size is read `epochs` times: large sets get more updates, as in the published runs

The two answer different questions: what a larger set is worth at a fixed cost, and what it is worth to one who pays
for reading it as often as the small one.

Every model has the mosaic's parameter count for the same width, depth and heads (`mosaics.sizes`). AdamW with betas
(0.9, 0.95), gradients clipped at 1, linear warm-up over a share of the updates, then cosine to a tenth of the rate.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from analysis.engines import Job
from analysis.report.table import data_hash, runs_table
from analysis.studies.checks import check_disjoint
from analysis.studies.machine import check_machine, of_machine
from analysis.studies.regbench_training import JOB
from regbench.problems import load
from regbench.suites import RegBench
from toyworlds.core.validate import choice, integer, real, reject
from toyworlds.world import WORLDS, config_of

if TYPE_CHECKING:
    import pandas as pd

SCHEDULES = ("equal-steps", "equal-epochs")
CANDIDATE = ["learning_rate", "weight_decay"]
"""What is chosen on the validation split."""
SETTINGS = ("validation_loss", "best_step", "parameters", "steps", "epochs", "problems", "tokens", "stopped_early")
DROPOUTS = ("contextual_dropout", "persistent_dropout", "output_dropout", "dropout")


@dataclass(frozen=True)
class RegBenchOptions:
    """What all trainings of a RegBench study share."""

    world: str = "regbench_laptop"
    """Family of languages."""
    schedule: Literal["equal-steps", "equal-epochs"] = "equal-steps"
    """What every training size gets the same number of."""
    steps: int = 150
    """Updates of a training, with equal-steps."""
    epochs: int = 200
    """Times that the training set is read, with equal-epochs."""
    batch_size: int = 16
    """Problems in a batch."""
    warmup: float = 0.1
    """Share of the updates that the learning rate rises."""
    evaluations: int = 3
    """Evaluations on the validation split in a training; the weights of the best are scored."""
    patience: int = 0
    """Stop after so many evaluations without a new best; 0: never stop early."""
    dropout: float = 0.0
    """Dropout of whatever a model has it for (published: 0.05)."""
    seeds: int = 3
    """Seeds of every setting: start of the weights and order of the data."""
    first_seed: int = 0
    """The first seed; the others follow."""
    data_seed: int = 0
    """Seed of the problems: all runs share the validation and test sets."""
    validation_size: int = 100
    """Validation problems."""
    test_size: int = 300
    """Test problems."""
    position_width: int = 10
    """Rows in one step of the curves by position."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Numbers of the forward pass in training; bfloat16 is for GPUs, and weights stay float32."""
    compile: Literal["none", "model"] = "none"
    """Train compiled models (torch.compile): slow to begin with, for GPUs."""
    workers: int = 0
    """Processes; 0 for one a core."""

    def __post_init__(self) -> None:
        choice("world", self.world, WORLDS.names("automata"))
        choice("schedule", self.schedule, SCHEDULES)
        check_machine(self)
        integer("seeds", self.seeds, 1)
        for name in ("steps", "epochs", "batch_size", "evaluations", "validation_size", "test_size", "position_width"):
            integer(name, getattr(self, name), 1)
        for name in ("patience", "first_seed", "data_seed", "workers"):
            integer(name, getattr(self, name), 0)
        for name in ("warmup", "dropout"):
            if real(name, getattr(self, name), 0.0) >= 1.0:
                reject(name, "a number from 0 up to, but not including, 1", getattr(self, name))

    @property
    def problems_of(self) -> RegBench:
        """The world that problems are drawn from."""
        world: RegBench = WORLDS[self.world]()
        return world

    def check(self, *sizes: int) -> None:
        """Raise a DataError when a language of the test or validation set is among the largest training set's."""
        world, seed = self.problems_of, self.data_seed
        train = load(world, "train", 0, max(sizes), seed=seed)
        for split, count in (("validation", self.validation_size), ("test", self.test_size)):
            check_disjoint(train, load(world, split, 0, count, seed=seed), test_split=split)

    def runs(self) -> list[tuple[dict[str, Any], Job]]:
        """What varies in each run, and its job; each study says."""
        raise NotImplementedError

    def jobs(self) -> list[Job]:
        """Every training of the study."""
        return [job for _, job in self.runs()]

    def table(self, out: str | Path) -> pd.DataFrame:
        """One line a finished run (`analysis.report.table`)."""
        return _table_of(self, Path(out), self.runs())

    def task(self, size: int) -> dict[str, Any]:
        """Options of the task for one training size."""
        return {
            "train_size": size,
            "validation_size": self.validation_size,
            "test_size": self.test_size,
            "data_seed": self.data_seed,
            "batch_size": self.batch_size,
        }

    def model(self, name: str, **options: Any) -> Any:
        """Config of a registered model for this world, of the mosaic's parameter count."""
        return _sized(name, self.problems_of, tuple((dict.fromkeys(DROPOUTS, self.dropout) | options).items()))

    def updates(self, size: int) -> int:
        """Updates of a training on `size` problems."""
        return self.steps if self.schedule == "equal-steps" else self.epochs * math.ceil(size / self.batch_size)

    def job(self, name: str, model: str, config: Any, *, size: int, seed: int, rate: float, decay: float = 0.1) -> Job:
        """The training of one model config, registered as `model`; `name` is what the study calls it."""
        steps = self.updates(size)
        every = max(steps // self.evaluations, 1)
        train = {
            "steps": steps,
            "learning_rate": rate,
            "final_learning_rate": rate / 10,
            "schedule": "cosine",
            "warmup_steps": int(self.warmup * steps),
            "betas": [0.9, 0.95],
            "weight_decay": decay,
            "clip_norm": 1.0,
            "evaluate_every": every,
            "checkpoint_every": every,
            "log_every": every,
            "patience": self.patience or None,
            "threads": 1,
            **of_machine(self),
        }
        world = self.problems_of
        whole = {
            "model": {"name": model, "options": dataclasses.asdict(config)},
            "world": {"name": self.world, "version": world.version, "options": config_of(world)},
            "task": self.task(size),
            "train": train,
            "seed": seed,
            "position_width": self.position_width,
        }
        return Job(f"{name}, {size} problems, rate {rate:g}, decay {decay:g}, seed {seed}", JOB, whole, steps)


@functools.lru_cache(maxsize=256)
def _sized(name: str, world: RegBench, options: tuple[tuple[str, Any], ...]) -> Any:
    from mosaics.tasks.recipe import sized
    from mosaics.tasks.regbench import RegBenchTaskConfig

    return sized(name, RegBenchTaskConfig(world), dict(options))


def _table_of(study: Any, out: Path, runs: Sequence[tuple[Mapping[str, Any], Job]]) -> pd.DataFrame:
    """Table of a study's finished runs (`analysis.report.table`): `runs` pairs what varies with the job."""
    varied = {job.name: dict(what) for what, job in runs}

    def describe(job: Job, result: dict[str, Any]) -> list[dict[str, Any]]:
        what = varied[job.name]
        row = {name: value for name, value in what.items() if name != "variant"} | {"model": what["variant"]}
        row |= {name: result[name] for name in (*SETTINGS, "flops", "seconds")} | result["test"]
        return [row | {"data": data_hash(world=job.config["world"], task=job.config["task"])}]

    table = runs_table(study, out, [job for _, job in runs], describe)
    table["chosen"] = chosen_of(table.rename(columns={"model": "variant"}))
    return table


def chosen_of(runs: pd.DataFrame) -> pd.Series[Any]:
    """True for the runs of the setting with the least mean validation loss of their variant and size."""
    means = runs.groupby(["variant", "size", *CANDIDATE], sort=False)["validation_loss"].mean()
    best = {key[:2]: key[2:] for key in means.groupby(level=["variant", "size"]).idxmin()}
    return runs.apply(lambda run: tuple(run[CANDIDATE]) == best[run["variant"], run["size"]], axis=1)
