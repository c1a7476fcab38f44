"""Results and page of the shift study.

language_shift.json    study, where it comes from, the tables
curves.csv             model, text, position, estimate, low, high: loss by position
texts.csv              model, text, loss over all positions, bytes a token
crossings.csv          model, text, position behind which it is below the transformer, with limits
new_facts.csv          model, facts, distance, prompts, share answered right with limits, chance
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.bootstrap import LEVEL
from analysis.loss_by_position import PositionLosses, crossing
from analysis.plots.language_shift import CURVES_CAPTION, FACTS_CAPTION, curves_figure, facts_figure
from analysis.provenance import provenance
from analysis.report.page import Page
from analysis.story_prompts import prompt_scores
from analysis.studies.language_shift import REFERENCE, LanguageShiftStudy
from toyworlds.core import folders

Found = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class ShiftResults:
    """Tables of the study, by name, and what they rest on."""

    study: LanguageShiftStudy
    tables: dict[str, pd.DataFrame]
    facts: dict[str, Any]


def collect(study: LanguageShiftStudy, found: Found) -> ShiftResults:
    """Put what the jobs found into tables."""
    models = study.language.models
    measured = {
        model: [found[study.measurement(model, seed).name] for seed in range(study.language.seeds)] for model in models
    }
    lines: dict[str, list[dict[str, Any]]] = {"curves": [], "texts": [], "crossings": []}
    for text in study.texts():
        losses = {model: of_text(results, text) for model, results in measured.items()}
        for model, loss in losses.items():
            where = {"model": model, "text": text}
            band = loss.band()
            points = zip(loss.positions, band.estimate, band.low, band.high, strict=True)
            names = ("position", "estimate", "low", "high")
            lines["curves"] += [where | dict(zip(names, map(float, point), strict=True)) for point in points]
            whole = loss.sums.mean(axis=0).sum() / loss.counts.sum()
            size = measured[model][0]["texts"][text]["bytes_per_token"]
            lines["texts"].append(where | {"loss": float(whole), "bytes_per_token": size})
            if model != REFERENCE:
                lines["crossings"].append(where | crossing_line(loss, losses[REFERENCE]))
    tables = {name: pd.DataFrame(rows) for name, rows in lines.items()} | {"new_facts": facts_table(measured)}
    facts = {
        "text": found[study.language.text_job().name],
        "trainings": training_lines(study, found),
        "level": LEVEL,
        "provenance": provenance(),
    }
    return ShiftResults(study, tables, facts)


def of_text(results: list[Mapping[str, Any]], text: str) -> PositionLosses:
    """Losses of the seeds of one model on one text."""
    parts = [result["texts"][text] for result in results]
    sums = np.array([part["sums"] for part in parts])
    return PositionLosses(sums, np.array(parts[0]["counts"]), np.array(parts[0]["edges"]))


def crossing_line(loss: PositionLosses, reference: PositionLosses) -> dict[str, Any]:
    """Crossing with its limits as plain values; None for a position beyond the range."""
    found = crossing(loss, reference)
    values = {"crossing": found.position, "low": found.low, "high": found.high}
    finite = {name: value if np.isfinite(value) else None for name, value in values.items()}
    return finite | {"share": found.share, "said": str(found)}


def training_lines(study: LanguageShiftStudy, found: Found) -> list[dict[str, Any]]:
    """What each training came to."""
    return [
        {"model": job.config["model"], "seed": job.config["seed"]}
        | {name: found[job.name][name] for name in ("parameters", "best", "final", "seconds")}
        for job in study.language.jobs()
    ]


def facts_table(measured: Mapping[str, list[Mapping[str, Any]]]) -> pd.DataFrame:
    """Share of new facts recalled, by model, number and distance; empty where none were asked for."""
    lines = []
    for model, results in measured.items():
        answers = [answer for result in results for answer in result["facts"] or []]
        cells = pd.DataFrame(answers, columns=["facts", "asked_distance", "correct", "chance", "probability"])
        for (number, distance), some in cells.groupby(["facts", "asked_distance"]):
            score = prompt_scores(some.assign(kind="facts"))["facts"]
            interval = score.accuracy
            lines.append(
                {"model": model, "facts": number, "distance": distance, "prompts": score.prompts}
                | {"estimate": interval.estimate, "low": interval.low, "high": interval.high, "chance": score.chance}
            )
    return pd.DataFrame(lines)


def write_page(results: ShiftResults, out: Path) -> Path:
    """Write tables, figures and index.html; return the path of the page."""
    tables = results.tables
    for name, table in tables.items():
        if len(table):
            folders.write_text(out / f"{name}.csv", table.to_csv(index=False))
    plain = {name: records(table) for name, table in tables.items()}
    record = {"study": asdict(results.study), "facts": results.facts, **plain}
    folders.write_json(out / "language_shift.json", folders.plain(record))
    page = Page("Loss by position, in and out of distribution", lead(results), out / "figures")
    page.section("Loss by position").figure("language_shift_curves", curves_figure(tables["curves"]), CURVES_CAPTION)
    over = "documents and seeds" if results.study.language.seeds > 1 else "documents, for there is one seed"
    rows = [[line["model"], line["text"], line["said"], line["share"]] for line in plain["crossings"]]
    head = [
        "model",
        "text",
        f"tokens behind which it stays below the {REFERENCE}",
        "share of resamples below at the end",
    ]
    page.section("Crossing").table(head, rows, f"95 % intervals over {over}.")
    rows = [list(line.values()) for line in plain["texts"]]
    page.table(["model", "text", "loss", "bytes a token"], rows, "Nats a token over all positions up to the context.")
    if len(tables["new_facts"]):
        page.section("New facts").figure("language_shift_facts", facts_figure(tables["new_facts"]), FACTS_CAPTION)
        rows = [list(line.values()) for line in plain["new_facts"]]
        page.table(["model", "facts", "distance", "prompts", "right", "low", "high", "chance"], rows,
                   "Prompts of all seeds together; intervals over prompts.")  # fmt: skip
    rows = [
        [line["model"], line["seed"], line["parameters"], line["best"]["value"], line["seconds"]]
        for line in results.facts["trainings"]
    ]
    page.section("Trainings").table(["model", "seed", "parameters", "best validation loss", "seconds"], rows)
    return page.write(out / "index.html")


def lead(results: ShiftResults) -> str:
    """The sentence that the page opens with."""
    said = [
        f"{line['text']}: {line['said']}" if len(results.study.language.models) == 2
        else f"{line['text']}, {line['model']}: {line['said']}"
        for line in records(results.tables["crossings"])
    ]  # fmt: skip
    return f"Tokens read before a mosaic stays below a {REFERENCE} of its size. " + "; ".join(said) + "."


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Lines as plain values, missing ones None."""
    lines = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{str(name): value for name, value in line.items()} for line in lines]
