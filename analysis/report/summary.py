"""Runs summed up over their seeds: mean or interquartile mean of each metric, with its bootstrap interval.

    cell = (study, kind, model, size);  estimate = statistic of the values of its chosen runs, one a seed

Intervals are percentile intervals over resampled runs (`analysis.bootstrap`, which says how much three seeds can
tell); all cells with the same number of runs share the resamples. A single run has no interval. A run whose value is
not finite (a diverged loss) is in no estimate; the count says so: 2 of 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.bootstrap import Statistic, bootstrap_band, interquartile_mean, mean
from toyworlds.core.validate import DataError, choice

if TYPE_CHECKING:
    import pandas as pd

STATISTICS: dict[str, Statistic] = {"mean": mean, "iqm": interquartile_mean}
CELL = ["study", "kind", "model", "size"]
SPECIAL = str.maketrans(
    {sign: f"\\{sign}" for sign in "&%$#_{}"} | {"\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}"}
)


def summarise(table: pd.DataFrame, metrics: Sequence[str], statistic: str = "mean") -> pd.DataFrame:
    """Return study, kind, model, size, metric, runs, of, estimate, low, high: one line a cell and metric.

    `runs` of the `of` runs of the cell have a finite value and are in the estimate. A metric that is missing in all
    runs of a cell has no line; one that is infinite in all has one without estimate.

    Models stand in the order of `table`, which is one of `analysis.report.table`, and sizes rise. Runs that were tried
    and not chosen are left out. A DataError names two chosen runs of one cell and seed: they are not independent.
    """
    import pandas as pd

    how = STATISTICS[choice("statistic", statistic, STATISTICS)]
    place = table.groupby(CELL[:3], sort=False).ngroup()
    chosen = table.assign(place=place)[table["chosen"]].sort_values(["place", "size"], kind="stable")
    twice = chosen.duplicated([*CELL, "seed"])
    if twice.any():
        name = chosen[twice][[*CELL, "seed"]].to_dict("records")[0]
        raise DataError(f"runs: expected one run of a study, model, size and seed; got two of {name}")
    lines: list[dict[str, Any]] = []
    values: list[np.ndarray] = []
    for cell, runs in chosen.groupby(CELL, sort=False, dropna=False):
        for metric in metrics:
            every = runs[metric].to_numpy(np.float64) if metric in runs else np.empty(0)
            found = every[np.isfinite(every)]
            if not np.isnan(every).all():
                line = dict(zip(CELL, cell, strict=True)) | {"metric": metric, "runs": len(found), "of": len(runs)}
                lines.append(line)
                values.append(found)
    out = pd.DataFrame(lines, columns=[*CELL, "metric", "runs", "of"]).astype({"size": "Int64"})
    return pd.concat([out, pd.DataFrame(_intervals(values, how), columns=["estimate", "low", "high"])], axis=1)


def _intervals(values: Sequence[np.ndarray], statistic: Statistic) -> np.ndarray:
    """Estimate, low and high of each cell, (cells, 3)."""
    out = np.full((len(values), 3), np.nan)
    for runs in {len(found) for found in values} - {0}:
        places = [place for place, found in enumerate(values) if len(found) == runs]
        stacked = np.stack([values[place] for place in places], axis=1)
        if runs == 1:
            out[places, 0] = stacked[0]
        else:
            band = bootstrap_band(stacked, statistic)
            out[places] = np.stack([band.estimate, band.low, band.high], axis=1)
    return out


def latex(summary: pd.DataFrame, labels: Mapping[str, str]) -> str:
    """Return one LaTeX table a study and metric: models down, sizes across, estimate over its interval and runs.

    Needs no package; `labels` maps a metric to what the caption calls it.
    """
    parts = []
    for (study, metric), lines in summary.groupby(["study", "metric"], sort=False):
        sizes = sorted(lines["size"].dropna().unique())
        head = [f"{size:,}" for size in sizes] or [""]
        rows = []
        for model, cells in lines.groupby("model", sort=False):
            at = {size: cell_text(row) for size, row in zip(cells["size"], cells.to_dict("records"), strict=True)}
            anywhere = next(iter(at.values()))
            shown = [at.get(size, anywhere if len(at) == 1 and cells["size"].isna().all() else "") for size in sizes]
            rows.append(" & ".join([escaped(str(model)), *(shown or [anywhere])]) + r" \\")
        caption = f"{escaped(str(study))}: {escaped(labels.get(str(metric), str(metric)))}."
        parts.append(
            "\\begin{table}\n"
            f"\\caption{{{caption} In brackets the 95 \\% bootstrap interval over runs and their number.}}\n"
            f"\\begin{{tabular}}{{l{'r' * len(head)}}}\n\\hline\n"
            + " & ".join(["model", *head]) + " \\\\\n\\hline\n" + "\n".join(rows)
            + "\n\\hline\n\\end{tabular}\n\\end{table}\n"
        )  # fmt: skip
    return "\n".join(parts)


def cell_text(row: Mapping[Any, Any]) -> str:
    """Estimate, interval and number of runs of a line of a summary; "2 of 3" where a run's value is not finite."""
    runs = f"({row['runs']})" if row["runs"] == row["of"] else f"({row['runs']} of {row['of']})"
    if row["runs"] == 0:
        return f"- {runs}"
    interval = "" if row["runs"] == 1 else f" [{row['low']:.4g}, {row['high']:.4g}]"
    return f"{row['estimate']:.4g}{interval} {runs}"


def escaped(text: str) -> str:
    """Return `text` with LaTeX's special characters made plain."""
    return text.translate(SPECIAL)
