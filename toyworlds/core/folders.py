"""Folders and files that appear whole or not at all: written beside their place, then renamed."""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toyworlds.core.validate import DataError, reject


@contextlib.contextmanager
def written_aside(out: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside `out`; rename it to `out` at the end, delete it when interrupted.

    Raises InputError when `out` exists already (nothing is ever overwritten) or cannot be made, DataError when it
    cannot be written. What a killed process leaves is called `.NAME.RANDOM.partial` and is in nobody's way.
    """
    out = Path(out)
    if os.path.lexists(out):
        reject("out", "a folder that does not exist yet", str(out), "choose another, or remove it first")
    aside = _beside(out)
    try:
        aside.mkdir(parents=True)
    except (OSError, ValueError) as error:
        reject("out", "a place where a folder can be made", str(out), getattr(error, "strerror", None) or str(error))
    try:
        yield aside
        aside.rename(out)
    except BaseException as error:
        shutil.rmtree(aside, ignore_errors=True)
        if isinstance(error, OSError):
            raise DataError(f"{out}: cannot be written ({error})") from None
        raise


def write_text(path: str | Path, text: str) -> None:
    """Write a text in UTF-8 as :func:`write_bytes` writes bytes."""
    write_bytes(path, text.encode())


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file beside its place and rename it; a DataError when that fails, the old file untouched."""
    path = Path(path)
    aside = _beside(path)
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise DataError(f"{path}: cannot be written ({error.strerror or error})") from None


def _beside(path: Path) -> Path:
    """Name that no other process uses, also one with our process number on another machine."""
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}.partial")


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON, two spaces deep, keys in the given order; NaN and infinities become null."""
    write_text(path, json.dumps(plain(value), indent=2, allow_nan=False) + "\n")


def read_json(path: str | Path, expected: str) -> dict[str, Any]:
    """Read a JSON object; a DataError says which file is missing or damaged, `expected` what was wanted."""
    path = Path(path)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected {expected}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not valid JSON ({error})") from None
    if not isinstance(value, dict):
        raise DataError(f"{path}: expected {expected}; got a JSON {type(value).__name__}")
    return value


def plain(value: Any) -> Any:
    """Return `value` as JSON values: arrays and tuples become lists, NaN and infinities null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
