"""What a study means to compute: `jobs/plan/LABEL.json`, written before its jobs run, read by the status."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.engines.jobs import Job
from toyworlds.core import folders
from toyworlds.core.validate import DataError


def write_plan(folder: Path, label: str, jobs: Sequence[Job]) -> None:
    """Write the list of jobs of one label; a file that says the same is left alone."""
    path = folder / "plan" / f"{re.sub(r'[^a-z0-9]+', '-', label.lower()).strip('-') or 'study'}.json"
    plan = {"label": label, "jobs": [{"id": job.id, "name": job.name, "steps": job.steps} for job in jobs]}
    with contextlib.suppress(DataError):
        if folders.read_json(path, "the plan of a study") == plan:
            return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{path.parent}: cannot be made ({error.strerror or error})") from None
    folders.write_json(path, plan)


def read_plan(folder: Path) -> list[dict[str, Any]]:
    """Return {id, name, steps, label} of every planned job, each id once."""
    paths = sorted((folder / "plan").glob("*.json"))
    if not paths:
        raise DataError(f"{folder}: no jobs are planned here; run the study first")
    planned: dict[str, dict[str, Any]] = {}
    for path in paths:
        plan = folders.read_json(path, "the plan of a study")
        for job in plan.get("jobs", []):
            planned.setdefault(job["id"], job | {"label": plan["label"]})
    return list(planned.values())
