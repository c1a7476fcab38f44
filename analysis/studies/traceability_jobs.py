"""The jobs of the traceability study: train a moons model, and tamper with the pairs that traces name.

    train_moons    our recipe for three moons; its run lies in the job's folder, in `run`
    tamper         one line a problem (`analysis.tracing`), for one model and one way of naming pairs

The models of RegBench are trained by `analysis.studies.laptop_training`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.engines.jobs import Job, Report

MODULE = "analysis.studies.traceability_jobs"
ACCOUNTS: dict[str, dict[str, Any]] = {
    "silence, named by contribution": {"intervention": "silence", "account": "contribution"},
    "remove, named by contribution": {"intervention": "remove", "account": "contribution"},
    "remove, named by expected effect": {"intervention": "remove", "account": "intervention"},
}
"""What is done to pairs, and how they are named."""
OPTIONS: dict[str, dict[str, Any]] = {"regbench": {}, "moons": {"first": 140, "floor": 0.1}}
"""Other options of `Traceability` on each task: from 140 steps on all moons have returned (the slowest after 133)."""
FIRST_PROBLEM = 150
"""Earlier test problems were looked at while the account was worked out."""


def moons_job(steps: int, seed: int) -> Job:
    """Return the job that trains three memories on three moons."""
    return Job(f"moons, seed {seed}", f"{MODULE}:train_moons", {"steps": steps, "seed": seed}, steps)


def tamper_job(task: str, training: Job, account: str, problems: int) -> Job:
    """Return the job that measures one trained model."""
    config = {"task": task, "training": training.id, "problems": problems, "how": OPTIONS[task] | ACCOUNTS[account]}
    return Job(f"{training.name}: {account}", f"{MODULE}:tamper", config)


def train_moons(config: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    """Train; return the metrics at the end."""
    from analysis.studies.moons_lone import parts
    from mosaics.training import train

    made, seed = parts(steps=config["steps"]), config["seed"]
    task = made.task.build(seed)
    training = dataclasses.replace(made.training, seed=seed)
    result = train(made.model.build(seed), task, training, folder / "run", progress=False)
    report(config["steps"], "trained")
    return {"metrics": result.final, "seconds": round(result.seconds, 2)}


def tamper(config: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    """Measure; return the table by columns."""
    import torch

    from analysis.runs import load_run
    from analysis.tracing import Traceability, measure, measure_moons
    from regbench.problems import load

    torch.set_num_threads(1)
    run, how = load_run(folder.parent / config["training"] / "run"), Traceability(**config["how"])
    if config["task"] == "moons":
        rows = run.world.generate(run.task["seed"], "validation", 0, config["problems"])
        table = measure_moons(run.model, rows["observation"], how)
    else:
        seed, last = run.task["options"]["data_seed"], FIRST_PROBLEM + config["problems"]
        table = measure(run.model, load(run.world, "test", FIRST_PROBLEM, last, seed=seed), how)
    report(1, "measured")
    return {str(name): column.tolist() for name, column in table.items()}
