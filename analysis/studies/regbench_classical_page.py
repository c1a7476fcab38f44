"""The page of the classical study: what a context gives away, to whom."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.plots.regbench import classical_figure
from analysis.provenance import provenance
from analysis.report.page import Page
from toyworlds.core import folders
from toyworlds.core.validate import DataError

if TYPE_CHECKING:
    import pandas as pd

SHOWN = (
    ("dfa_accuracy", "DFA accuracy"),
    ("total_variation", "total variation"),
    ("cross_entropy", "cross-entropy (nats)"),
)


def write_page(out: Path) -> Path:
    """Write index.html and the figure from classical.json and the two tables; return the path of the page."""
    import pandas as pd

    found = folders.read_json(out / "classical.json", "the result of the classical study")
    try:
        positions = pd.read_csv(out / "classical_by_position.csv")
        table = pd.read_csv(out / "classical.csv")
    except (OSError, ValueError) as error:
        raise DataError(f"{out}: a table of the study is missing or damaged ({error})") from None
    page = Page("What a context gives away", _lead(table, found["study"]["problems"]), out / "figures")
    page.section("Who predicts how well?")
    page.table(["predictor", *(label for _, label in SHOWN), "gap to the oracle (nats)"], _rows(table),
               "Estimates with 95 % bootstrap intervals over problems; the gap is paired by problem. A back-off n-gram "
               "that gives an allowed symbol no probability has an infinite cross-entropy, shown as -.")  # fmt: skip
    page.section("Along the context")
    page.figure("by_position", classical_figure(positions), "The same measures by position in the context. No learner "
                "can lie below the state oracle, which is told every state and learns only the edges.")  # fmt: skip
    page.section("How this was made")
    page.text(
        "Problems are texts of strings from one random automaton each; predictors see only the text so far. The true "
        "automaton knows the law; the state oracle is told the state at every position and is Bayes-optimal under the "
        "law that automata are drawn from (docs/regbench_oracle.md)."
    )
    page.details("Study, settings and libraries", json.dumps({"study": found["study"], **found["facts"]}, indent=1))
    page.details("Versions and machine", json.dumps(provenance(), indent=2))
    return page.write(out / "index.html")


def _line(table: pd.DataFrame, predictor: str, measure: str) -> pd.Series[Any]:
    return table[(table["predictor"] == predictor) & (table["measure"] == measure)].iloc[0]


def _lead(table: pd.DataFrame, problems: int) -> str:
    learners = table[(table["kind"] == "learner") & (table["measure"] == "cross_entropy")].dropna(subset="estimate")
    best = learners.sort_values("estimate").iloc[0]
    oracle, automaton = (_line(table, name, "cross_entropy")["estimate"] for name in ("state oracle", "true automaton"))
    return (
        f"On {problems} problems the best learner by cross-entropy, {best['predictor']}, needs {best['estimate']:.3f} "
        f"nats a symbol; told the states it could need {oracle:.3f}, and knowing the automaton {automaton:.3f}."
    )


def _rows(table: pd.DataFrame) -> list[list[str]]:
    rows = []
    for predictor in dict.fromkeys(table["predictor"]):
        cells = [predictor]
        for measure, _ in SHOWN:
            cells.append(_shown(_line(table, predictor, measure), "estimate", "low", "high"))
        cells.append(_shown(_line(table, predictor, "cross_entropy"), "gap", "gap_low", "gap_high"))
        rows.append(cells)
    return rows


def _shown(line: pd.Series[Any], *names: str) -> str:
    estimate, low, high = (float(line[name]) for name in names)
    return "-" if math.isnan(estimate) else f"{estimate:.3f} ({low:.3f} to {high:.3f})"
