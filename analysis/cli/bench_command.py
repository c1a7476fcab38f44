"""`mosaicbench bench NAME`: run one of the benchmarks of a checkout."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path
from typing import Any

from analysis.cli.list_command import lines
from toyworlds.core.validate import DataError, choice

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def benchmarks() -> dict[str, str]:
    """Name and first line of every benchmark; empty outside a checkout."""
    found = {}
    for path in sorted(FOLDER.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "def main(" in text:
            found[path.stem] = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    return found


def choose(arguments: list[str]) -> Any:
    """Run `benchmarks/NAME.py` with the remaining words."""
    known = benchmarks()
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: mosaicbench bench NAME [options]\n\nMeasure speed on this machine; ratios within one run.\n")
        print(lines(known.items()))
        return
    if not known:
        raise DataError("bench: the benchmarks come with a checkout of mosaicbench, not with the installed package")
    name = choice("benchmark", arguments[0].replace("-", "_"), known)
    sys.path.insert(0, str(FOLDER.parent))
    importlib.import_module(f"benchmarks.{name}").main(arguments[1:])
