"""Folders and files that appear whole or not at all: written beside their place, then renamed."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toyworlds.core.validate import DataError, reject


@contextlib.contextmanager
def written_aside(out: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside `out`; rename it to `out` at the end, delete it when interrupted.

    Raises InputError when `out` exists already: nothing is ever overwritten.
    """
    out = Path(out)
    if out.exists() or out.is_symlink():
        reject("out", "a folder that does not exist yet", str(out), "choose another, or remove it first")
    aside = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        aside.mkdir(parents=True)
    except OSError as error:
        reject("out", "a place where a folder can be made", str(out), str(error.strerror))
    try:
        yield aside
        aside.rename(out)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def write_text(path: str | Path, text: str) -> None:
    """Write a file beside its place and rename it."""
    path = Path(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON, two spaces deep, keys in the given order; NaN and infinities become null."""
    write_text(path, json.dumps(_plain(value), indent=2, allow_nan=False) + "\n")


def read_json(path: str | Path, expected: str) -> dict[str, Any]:
    """Read a JSON object; a DataError says which file is missing or damaged, `expected` what was wanted."""
    path = Path(path)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected {expected}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    except ValueError as error:
        raise DataError(f"{path}: not valid JSON ({error})") from None
    if not isinstance(value, dict):
        raise DataError(f"{path}: expected {expected}; got a JSON {type(value).__name__}")
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
