"""The job of the units study: which unit of a trained model is needed where, and what it tells.

What is measured: `analysis.regbench_units`.

The result, plain values:

    units      names of the units; changes are in nats
    needed     grouping -> groups, rows of each, loss of each, change (units, groups), and of the selectivity of the
               drawn rows the score, its null (groups of whole problems exchanged: mean) and p-value
    told       DCI over the news of the orders: scores, importance (units, factors), and two nulls:
               rows       informativeness with factors of other problems: mean, p-value
               dealt      disentanglement with the numbers of a layer's units dealt to its units anew: mean, p-value
    read       DCI over the last three tokens: scores, importance
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.engines.jobs import Job, Report
from analysis.regbench_units import (
    Rows,
    group_means,
    groups,
    names_of_units,
    needed,
    news,
    outputs,
    selectivity,
    tokens_read,
)
from analysis.scores.codes import class_targets
from analysis.scores.dci import dci, dci_informativeness_score
from analysis.scores.null import p_value, permutation_null
from toyworlds.core.seeds import Stream

JOB = "analysis.studies.regbench_units_jobs:measure"
GROUP_NULLS = 999
"""Permutations of the selectivity, which costs little."""


def job(training: Job, problems: int, each: int, permutations: int) -> Job:
    """Return the job that measures the model that `training` trains."""
    config = {"training": training.id, "problems": problems, "each": each, "permutations": permutations}
    return Job(f"{training.name}: units", JOB, config)


def measure(config: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    """Measure; see the module."""
    import torch

    from analysis.runs import load_run
    from regbench.problems import load

    torch.set_num_threads(1)
    run = load_run(folder.parent / config["training"] / "run")
    problems = load(run.world, "test", 0, config["problems"], seed=run.task["options"]["data_seed"])
    rows = Rows.draw(problems, config["each"])
    put_out = outputs(run.model, problems)
    whole, change = needed(run.model, problems, put_out)
    grouped = {}
    for name, (numbers, names) in groups(problems).items():
        grouped[name] = _by_group(problems.inside, whole, change, numbers, names)
        grouped[name]["selectivity"] = _selectivity(rows, change, numbers)
    codes = rows.of(put_out)
    factors = {name: rows.of(part) for name, part in news(problems, run.world).items()}
    told = _dci(codes, factors) | _nulls(codes, list(factors.values()), rows.each, config["permutations"], run.model)
    report(1, "measured")
    read = _dci(codes, tokens_read(problems, rows))
    return {"units": names_of_units(run.model), "needed": grouped, "told": told, "read": read}


def _by_group(
    inside: np.ndarray, whole: np.ndarray, change: np.ndarray, numbers: np.ndarray, names: Sequence[str]
) -> dict[str, Any]:
    """Rows, loss and changes of each group that has rows."""
    counts = np.bincount(numbers[inside], minlength=len(names))
    kept = counts > 0
    means = group_means(np.dstack([whole[:, :, None], change])[inside], numbers[inside], len(names))[:, kept]
    return {
        "groups": [name for name, there in zip(names, kept, strict=True) if there],
        "rows": counts[kept].tolist(),
        "loss": means[0].tolist(),
        "change": means[1:].tolist(),
    }


def _selectivity(rows: Rows, change: np.ndarray, numbers: np.ndarray) -> dict[str, float]:
    """Selectivity over the drawn rows, against groups of other problems."""
    classes = [class_targets(rows.of(numbers))]
    null = permutation_null(selectivity, rows.of(change), classes, n=GROUP_NULLS, block=rows.each)
    return {"score": null.observed, "null": float(null.scores.mean()), "p_value": null.p_value}


def _dci(codes: np.ndarray, factors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    found = dci(codes, list(factors.values()))
    scores = {name: getattr(found, name) for name in ("disentanglement", "completeness", "informativeness")}
    return {"factors": list(factors), **scores, "importance": found.importance.tolist()}


def _nulls(codes: np.ndarray, factors: list[np.ndarray], block: int, n: int, model: Any) -> dict[str, Any]:
    """Informativeness with factors of other problems, disentanglement with units dealt anew."""
    related = permutation_null(dci_informativeness_score, codes, factors, n=n, block=block)
    observed = dci(codes, factors).disentanglement
    scores = np.array([dci(dealt(codes, model.config.n_heads, i), factors).disentanglement for i in range(n)])
    return {
        "rows": {"mean": float(related.scores.mean()), "p_value": related.p_value},
        "dealt": {"mean": float(scores.mean()), "most": float(scores.max()), "p_value": p_value(observed, scores)},
    }


def dealt(codes: np.ndarray, heads: int, number: int) -> np.ndarray:
    """Codes (rows, units, w) with the heads w numbers of each layer in random order: the same layers, other units."""
    rows, units, width = codes.shape
    layers = codes.reshape(rows, units // heads, heads * width)
    orders = [
        Stream(0, "regbench_units", "dealt", layer).words(number * heads * width, heads * width).argsort(kind="stable")
        for layer in range(units // heads)
    ]
    mixed = np.stack([layers[:, layer, order] for layer, order in enumerate(orders)], 1)
    return mixed.reshape(rows, units, width)
