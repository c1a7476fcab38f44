"""Collect the jobs of the three-moons study into one result: `results.json`, `seeds.csv`, `curves.csv`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.bootstrap import Interval, bootstrap_interval, median, rate_interval, resample_indices
from analysis.engines.jobs import Job
from analysis.provenance import provenance
from analysis.scores.alignment import DISENTANGLED, alignment_null
from analysis.studies.moons_population import CONTEXTS, FREE_STEPS
from toyworlds import astronomers
from toyworlds.core import folders
from toyworlds.three_moons import ThreeMoons, ground_truth

if TYPE_CHECKING:
    from analysis.studies.three_moons import ThreeMoonsStudy

ASTRONOMER_ROWS = 32
HORIZON = "horizon"


@dataclass(frozen=True)
class Group:
    """The seeds of one kind: scores by name, one a seed, and the arrays of all of them."""

    name: str
    config: dict[str, Any]
    scores: dict[str, np.ndarray]
    arrays: dict[str, np.ndarray]
    seconds: float

    @property
    def seeds(self) -> int:
        """Number of seeds."""
        return len(self.scores["seeds"])

    @property
    def disentangled(self) -> np.ndarray:
        """True for the seeds whose alignment is at least 0.9."""
        return self.scores["alignment"] >= DISENTANGLED

    @property
    def rate(self) -> Interval:
        """Share of seeds disentangled, with its 95 % Wilson interval."""
        return rate_interval(int(self.disentangled.sum()), self.seeds)

    def summary(self, score: str) -> Interval | None:
        """Median of a score over seeds with its bootstrap interval; None where it is not defined.

        Of the horizon over all seeds, those that never reach it included: infinity where half of them do not. Its
        limits are horizons of seeds.
        """
        values = np.asarray(self.scores.get(score, []), dtype=np.float64)
        if score == HORIZON and len(values) > 1:
            ordered = np.sort(np.where(np.isnan(values), np.inf, values))
            [drawn] = resample_indices([len(ordered)], 1000, 0, HORIZON)
            middle = (len(ordered) - 1) // 2
            low, high = np.quantile(np.sort(ordered[drawn])[:, middle], [0.025, 0.975], method="inverted_cdf")
            return Interval(float(ordered[middle]), float(low), float(high))
        values = values[np.isfinite(values)]
        return bootstrap_interval(values, median, n=1000) if len(values) > 1 else None

    @property
    def never(self) -> int:
        """Seeds that never reach the horizon (null in the files of jobs)."""
        return int(np.isnan(self.scores[HORIZON]).sum()) if HORIZON in self.scores else 0


@dataclass(frozen=True)
class MoonsResults:
    """All that the page shows."""

    study: ThreeMoonsStudy
    groups: dict[str, Group]
    astronomers: dict[str, np.ndarray]
    null: np.ndarray
    facts: dict[str, Any]


def collect(study: ThreeMoonsStudy, jobs: list[Job], out: Path) -> MoonsResults:
    """Read the results of all jobs and write results.json, seeds.csv and curves.csv into `out`."""
    groups: dict[str, Group] = {}
    for name in dict.fromkeys(job.name for job in jobs):
        groups[name] = _group(name, [job for job in jobs if job.name == name], out / "jobs")
    observed = ThreeMoons(length=801).generate(0, "validation", 0, ASTRONOMER_ROWS)["observation"]
    tables = {}
    for table in ("joint", "separate"):
        predicted, _ = astronomers.predict(observed, table)
        tables[table] = np.abs(predicted - observed[:, 1:]).mean(axis=(0, 2))
    null = alignment_null(3, 3, structure="complex", n=2000)
    results = MoonsResults(study, groups, tables, null, provenance())
    folders.write_json(out / "results.json", _plain(results))
    _write_tables(results, out)
    return results


def _group(name: str, jobs: list[Job], folder: Path) -> Group:
    results = [job.result(folder) or {} for job in jobs]
    scores = {key: np.concatenate([np.asarray(result[key], float) for result in results])
              for key in results[0] if key != "seconds"}  # fmt: skip
    loaded = []
    for job in jobs:
        with np.load(folder / job.id / "arrays.npz") as arrays:
            loaded.append(dict(arrays))
    joined = {key: np.concatenate([part[key] for part in loaded], axis=1 if key == "alignment" else 0)
              for key in loaded[0] if key != "steps"}  # fmt: skip
    joined["steps"] = loaded[0]["steps"]
    return Group(name, jobs[0].config, scores, joined, sum(result["seconds"] for result in results))


def _plain(results: MoonsResults) -> dict[str, Any]:
    world = ground_truth((1.0, 2.0, 3.0))
    groups = []
    for group in results.groups.values():
        entry: dict[str, Any] = {
            "name": group.name,
            "seeds": group.seeds,
            "disentangled": int(group.disentangled.sum()),
        }
        entry["rate"] = vars(group.rate)
        for score in group.scores:
            interval = group.summary(score)
            if score != "seeds" and interval is not None:
                entry[f"median_{score}"] = vars(interval)
        entry["never_at_the_horizon"] = group.never
        options = {key: group.config[key] for key in ("model", "task", "train")}
        world_options = {key: group.config["world"][key] for key in ("length", "mixing", "held_out_periods")}
        groups.append(entry | {"training_seconds": group.seconds, "options": options | {"world": world_options}})
    return {
        **results.facts,
        "study": results.study.name,
        "first_seed": results.study.first_seed,
        "separate_context": world.separate_context,
        "joint_context": world.joint_context,
        "null_95th_percentile": float(np.quantile(results.null, 0.95)),
        "groups": groups,
    }


def _write_tables(results: MoonsResults, out: Path) -> None:
    import pandas as pd

    seeds, curves = [], []
    for group in results.groups.values():
        seeds.append(pd.DataFrame({"group": group.name, **group.scores}).astype({"seeds": int}))
        for measure, contexts in (("one_step", range(1, 801)), ("free", CONTEXTS), ("frozen", CONTEXTS)):
            values = group.arrays[measure]
            low, middle, high = np.quantile(values, (0.1, 0.5, 0.9), axis=0)
            columns: dict[str, Any] = {"group": group.name, "measure": measure}
            columns["context"] = list(contexts)[: values.shape[1]]
            curves.append(pd.DataFrame({**columns, "p10": low, "median": middle, "p90": high}))
    for table, curve in results.astronomers.items():
        columns = {"group": f"astronomer, {table} table", "measure": "one_step", "context": list(range(1, 801))}
        curves.append(pd.DataFrame({**columns, "p10": curve, "median": curve, "p90": curve}))
    pd.concat(seeds).to_csv(out / "seeds.csv", index=False, float_format="%.6g")
    pd.concat(curves).to_csv(out / "curves.csv", index=False, float_format="%.6g")


__all__ = ["CONTEXTS", "FREE_STEPS", "Group", "MoonsResults", "collect"]
