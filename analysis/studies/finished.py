"""Results of the finished jobs of a study, for a page that is drawn again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.engines import Job
from toyworlds.core.validate import DataError


def finished(jobs: Sequence[Job], out: str | Path) -> list[dict[str, Any]]:
    """Return what each job found, in their order; a DataError says how many are missing under `out`."""
    found = [job.result(Path(out) / "jobs") for job in jobs]
    missing = sum(result is None for result in found)
    if missing:
        raise DataError(
            f"{out}: {missing} of {len(jobs)} jobs are not finished; run the study to continue, or "
            "report it with --out for a page of the runs that are finished"
        )
    return [result for result in found if result is not None]
