"""One job of the moons curve: a population is trained on a finite set of sequences, and every member is scored.

The job's result holds one number a seed for each score, and the one-step error by context length (seeds, 800):

    alignment         alignment score of the trained maps (`analysis.scores.alignment`)
    error_134_200     mean one-step error on the held-out moons once the slowest has returned, orbit radii
    error_267_on      the same once all have returned together
    training_error    mean one-step error on the training sequences, all contexts
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from analysis.engines import Report
from analysis.studies.moons_population import EVALUATION_LENGTH, FIRST_EVALUATION_ROW, align
from toyworlds.core.validate import from_dict
from toyworlds.three_moons import ThreeMoons

JOB = "analysis.studies.moons_curve_job:run"
ROWS = 16
"""Held-out sequences a seed."""


def run(config: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    """Train and score the members; see the module."""
    from mosaics.moons_measures import one_step_error
    from mosaics.moons_model import MoonsModelConfig
    from mosaics.tasks.moons import MoonsTaskConfig
    from mosaics.training import TrainConfig, train

    world = from_dict(ThreeMoons, config["world"], "world")
    task_config = MoonsTaskConfig(world=world, **config["task"])
    seeds = tuple(config["seeds"])
    model, task = from_dict(MoonsModelConfig, config["model"], "model").build(seeds), task_config.build(seeds)
    result = train(model, task, from_dict(TrainConfig, config["train"], "train"), folder / "run", progress=False)
    report(result.steps * len(seeds), "")
    long = replace(world, length=EVALUATION_LENGTH)
    parts = [long.generate(seed, "validation", FIRST_EVALUATION_ROW, ROWS)["observation"] for seed in seeds]
    errors = one_step_error(model, np.stack(parts))
    trained = one_step_error(model, task.batch(0)["observation"].numpy())
    mixing = np.stack([world.mixing_matrix(seed) for seed in seeds])
    return {
        "seeds": list(seeds),
        "alignment": np.atleast_1d(align(model, mixing).score).tolist(),
        "error_134_200": errors[:, 133:200].mean(axis=1).tolist(),
        "error_267_on": errors[:, 266:].mean(axis=1).tolist(),
        "training_error": trained.mean(axis=1).tolist(),
        "one_step": errors.round(6).tolist(),
        "seconds": round(result.seconds, 2),
    }
