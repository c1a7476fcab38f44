"""What a study means to compute: `jobs/plan/LABEL.json`, written before its jobs run, read by the status.

A label that is no file name (lower-case letters and digits, joined by hyphens) gets one that ends in its hash, so that
no two labels share a file.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.engines.jobs import Job, digest
from toyworlds.core import folders
from toyworlds.core.validate import DataError


def write_plan(folder: Path, label: str, jobs: Sequence[Job]) -> None:
    """Write the list of jobs of one label; a file that says the same is left alone."""
    path = folder / "plan" / f"{_file_name(label)}.json"
    plan = {"label": label, "jobs": [{"id": job.id, "name": job.name, "steps": job.steps} for job in jobs]}
    with contextlib.suppress(DataError):
        if folders.read_json(path, "the plan of a study") == plan:
            return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{path.parent}: cannot be made ({error.strerror or error})") from None
    folders.write_json(path, plan)
    _forget(folder, label, path)


def _forget(folder: Path, label: str, written: Path) -> None:
    """Remove the plan of this label that an older version wrote under another name."""
    older = folder / "plan" / f"{_slug(label)}.json"
    with contextlib.suppress(DataError):
        if older != written and folders.read_json(older, "the plan of a study").get("label") == label:
            older.unlink(missing_ok=True)


def _slug(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-") or "study"


def _file_name(label: str) -> str:
    slug = _slug(label)
    return slug if slug == label else f"{slug}-{digest(label)[:6]}"


def read_plan(folder: Path) -> list[dict[str, Any]]:
    """Return {id, name, steps, label} of every planned job, each id once."""
    paths = sorted((folder / "plan").glob("*.json"))
    if not paths:
        raise DataError(f"{folder}: no jobs are planned here; run the study first")
    planned: dict[str, dict[str, Any]] = {}
    for path in paths:
        plan = folders.read_json(path, "the plan of a study")
        label, jobs = plan.get("label"), plan.get("jobs")
        if not isinstance(label, str) or not isinstance(jobs, list) or not all(map(_is_job, jobs)):
            raise DataError(f"{path}: not the plan of a study (a label, and jobs with id, name and steps); remove it")
        for job in jobs:
            planned.setdefault(job["id"], job | {"label": label})
    return list(planned.values())


def _is_job(value: Any) -> bool:
    """Whether the line of a plan has what the status reads."""
    kinds = {"id": str, "name": str, "steps": int | float}
    return isinstance(value, dict) and all(isinstance(value.get(name), kind) for name, kind in kinds.items())
