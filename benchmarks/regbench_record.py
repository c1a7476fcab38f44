"""Write a measurement beside where it comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from analysis.provenance import provenance

RESULTS = Path(__file__).parents[1] / "results" / "regbench"


def record(name: str, measured: dict[str, Any]) -> Path:
    """Write results/regbench/<name>.json and print it."""
    content = json.dumps({**provenance(), **measured}, indent=1)
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(content + "\n", encoding="utf-8")
    print(content)
    return path
