"""The command line of a benchmark, and what it writes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from analysis.cli import status_of
from analysis.cli.parse import parse
from analysis.provenance import provenance
from toyworlds.core import folders

T = TypeVar("T")


@dataclass(frozen=True)
class Written:
    """Measure, print and write."""

    out: Path | None = None
    """JSON file to write."""


def configured(config: type[T], arguments: Sequence[str] | None, description: str | None) -> T:
    """Build the dataclass `config` from words; those of this process where none are given."""
    if arguments is not None:
        return parse(config, arguments, "mosaicbench bench", description)
    return parse(config, sys.argv[1:], Path(sys.argv[0]).stem, description)


def run_module(main: Callable[[], None]) -> NoReturn:
    """Run `main` for `python -m benchmarks.NAME`; errors and exit status are those of the command line."""
    sys.exit(status_of(main, Path(sys.argv[0]).stem))


def record(measured: dict[str, Any], out: Path | None) -> None:
    """Print what was measured with where it comes from, and write it to `out`."""
    found = provenance() | measured
    print(json.dumps(found, indent=1))
    write(found, out)


def write(found: dict[str, Any], out: Path | None) -> None:
    """Write plain values to `out`, if it is given."""
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        folders.write_json(out, found)
