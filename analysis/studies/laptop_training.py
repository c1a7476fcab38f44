"""One job: a model is trained by the laptop recipe of RegBench; its run stays in the job's folder, in `run`.

The job's config is {"model", "steps", "seed", "recipe"}; the recipe is there so that another recipe is another job.
The result holds the metrics at the end (last weights, test set), parameters, and what the training cost: seconds on
the clock and of one core, evaluations included, drawing the languages not; those of one core are None where the job
went on with a run that had begun before.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.engines.jobs import Job, Report

if TYPE_CHECKING:
    from mosaics.tasks.recipe import Recipe

JOB = "analysis.studies.laptop_training:run"
CHECKPOINT_EVERY = 500


def job(model: str, steps: int, seed: int) -> Job:
    """Return the job that trains `model` by the laptop recipe from `seed`."""
    made = recipe(model, steps)
    parts = {"model": vars(made.model), "task": dataclasses.asdict(made.task), "train": vars(made.training)}
    config = {"model": model, "steps": steps, "seed": seed, "recipe": json.loads(json.dumps(parts))}
    return Job(f"{model}, seed {seed}", JOB, config, steps)


def recipe(model: str, steps: int) -> Recipe:
    """Return the laptop recipe on one thread."""
    from mosaics.tasks.regbench import laptop_recipe

    made = laptop_recipe(model, steps=steps)
    training = dataclasses.replace(made.training, threads=1, checkpoint_every=CHECKPOINT_EVERY)
    return made._replace(training=training)


def run(config: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    """Train; see the module."""
    from mosaics.training import train

    made = recipe(config["model"], config["steps"])
    task, seed = made.task.build(config["seed"]), config["seed"]
    for split in ("train", "validation", "test"):
        task.problems(split)
    model = made.model.build(seed)
    seen = {"step": 0}

    def observe(step: int, now: Any) -> dict[str, Any]:
        report(step - seen["step"], "")
        seen["step"] = step
        return {}

    begun_before = (folder / "run").exists()
    began = time.process_time()
    result = train(model, task, dataclasses.replace(made.training, seed=seed), folder / "run",
                   progress=False, observe=observe)  # fmt: skip
    return {
        "metrics": result.final,
        "parameters": model.num_parameters(),
        "seconds": round(result.seconds, 2),
        "cpu_seconds": None if begun_before else round(time.process_time() - began, 2),
    }
