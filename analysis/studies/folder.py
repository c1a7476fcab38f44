"""A study's folder: `study.json` says which study it is; another study's folder is refused."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toyworlds.core import folders
from toyworlds.core.registry import Registry
from toyworlds.core.validate import DataError, from_dict, reject

UNDER_WAY = ".study.json.*.partial"
"""Names of the file that another process is about to call study.json."""


def open_study(out: str | Path, study: Any) -> Path:
    """Make the folder of `study`, or open the one that holds it already; several processes may do so at once.

    Its study.json is written here: a study checks its options before.
    """
    out = Path(out)
    record = {"study": study.name, "config": json.loads(json.dumps(dataclasses.asdict(study)))}
    path = out / "study.json"
    taken = out.exists() and (not out.is_dir() or not all(each.match(UNDER_WAY) for each in out.iterdir()))
    if path.exists():  # looked for last: another process may have just written it
        found = folders.read_json(path, "the description of a study")
        if found.get("study") != study.name:
            reject(
                "out", f"a new folder, or one of the study {study.name}", str(out), f"it holds {found.get('study')!r}"
            )
    elif taken:
        hint = "it holds other files" if out.is_dir() else "it is a file"
        reject("out", "a new or empty folder, or one of this study", str(out), hint)
    else:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reject("out", "a place where a folder can be made", str(out), str(error.strerror))
    folders.write_json(path, record)
    return out


def read_study(out: str | Path) -> tuple[str, dict[str, Any]]:
    """Return (name, config) of the study that the folder holds."""
    path = Path(out) / "study.json"
    found = folders.read_json(path, "the folder of a study")
    if not isinstance(found.get("study"), str) or not isinstance(found.get("config"), dict):
        raise DataError(f"{path}: not the description of a study")
    return found["study"], found["config"]


def renamed(options: Mapping[str, Any], formerly: Mapping[str, str]) -> dict[str, Any]:
    """Return options by the names of today; `formerly` maps an older name to it."""
    return {formerly.get(name, name): value for name, value in options.items()}


def load_study(out: str | Path, studies: Registry) -> Any:
    """Return the study that the folder holds, with its options; a DataError when `studies` has none of its name."""
    name, config = read_study(out)
    path = Path(out) / "study.json"
    if name not in studies:
        known = ", ".join(studies)
        raise DataError(
            f"{path}: unknown study {name!r}; expected {known}, or one of your own (--files names its file)"
        )
    try:
        return from_dict(studies[name], renamed(config, getattr(studies[name], "formerly", {})), "config")
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None
