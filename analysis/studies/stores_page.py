"""Results and page of the stores study: tidy tables, one JSON, one figure.

stores.json       study, where it comes from, the model, both tables
quality.csv       family, store, budget, looked, recall_1, recall_2 (by block), loss, excess, low, high
cost.csv          store, pairs, seconds, bytes
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.bootstrap import LEVEL, RESAMPLES, percentile_interval, resample_indices
from analysis.plots.stores import COST_CAPTION, QUALITY_CAPTION, cost_figure, quality_figure
from analysis.provenance import provenance
from analysis.report.page import Page
from analysis.studies.stores import StoresStudy
from toyworlds.core import folders


@dataclass(frozen=True)
class StoresResults:
    """Tables of the study and what they rest on."""

    study: StoresStudy
    quality: pd.DataFrame
    cost: pd.DataFrame
    facts: dict[str, Any]


def collect(
    study: StoresStudy, trained: Mapping[str, Any], measured: Mapping[str, Mapping[str, Any]], costs: Mapping[str, Any]
) -> StoresResults:
    """Put what the jobs found into tables."""
    exact = measured["exact"]["stores"][0]
    lines = [
        {"family": family, "store": store["store"], "budget": store["budget"] or None} | _quality(entry, exact, study)
        for family, stores in study.families().items()
        for store, entry in zip(stores, measured[family]["stores"], strict=True)
    ]
    cost = [
        {"store": store["label"] if store["budget"] else store["store"], "pairs": pairs, "seconds": s, "bytes": b}
        for store, times, sizes in zip(study.timed(), costs["seconds"], costs["bytes"], strict=True)
        for pairs, s, b in zip(study.pairs, times, sizes, strict=True)
    ]
    facts = {
        "training": study.training().config,
        "model": dict(trained),
        "level": LEVEL,
        "problems": study.problems,
        "rows": measured["exact"]["rows"],
        "provenance": provenance(),
    }
    return StoresResults(study, pd.DataFrame(lines), pd.DataFrame(cost), facts)


def _quality(entry: Mapping[str, Any], exact: Mapping[str, Any], study: StoresStudy) -> dict[str, Any]:
    """One line of the table; the interval of the excess is a percentile bootstrap over problems."""
    labelled, loss = np.array(entry["labelled"]), np.array(entry["loss"])
    mean, more = excess(entry, exact)
    (index,) = resample_indices([len(more)], RESAMPLES, study.seed, "stores")
    interval = percentile_interval(mean, more[index].sum(1) / labelled[index].sum(1))
    recall = {f"recall_{block}": share for block, share in enumerate(entry["recall"], 1)}
    return {
        "looked": float(np.mean(entry["looked"])),
        **recall,
        "loss": float(loss.sum() / labelled.sum()),
        "excess": interval.estimate,
        "low": interval.low,
        "high": interval.high,
    }


def excess(entry: Mapping[str, Any], exact: Mapping[str, Any]) -> tuple[float, np.ndarray]:
    """Loss more than with every pair: nats a labelled row, and nats of each problem."""
    more = np.array(entry["loss"]) - np.array(exact["loss"])
    return float(more.sum() / np.sum(entry["labelled"])), more


def write_page(results: StoresResults, out: Path) -> Path:
    """Write tables, figures and index.html; return the path of the page."""
    folders.write_text(out / "quality.csv", results.quality.to_csv(index=False))
    folders.write_text(out / "cost.csv", results.cost.to_csv(index=False))
    tables = {name: _records(getattr(results, name)) for name in ("quality", "cost")}
    folders.write_json(out / "stores.json", {"study": asdict(results.study), "facts": results.facts, **tables})
    page = Page("What a store of pairs loses", lead(results), out / "figures")
    page.section("Loss and recall").figure("stores_quality", quality_figure(results.quality), QUALITY_CAPTION)
    names = ["family", "budget", "pairs looked at", "recall, block 1", "block 2", "loss", "excess", "low", "high"]
    columns = ["family", "budget", "looked", "recall_1", "recall_2", "loss", "excess", "low", "high"]
    page.table(names, _rows(results.quality[columns]), "Nats a labelled row; 95 % intervals over problems, paired.")
    page.section("Memory and time").figure("stores_cost", cost_figure(results.cost), COST_CAPTION)
    microseconds = results.cost.assign(seconds=results.cost["seconds"] * 1e6)
    page.table(["store", "pairs", "microseconds a step", "bytes a memory"], _rows(microseconds), "Eight memories.")
    return page.write(out / "index.html")


def lead(results: StoresResults) -> str:
    """The sentence that the page opens with."""
    table = results.quality
    lru = table[table["family"] == "least-recently-used"]
    free = lru[lru["high"] < 0.01]
    metrics = results.facts["model"]["metrics"]
    said = f"A mosaic with a test DFA accuracy of {metrics['test_dfa_accuracy']:.3f} read texts of up to 129 tokens. "
    if free.empty:
        return said + "No capacity below all pairs kept its loss within 0.01 nats."
    return said + (
        f"{int(free['budget'].min())} pairs a memory, the least recently used evicted, keep its loss within 0.01 nats "
        "of that with every pair."
    )


def _rows(table: pd.DataFrame) -> list[list[Any]]:
    return [list(record.values()) for record in _records(table)]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Lines as plain values, missing ones None, whole budgets as int."""
    lines = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{str(k): int(v) if k == "budget" and v is not None else v for k, v in line.items()} for line in lines]
