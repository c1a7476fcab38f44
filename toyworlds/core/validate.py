"""The wording of errors, in one place: argument, what was expected, what came, the nearest valid choice.

Two kinds of error leave this project, and the command line maps each to one line and an exit status:

    InputError   the caller's argument is at fault      exit status 2
    DataError    a file, folder or run is at fault      exit status 1

>>> choice("split", "trian", ["train", "test"])
Traceback (most recent call last):
    ...
toyworlds.core.validate.InputError: split: expected one of train, test; got 'trian' (did you mean 'train'?)
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import numbers
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")
LONGEST_SHOWN = 200
"""Characters of a refused value that an error shows."""


class InputError(ValueError):
    """The caller's argument is at fault."""


class DataError(RuntimeError):
    """A file, a folder or a run is at fault."""


def reject(argument: str, expected: str, got: object, hint: str = "") -> NoReturn:
    """Raise the InputError that every check of an argument raises."""
    shown = " ".join(repr(got).split("\n"))
    shown = shown if len(shown) <= LONGEST_SHOWN else shown[:LONGEST_SHOWN] + "..."
    raise InputError(f"{argument}: expected {expected}; got {shown}" + (f" ({hint})" if hint else ""))


def nearest(word: object, options: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the closest option, or an empty string when none is close."""
    close = difflib.get_close_matches(str(word), list(options), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else ""


def choice(argument: str, value: Any, options: Iterable[str]) -> str:
    """Return `value` if it is one of `options`."""
    options = list(options)
    if isinstance(value, str) and value in options:
        return str(value)
    reject(argument, "one of " + ", ".join(options), value, nearest(value, options))


def integer(argument: str, value: Any, low: int | None = None, high: int | None = None) -> int:
    """Return `value` as int if it is a whole number within [low, high]."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or (low is not None and value < low) or (high is not None and value > high):
        reject(argument, "a whole number" + _bounds(low, high), value)
    return int(value)


def existing(argument: str, path: str | Path, what: str) -> Path:
    """Return `path`, where there is a file or folder; `what` says what is expected there."""
    if not Path(path).exists():
        reject(argument, what, str(path), "there is nothing of this name")
    return Path(path)


def real(
    argument: str, value: Any, low: float | None = None, high: float | None = None, *, above: float | None = None
) -> float:
    """Return `value` as float if it is finite, within [low, high], and greater than `above`."""
    ok = isinstance(value, numbers.Real) and not isinstance(value, bool) and _finite(value)
    ok = ok and (low is None or value >= low) and (high is None or value <= high)
    if not ok or (above is not None and not value > above):
        expected = "a finite number" + (f" above {above:g}" if above is not None else "") + _bounds(low, high)
        reject(argument, expected, value)
    return float(value)


def from_dict(cls: type[T], values: Mapping[str, Any], argument: str) -> T:
    """Build the dataclass `cls` from `values`; an unknown key raises and names the nearest known one.

    Lists become tuples, so that what was read from JSON equals what was written.
    """
    if not isinstance(values, Mapping):
        reject(argument, f"a table of the fields of {cls.__name__}", values)
    known = [field.name for field in dataclasses.fields(cls) if field.init]  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            reject(argument, "a field among " + ", ".join(known), key, nearest(key, known))
    try:
        return cls(**{key: _frozen(value) for key, value in values.items()})
    except TypeError as error:
        raise InputError(f"{argument}: {error}") from None


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _bounds(low: float | None, high: float | None) -> str:
    least, most = (bound if isinstance(bound, int) else f"{bound:g}" for bound in (low or 0, high or 0))
    if low is not None and high is not None:
        return f" from {least} to {most}"
    if low is not None:
        return f" of at least {least}"
    return f" of at most {most}" if high is not None else ""
