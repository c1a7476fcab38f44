"""Results of the language study: tidy tables with intervals.

    loss(model, depth) = mean over seeds of (sum of nats over documents) / (sum of tokens over documents)

Intervals resample seeds and documents, each with replacement, together for all models, so that differences between
models are paired by seed and by document. With one seed only documents are resampled: the interval then says nothing
of other seeds.

runs.csv          one line a training (analysis.report.table)
curves.csv        losses along each training
loss.csv          loss and bits per byte by model and depth
difference.csv    loss less the reference's by depth; the transformer is the reference, else the first model
prompts.csv       share of prompts answered right, by model, depth and kind     (story world)
profile.csv       retrieval profile of each head (analysis.attention_profile)
profile_curves.csv    mean weight by distance and by position, over heads and seeds
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.bootstrap import LEVEL, RESAMPLES, percentile_interval, resample_indices
from analysis.provenance import provenance
from analysis.studies.language import LanguageStudy

REFERENCE = "transformer"
TABLES = ("runs", "curves", "loss", "difference", "prompts", "profile", "profile_curves")
BITS = 1.0 / np.log(2.0)


@dataclass(frozen=True)
class LanguageResults:
    """Tables of the study, by name, and what they rest on."""

    study: LanguageStudy
    tables: dict[str, pd.DataFrame]
    facts: dict[str, Any]

    @property
    def reference(self) -> str:
        """The model that the others are compared with."""
        return reference_of(self.study)


def collect(study: LanguageStudy, found: Mapping[str, Mapping[str, Any]]) -> LanguageResults:
    """Put what the jobs found into tables."""
    reference = reference_of(study)
    trained = {(m, d): [found[study.training(m, d, s).name] for s in range(study.seeds)] for m, d in cells(study)}
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    samples = {cell: losses(results) for cell, results in trained.items()}
    for (model, depth), results in trained.items():
        where = {"model": model, "depth": depth}
        for seed, result in enumerate(results):
            tables["runs"].append(where | {"seed": seed} | run_line(result, study))
            for line in result["curve"]:
                epochs = {"epochs": line["step"] / result["steps_per_epoch"]}
                tables["curves"].append(where | {"seed": seed} | line | epochs)
        size = {"parameters": results[0]["parameters"]}
        bits = {"bits_per_byte": bits_per_byte(results)}
        tables["loss"].append(where | size | interval_line(samples[model, depth]) | bits)
        if model != reference:
            tables["difference"].append(where | interval_line(samples[model, depth] - samples[reference, depth]))
        tables["prompts"] += [where | line for line in prompt_lines(results)]
        tables["profile"] += [where | line for line in profile_lines(results)]
        tables["profile_curves"] += [where | line for line in profile_curves(results)]
    facts = {"text": found[study.text_job().name], "level": LEVEL, "provenance": provenance()}
    return LanguageResults(study, {name: pd.DataFrame(lines) for name, lines in tables.items()}, facts)


def reference_of(study: LanguageStudy) -> str:
    """The model that the others are compared with: the transformer, else the first."""
    return REFERENCE if REFERENCE in study.models else study.models[0]


def cells(study: LanguageStudy) -> list[tuple[str, int]]:
    """Models and depths, in the order of the tables."""
    return [(model, depth) for model in study.models for depth in study.depths]


def run_line(result: Mapping[str, Any], study: LanguageStudy) -> dict[str, Any]:
    """One training: where it was best, and how it ended."""
    at_best = next(line for line in result["curve"] if line["step"] == result["best"]["step"])
    return {
        "parameters": result["parameters"],
        "epochs": study.steps / result["steps_per_epoch"],
        "best_step": result["best"]["step"],
        "best_loss": result["best"]["value"],
        "training_loss_at_best": at_best["training_loss"],
        "final_loss": result["final"]["validation_loss"],
        "final_training_loss": result["final"]["training_loss"],
        "padding": result["padding"],
        "seconds": result["seconds"],
    }


def resampled(values: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Mean over seeds of sum(values) / sum(sizes) over items, values (seeds, items), sizes (items,).

    Entry 0 is the estimate; then one a resample of seeds and items, the same for every model.
    """
    seeds, items = resample_indices(list(values.shape), RESAMPLES, 0, "language")
    drawn = [values[:, i].sum(1)[s].mean() / sizes[i].sum() for s, i in zip(seeds, items, strict=True)]
    return np.array([values.sum(1).mean() / sizes.sum(), *drawn])


def losses(results: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Resampled loss of one model and depth."""
    return resampled(np.array([result["nats"] for result in results]), np.array(results[0]["tokens"]))


def interval_line(sample: np.ndarray) -> dict[str, float]:
    """Estimate and limits of a sample whose first entry is the estimate."""
    interval = percentile_interval(sample[0], sample[1:])
    return {"estimate": interval.estimate, "low": interval.low, "high": interval.high}


def bits_per_byte(results: Sequence[Mapping[str, Any]]) -> float:
    """Bits a byte of one model and depth."""
    nats = np.array([result["nats"] for result in results])
    return float(nats.sum(1).mean() / np.sum(results[0]["bytes"]) * BITS)


def prompt_lines(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Share of prompts answered right, by kind; nothing where none were asked."""
    if not results[0]["prompts"]:
        return []
    tables = [pd.DataFrame(result["prompts"]) for result in results]
    lines = []
    for kind in tables[0]["kind"].unique():
        of_kind = [table[table["kind"] == kind] for table in tables]
        correct = np.array([table["correct"].to_numpy(np.float64) for table in of_kind])
        sample = resampled(correct, np.ones(correct.shape[1]))
        chance = float(of_kind[0]["chance"].mean())
        probability = float(np.mean([table["probability"].mean() for table in of_kind]))
        lines.append({"kind": kind, "prompts": correct.shape[1]} | interval_line(sample)
                     | {"chance": chance, "probability": probability})  # fmt: skip
    return lines


def profile_lines(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Profile numbers of each head and seed."""
    return [
        {"seed": seed} | head for seed, result in enumerate(results) if result["profile"]
        for head in result["profile"]["heads"]
    ]  # fmt: skip


def profile_curves(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Mean weight over heads and seeds by distance and by position."""
    if not results[0]["profile"]:
        return []
    lines = []
    for by, first in (("distance", results[0]["profile"]["nearest"]), ("position", 0)):
        mean = np.mean([result["profile"][f"by_{by}"] for result in results], axis=0)
        lines += [{"by": by, "place": first + place, "weight": float(weight)} for place, weight in enumerate(mean)]
    return lines
