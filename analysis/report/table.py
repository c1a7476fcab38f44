"""One line a run: the table that every study gives and that reports of several studies are made of.

    study, kind, model, size, seed, chosen     which run; kind "run", or "reference" for a line to compare with
    ...                                        metrics (those that the study names) and settings
    flops                                      operations of the training, where the study counts them
    data                                       hash of the data that it read
    job                                        id of its job: hash of function, config and version of the code
    seconds, device, date, host, commit, versions        how this computation of it went (MADE)

A study has `metrics`, a dict of metric -> label, and ``table(out) -> pandas.DataFrame``, usually

    def table(self, out):
        return runs_table(self, out, self.jobs(), lambda job, result: [{"model": .., "size": .., "seed": .., **scores}])

All columns but those of MADE are the same whenever and wherever a run is computed, on one machine class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.engines.jobs import Job, digest
from toyworlds.core import folders
from toyworlds.core.validate import DataError, reject

if TYPE_CHECKING:
    import pandas as pd

FIRST = ("study", "kind", "model", "size", "seed", "chosen")
LAST = ("flops", "data", "job")
MADE = ("seconds", "device", "date", "host", "commit", "versions")
"""Columns that tell one computation of a run from another: time, machine and software."""
Describe = Callable[[Job, dict[str, Any]], Iterable[Mapping[str, Any]]]


def runs_table(study: Any, out: Path, jobs: Sequence[Job], describe: Describe) -> pd.DataFrame:
    """Table of the finished jobs among `jobs`, kept under `out`/jobs, in order.

    `describe(job, result)` gives one dict a run (several where a job trains several): model, size and seed, then
    metrics, settings and, where they are known, flops, data, chosen (False for a run that was tried and not taken),
    and seconds (default: those of the whole job).
    """
    rows: list[dict[str, Any]] = []
    for job in jobs:
        kept = job.record(out / "jobs")
        if kept is not None:
            made = kept["made"]
            fixed = {name: made[name] for name in ("seconds", "device", "date", "host", "commit")}
            fixed |= {"job": job.id, "versions": _words(made["versions"])}
            rows += [fixed | dict(row) for row in describe(job, kept["result"])]
    if not rows:
        raise DataError(f"{out}: no job is finished; run the study first")
    return as_table(study, rows)


def as_table(study: Any, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Table of rows that do not come from jobs; columns that no row has are left empty."""
    import pandas as pd

    for row in rows:
        if "model" not in row:
            reject("rows", "a model in every row", dict(row))
    usual = {"study": study.name, "kind": "run", "size": None, "seed": None, "chosen": True, "flops": None}
    usual |= dict.fromkeys(("data", "job", *MADE))
    table = pd.DataFrame([usual | dict(row) for row in rows])
    middle = [name for name in table.columns if name not in (*FIRST, *LAST, *MADE)]
    metrics = [name for name in study.metrics if name in middle]
    settings = [name for name in middle if name not in metrics]
    table = table[[*FIRST, *metrics, *settings, *LAST, *MADE]]
    types: dict[str, Any] = {"size": "Int64", "seed": "Int64", "chosen": bool}
    types |= dict.fromkeys((*metrics, "flops", "seconds"), "float64")
    words = ("study", "kind", "model", "data", "job", "device", "date", "host", "commit", "versions")
    return table.astype(types | dict.fromkeys(words, "string"))


def data_hash(**parts: Any) -> str:
    """16 hex digits of the SHA-256 of what names the data: world, version, options, seed, rows of each split."""
    return digest(parts)[:16]


def write_table(table: pd.DataFrame, out: Path) -> None:
    """Write runs.csv and runs.parquet, whole or not at all."""
    folders.write_text(out / "runs.csv", table.to_csv(index=False))
    folders.write_bytes(out / "runs.parquet", table.to_parquet(index=False))


def _words(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
