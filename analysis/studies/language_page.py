"""Page of the language study: tables, figures, what they say."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.plots.language import (
    CURVES_CAPTION,
    PROFILE_CAPTION,
    PROMPTS_CAPTION,
    curves_figure,
    depth_caption,
    depth_figure,
    profile_figure,
    prompts_figure,
)
from analysis.report.page import Page
from analysis.report.table import write_table
from analysis.studies.language_results import LanguageResults
from toyworlds.core import folders

LOSS_HEAD = ["model", "blocks", "parameters", "loss", "low", "high", "bits a byte"]
RUN_HEAD = [
    "model", "blocks", "seed", "best after (updates)", "loss there", "training loss there", "loss at the end",
    "training loss at the end", "seconds",
]  # fmt: skip
RUN_COLUMNS = [
    "model", "depth", "seed", "best_step", "best_loss", "training_loss_at_best", "final_loss", "final_training_loss",
    "seconds",
]  # fmt: skip
KEPT = ("runs", "curves", "loss", "difference", "prompts", "profile")
"""Tables that language.json holds; the curves of profiles are in profile_curves.csv alone."""
PROMPTS_HEAD = [
    "model",
    "blocks",
    "kind",
    "prompts",
    "answered right",
    "low",
    "high",
    "chance",
    "probability of the answer",
]
PROMPTS_NOTE = (
    "The answer of a model is the candidate with the largest probability; its probability is taken among the "
    "candidates, mean over prompts. Prompts longer than the context are left out."
)
PROFILE_HEAD = [
    "model", "blocks", "entropy", "flatness by distance", "flatness by position", "weight of the first",
    "weight of the nearest",
]  # fmt: skip
PROFILE_COLUMNS = ["entropy", "flatness_by_distance", "flatness_by_position", "first", "nearest"]
PROFILE_NOTE = (
    "Means over heads, layers and seeds; profile.csv has each head. Entropy relative to that of equal weights; "
    "flatness 1 for a flat profile, near 0 for a peak."
)


def write_page(results: LanguageResults, out: Path) -> Path:
    """Write tables, figures and index.html; return the path of the page."""
    tables = results.tables
    for name, table in tables.items():
        if len(table) and name != "runs":
            folders.write_text(out / f"{name}.csv", table.to_csv(index=False))
    write_table(results.study.table(out), out)
    record = {"study": asdict(results.study), "facts": results.facts}
    folders.write_json(out / "language.json", record | {name: records(tables[name]) for name in KEPT})
    page = Page("Mosaics and transformers as small language models", lead(results), out / "figures")
    page.section("Text").text(said_of_text(results))
    by_depth = depth_figure(tables["loss"], tables["runs"], tables["difference"], results.reference)
    page.section("Loss by depth").figure(
        "language_depth", by_depth, depth_caption(tables["difference"], results.reference)
    )
    page.table(
        LOSS_HEAD, rows(tables["loss"]), f"Nats a token; {intervals(results)}. Parameters without tables of positions."
    )
    if len(tables["difference"]):
        head = ["model", "blocks", f"loss less the {results.reference}'s", "low", "high"]
        page.table(head, rows(tables["difference"]), f"Paired by seed and story; {intervals(results)}.")
    page.section("Training and validation")
    page.figure("language_curves", curves_figure(tables["curves"]), CURVES_CAPTION)
    page.table(RUN_HEAD, rows(tables["runs"][RUN_COLUMNS]), "One line a training.")
    if len(tables["prompts"]):
        page.section("Prompts").figure("language_prompts", prompts_figure(tables["prompts"]), PROMPTS_CAPTION)
        page.table(PROMPTS_HEAD, rows(tables["prompts"]), PROMPTS_NOTE)
    if len(tables["profile"]):
        page.section("Retrieval profile")
        page.figure("language_profile", profile_figure(tables["profile_curves"]), PROFILE_CAPTION)
        page.table(PROFILE_HEAD, rows(profile_means(tables["profile"])), PROFILE_NOTE)
    return page.write(out / "index.html")


def profile_means(profile: pd.DataFrame) -> pd.DataFrame:
    """Means over heads, layers and seeds."""
    return profile.groupby(["model", "depth"], sort=False)[PROFILE_COLUMNS].mean().reset_index()


def lead(results: LanguageResults) -> str:
    """The sentence that the page opens with."""
    verdicts: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for _, line in results.tables["difference"].iterrows():
        sign = "below" if line["high"] < 0 else "above" if line["low"] > 0 else "not told apart from"
        verdicts.setdefault((line["model"], sign), []).append((str(line["depth"]), f"{line['estimate']:+.3f}"))
    said = []
    for (model, sign), lines in verdicts.items():
        depths, by = (", ".join(words) for words in zip(*lines, strict=True))
        blocks = "1 block" if depths == "1" else f"{depths} blocks"
        said.append(f"{model} is {sign} the {results.reference} with {blocks} ({by} nats)")
    return "In validation loss " + "; ".join(said) + "." if said else "Validation loss by model and depth."


def intervals(results: LanguageResults) -> str:
    """Say what the intervals are over."""
    over = "stories, for there is one seed" if results.study.seeds == 1 else f"{results.study.seeds} seeds and stories"
    return f"95 % intervals over {over}"


def said_of_text(results: LanguageResults) -> str:
    """Say what was read."""
    text, study, run = results.facts["text"], results.study, results.tables["runs"].iloc[0]
    split = text["splits"]["train"]
    near = text["duplicates"]
    return (
        f"{split['documents']:,} training stories, {split['tokens']:,} tokens of {text['tokenizer']['vocabulary']} "
        f"({text['tokenizer']['kind']}), {split['bytes'] / split['tokens']:.2f} bytes a token. Of "
        f"{near['documents']:,} validation stories {near['exact']} are also in the training text, {near['near']} share "
        f"half of their {near['run']}-word runs with it; the mean share is {near['shared']:.1%}. "
        f"{study.steps:,} updates of {study.batch_size} rows of at most {study.context} tokens are "
        f"{run['epochs']:.2f} epochs; {run['padding']:.1%} of the places are padding."
    )


def rows(table: pd.DataFrame) -> list[list[Any]]:
    """Lines of a table as lists."""
    return [list(record.values()) for record in records(table)]


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Lines as plain values, missing ones None."""
    lines = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{str(name): value for name, value in line.items()} for line in lines]
