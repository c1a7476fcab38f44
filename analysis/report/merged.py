"""One page of several studies: figures and tables with intervals, what the runs cost, read, and were made with.

Written beside it: runs.csv and runs.parquet (a line a run), summary.csv (a line a model, size and metric), runs.tex
(a LaTeX table a study and metric), figures/.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.engines.jobs import read_kept
from analysis.report.page import Page
from analysis.report.summary import CELL, cell_text, latex, summarise
from analysis.report.table import MADE, write_table
from toyworlds.core import folders
from toyworlds.core.validate import choice, reject

if TYPE_CHECKING:
    import pandas as pd

FIGURES = 6
"""Metrics that are drawn when none are named; tables and files hold all."""
RUN = ["study", "kind", "model", "size", "seed", "job"]
WHICH = ("seed", "first_seed", "models", "sizes", "classical", "workers")
"""Options, beside all of the form *seeds, that say which runs there are and what they are shown with, not how a run is
made: folders that differ in these alone are one study."""


def write_report(
    studies: Sequence[tuple[Any, Path]], out: Path, *, metrics: Sequence[str] = (), statistic: str = "mean"
) -> Path:
    """Merge studies, given as (study, its folder), into the folder `out`; return the page's path.

    `metrics` are those to draw, in order; none for the first six of all. Runs that two folders of one study share are
    counted once.
    """
    table, summary, labels = write_files(studies, out, statistic=statistic)
    drawn = [choice("metrics", name, labels) for name in metrics] or list(labels)[:FIGURES]
    page = Page("Results of " + ", ".join(dict.fromkeys(table["study"])), _lead(table, statistic), out / "figures")
    for metric in drawn:
        _metric(page, summary[summary["metric"] == metric], metric, labels[metric])
    _tables(page, table, summary, labels)
    _made(page, table, studies)
    return page.write(out / "index.html")


def write_files(
    studies: Sequence[tuple[Any, Path]], out: Path, *, statistic: str = "mean"
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    """Write the files beside the page; return the runs, their summary, and the label of each metric that has values."""
    if not studies:
        reject("studies", "at least one study", list(studies))
    table = merged(studies)
    named = {name: label for study, _ in studies for name, label in study.metrics.items()}
    labels = {name: label for name, label in named.items() if name in table and table[name].notna().any()}
    summary = summarise(table, list(labels), statistic)
    out.mkdir(parents=True, exist_ok=True)
    write_table(table, out)
    folders.write_text(out / "summary.csv", summary.to_csv(index=False))
    folders.write_text(out / "runs.tex", latex(summary, labels))
    return table, summary, labels


def merged(studies: Sequence[tuple[Any, Path]]) -> pd.DataFrame:
    """Return the tables of all studies, one below the other; a job that two folders of a study hold is counted once.

    Folders of one study are one study when their options differ in `WHICH` alone and no line of one has a namesake in
    the other that was computed from another config or says something else; else the study's name is followed by the
    folder's.
    """
    import pandas as pd

    tables = [
        study.table(folder).assign(folder=name)
        for (study, folder), name in zip(studies, _names([folder for _, folder in studies]), strict=True)
    ]
    table = pd.concat(tables, ignore_index=True)
    chosen = _once(table).query("chosen")
    clashing = chosen.loc[chosen.duplicated([*CELL, "seed"], keep=False), ["study", "folder"]].drop_duplicates()
    options: dict[str, list[dict[str, Any]]] = {}
    for study, _ in studies:
        options.setdefault(study.name, []).append(_how(study))
    apart = {name for name, where in clashing.groupby("study")["folder"] if len(where) > 1}
    apart |= {name for name, found in options.items() if any(each != found[0] for each in found)}
    table.loc[table["study"].isin(apart), "study"] = table["study"] + " (" + table["folder"] + ")"
    return _once(table).drop(columns="folder").reset_index(drop=True)


def _once(table: pd.DataFrame) -> pd.DataFrame:
    """Without the lines that are there already: of the same job, or where there is none, with the same content."""
    without = table[table["job"].isna()]
    again = table["job"].notna() & table.duplicated(RUN)
    again[without.index] = without.drop(columns=["folder", *MADE]).duplicated()
    return table[~again]


def _how(study: Any) -> dict[str, Any]:
    """Options of a study, and of the studies among them, without those of `WHICH`."""
    if not dataclasses.is_dataclass(study):
        return {}
    named = {field.name: getattr(study, field.name) for field in dataclasses.fields(study)}
    return {
        name: _how(value) if dataclasses.is_dataclass(value) else value
        for name, value in named.items()
        if name not in WHICH and not name.endswith("seeds")
    }


def _names(paths: Sequence[Path]) -> list[str]:
    """The shortest end of each path that no other path has."""
    whole = [path.resolve().parts for path in paths]
    names = []
    for parts in whole:
        others = [other for other in whole if other != parts]
        long = next(k for k in range(1, len(parts) + 1) if all(other[-k:] != parts[-k:] for other in others))
        names.append(str(Path(*parts[-long:])))
    return names


def _lead(table: pd.DataFrame, statistic: str) -> str:
    runs = table[table["kind"] == "run"]
    tried = f", {int((~runs['chosen']).sum()):,} of them tried and not chosen" if not runs["chosen"].all() else ""
    how = "Means" if statistic == "mean" else "Interquartile means"
    parts = [_count(runs["model"].nunique(), "model")]
    parts += [_count(runs[name].nunique(), word) for name, word in (("size", "training size"), ("seed", "seed"))]
    return (
        f"{_count(len(runs), 'run')}{tried}: {', '.join(part for part in parts if part)}. "
        f"{how} over seeds, with 95 % bootstrap intervals over seeds."
    )


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'s' * (number != 1)}" if number else ""


def _metric(page: Page, lines: pd.DataFrame, metric: str, label: str) -> None:
    from analysis.plots.report import metric_figure

    runs = lines[lines["kind"] == "run"]["runs"]
    counts = f"{runs.min()} to {runs.max()}" if len(runs) and runs.min() < runs.max() else f"{runs.max()}"
    said = (
        f"{counts} runs a point; bands are 95 % bootstrap intervals over runs, which are too narrow where runs are few "
        "(of three runs they cover the mean in about 76 %). Dashed: references."
        if len(runs)
        else "references alone."
    )
    out = int((lines["of"] - lines["runs"]).sum())
    without = f" Without the {_count(out, 'run')} whose value is not finite." if out else ""
    page.section(label[:1].upper() + label[1:])
    page.figure(
        metric,
        metric_figure(lines, label),
        f"{label}: {said}{without}",
    )


def _tables(page: Page, table: pd.DataFrame, summary: pd.DataFrame, labels: dict[str, str]) -> None:
    """Every cell: its seeds and its metrics."""
    page.section("All models and sizes")
    chosen = table[table["chosen"]].groupby(CELL, sort=False, dropna=False)
    seeds = {_key(cell): spans(runs["seed"].dropna().astype(int).tolist()) for cell, runs in chosen}
    rows = []
    for cell, lines in summary.groupby(CELL, sort=False, dropna=False):
        shown = {line["metric"]: cell_text(line) for line in lines.to_dict("records")}
        study, _, model, size = _key(cell)
        rows.append([study, model, size, seeds[_key(cell)], *(shown.get(name, "-") for name in labels)])
    head = ["study", "model", "size", "seeds", *labels.values()]
    page.table(head, rows, "Estimate, 95 % interval and number of runs (2 of 3: the third value is "
               "not finite, and is not in the estimate); the files beside this page hold them in full.")  # fmt: skip


def _made(page: Page, table: pd.DataFrame, studies: Sequence[tuple[Any, Path]]) -> None:
    """Cost, data, configs, versions."""
    page.section("Cost")
    runs = table[table["kind"] == "run"]
    runs = runs.assign(**{name: runs[name].fillna("-") for name in ("device", "data", "commit", "versions")})
    costs = [
        [*_words(name), len(own), _number(own["flops"].sum()), _number(own["seconds"].sum() / 3600)]
        for name, own in runs.groupby(["study", "model", "device"], sort=False)
    ]
    page.table(["study", "model", "device", "runs", "FLOPs", "device hours"], costs, "Runs tried and not chosen are "
               "counted. FLOPs are those of training, counted from the model's operations.")  # fmt: skip
    page.section("Data and versions")
    for columns, head in ((["study", "data"], ["study", "hash of the data"]), (["commit", "versions"],) * 2):
        counts = [[*_words(name), len(own)] for name, own in runs.groupby(columns, sort=False)]
        page.table([*head, "runs"], counts)
    for (study, folder), name in zip(studies, _names([folder for _, folder in studies]), strict=True):
        config = folders.read_json(folder / "study.json", "the folder of a study")
        page.details(f"Options of {study.name} ({name})", json.dumps(config, indent=1))
        first = _first_configs(runs, folder)
        if first:
            page.details(f"Config of the first run of each model ({name})", json.dumps(first, indent=1))


def _first_configs(runs: pd.DataFrame, folder: Path) -> dict[str, Any]:
    """Config of one job of every model whose jobs are in `folder`."""
    found: dict[str, Any] = {}
    for model, job in zip(runs["model"], runs["job"].fillna(""), strict=True):
        path = folder / "jobs" / job / "result.json"
        if model not in found and job and path.exists():
            found[model] = read_kept(path)["config"]
    return found


def spans(numbers: Sequence[int]) -> str:
    """Write whole numbers as spans.

    >>> spans([4, 0, 1, 2, 7])
    '0-2, 4, 7'
    """
    found: list[list[int]] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(f"{low}-{high}" if high > low else str(low) for low, high in found) or "-"


def _key(cell: Any) -> tuple[str, str, str, str]:
    import pandas as pd

    study, kind, model, size = cell
    return study, kind, model, "-" if pd.isna(size) else str(int(size))


def _words(names: Any) -> list[str]:
    """Names of a group as plain text."""
    return [str(name) for name in names]


def _number(value: float) -> str:
    return f"{value:.3g}" if value > 0 else "-"
