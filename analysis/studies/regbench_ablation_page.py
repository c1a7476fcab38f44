"""Collect the ablation study and draw its page: what each part is worth, and what depth is.

runs.csv, runs.parquet, summary.csv     as those of a learning-curve study (`analysis.studies.regbench_curve_results`)
differences.csv                         arm, base, measure: mean over seeds of (arm - base), its t interval
results.json                            all of it, options, references, provenance
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.bootstrap import t_interval
from analysis.plots import curves as plots
from analysis.plots.style import figure
from analysis.provenance import provenance
from analysis.report.page import Page
from analysis.report.table import write_table
from analysis.studies.regbench_ablation import DEEP, MOSAIC, V2, RegBenchAblationStudy, depth_name
from analysis.studies.regbench_curve_results import read_runs, summarise
from analysis.studies.regbench_references import Reference, references
from analysis.studies.regbench_training import HIGHER_IS_BETTER, MEASURES
from toyworlds.core import folders

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

BASES = {"mosaic": tuple(MOSAIC), "v2": tuple(V2)}


@dataclass(frozen=True)
class AblationResults:
    """All that the page shows."""

    study: RegBenchAblationStudy
    runs: pd.DataFrame
    summary: pd.DataFrame
    differences: pd.DataFrame
    references: dict[str, Reference]
    facts: dict[str, Any]


def collect(study: RegBenchAblationStudy, out: Path) -> AblationResults:
    """Read the results of all jobs and write the files of this module into `out`."""
    runs, _ = read_runs(study.runs(), out / "jobs")
    chosen = runs[runs["chosen"]]
    summary, differences, lines = summarise(runs), differ(chosen), references(study)
    write_table(study.table(out), out)
    folders.write_text(out / "intervals.csv", summary.to_csv(index=False, float_format="%.6g"))
    folders.write_text(out / "differences.csv", differences.to_csv(index=False, float_format="%.6g"))
    facts = provenance()
    plain = {
        **facts,
        "study": study.name,
        "options": dataclasses.asdict(study),
        "references": {name: line.test for name, line in lines.items()},
        "summary": summary.to_dict("records"),
        "differences": differences.to_dict("records"),
    }
    folders.write_json(out / "results.json", plain)
    return AblationResults(study, runs, summary, differences, lines, facts)


def differ(chosen: pd.DataFrame) -> pd.DataFrame:
    """Mean difference of each arm from its base over seeds, paired by seed, with its t interval (NaN with one seed)."""
    import pandas as pd

    lines = []
    for base, arms in BASES.items():
        against = chosen[chosen["variant"] == base].set_index("seed")
        for arm in arms[1:]:
            own = chosen[chosen["variant"] == arm].set_index("seed")
            for measure in MEASURES:
                values = (own[measure] - against[measure]).to_numpy()
                line = {"arm": arm, "base": base, "measure": measure, "seeds": len(values), "mean": values.mean()}
                around = t_interval(values) if len(values) > 1 else None
                line |= {"low": around.low if around else np.nan, "high": around.high if around else np.nan}
                lines.append(line)
    return pd.DataFrame(lines)


def write_page(results: AblationResults, out: Path) -> Path:
    """Write index.html and the figures; return the path of the page."""
    study = results.study
    page = Page("What is each part of a Memory Mosaic worth?", lead(results), out / "figures")
    page.section("One part changed")
    caption = "Difference in DFA accuracy and excess cross-entropy from the unchanged model, paired by seed: mean, "
    page.figure("ablation", _arms_figure(results), caption + "95 % t interval, every seed a point.")
    _arms_table(page, results)
    page.section("Depth")
    caption = "DFA accuracy and excess cross-entropy against the number of blocks; both models have the same number of "
    page.figure("depth", _depth_figure(results), caption + "parameters at each depth.")
    page.section("How this was made")
    rates = ", ".join(f"{rate:g}" for rate in study.learning_rates)
    page.text(
        f"{study.size:,} training languages of {study.world}, {study.steps:,} updates of {study.batch_size} problems, "
        f"{study.seeds} seeds, {study.test_size} test languages. Every arm has the parameter count of the mosaic of "
        f"its depth and the same candidates for the learning rate ({rates}); the one of least mean validation loss "
        "was kept within each arm. The seed is the unit of every interval. With so many arms, one in twenty intervals "
        "would exclude zero by chance alone: no correction was made for that."
    )
    page.details("Options", json.dumps(dataclasses.asdict(study), indent=1))
    page.details("Versions and machine", json.dumps(results.facts, indent=2))
    return page.write(out / "index.html")


def lead(results: AblationResults) -> str:
    """Say which changes hurt, help, or cannot be told apart from none, by excess cross-entropy."""
    table = results.differences[results.differences["measure"] == "excess"]
    if table["low"].isna().any():
        return (
            "One seed of every arm: differences are shown, but nothing says how much another start would change them."
        )
    kinds = {
        "hurt": table[table["low"] > 0]["arm"].tolist(),
        "help": table[table["high"] < 0]["arm"].tolist(),
        "cannot be told from no change": table[(table["low"] <= 0) & (table["high"] >= 0)]["arm"].tolist(),
    }
    said = [f"{', '.join(arms)} {kind}" for kind, arms in kinds.items() if arms]
    return f"By excess cross-entropy, with 95 % t intervals over {results.study.seeds} seeds: " + "; ".join(said) + "."


def _arms_figure(results: AblationResults) -> Figure:
    drawn, axes = figure(1, 2, width=11.0, height=5.0, sharey=True)
    arms = [arm for names in BASES.values() for arm in names[1:]]
    chosen = results.runs[results.runs["chosen"]]
    for ax, measure in zip(axes, ("dfa_accuracy", "excess"), strict=True):
        table = results.differences[results.differences["measure"] == measure].set_index("arm").loc[arms]
        points = []
        for base, names in BASES.items():
            against = chosen[chosen["variant"] == base].set_index("seed")[measure]
            points += [
                (chosen[chosen["variant"] == a].set_index("seed")[measure] - against).to_list() for a in names[1:]
            ]
        plots.differences(ax, table, points)
        better = "right" if measure in HIGHER_IS_BETTER else "left"
        ax.set(title=f"{plots.LABELS[measure]}: better to the {better}", xlabel="difference from the unchanged model")
    return drawn


def _arms_table(page: Page, results: AblationResults) -> None:
    rows = []
    for base, arms in BASES.items():
        for arm in arms:
            row = [arm]
            for measure in MEASURES:
                line = results.summary[(results.summary["variant"] == arm) & (results.summary["measure"] == measure)]
                row.append(_shown(line.iloc[0]))
            table = results.differences
            own = table[(table["arm"] == arm) & (table["measure"] == "excess")]
            row.append("-" if arm == base else _shown(own.iloc[0]))
            chosen = results.runs[(results.runs["variant"] == arm) & results.runs["chosen"]]
            rows.append([*row, f"{chosen['learning_rate'].iloc[0]:g}", int(chosen["parameters"].iloc[0])])
    for name, reference in results.references.items():
        cells = ["-" if reference.test[m] is None else f"{reference.test[m]:.3f}" for m in MEASURES]
        rows.append([name, *cells, "", "", ""])
    page.table(["arm", *(plots.LABELS[m] for m in MEASURES), "excess less that of the unchanged model",
                "learning rate", "parameters"], rows, "Means over seeds (95 % t interval); differences paired by "
               "seed.")  # fmt: skip


def _shown(line: pd.Series[Any]) -> str:
    if math.isnan(line["low"]):
        return f"{line['mean']:.3f}"
    return f"{line['mean']:.3f} ({line['low']:.3f} to {line['high']:.3f})"


def _depth_figure(results: AblationResults) -> Figure:
    import pandas as pd

    study = results.study
    drawn, axes = figure(1, 2, width=11.0, height=4.0)
    parts = []
    for model in DEEP:
        for depth in study.depths:
            arm = "mosaic" if (model, depth) == ("mosaic", study.depth) else depth_name(model, depth)
            own = results.runs[(results.runs["variant"] == arm) & results.runs["chosen"]]
            parts.append(own.assign(variant=model, size=depth))
    runs = pd.concat(parts)
    for ax, measure in zip(axes, ("dfa_accuracy", "excess"), strict=True):
        plots.learning_curves(ax, runs, summarise(runs), measure)
        plots.reference_lines(ax, {name: line.test[measure] for name, line in results.references.items()})
        ax.set_xlabel("blocks")
    plots.at_most_one(axes[0])
    drawn.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return drawn
