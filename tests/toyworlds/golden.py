"""Golden hashes: the content of a few datasets, computed with whatever NumPy runs this and compared with tests/data.

    python -m tests.toyworlds.golden            compare; exit status 1 where a hash differs
    python -m tests.toyworlds.golden --write    record the hashes, after the version of a world has gone up

Needs NumPy and nothing else, so that it can run beside any version of it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from toyworlds import WORLDS
from toyworlds.core.content import content_hash
from toyworlds.core.validate import from_dict

FILE = Path(__file__).resolve().parents[1] / "data" / "golden_three_moons.json"


def computed(entry: dict[str, Any]) -> dict[str, str]:
    """Content hash of each split of one entry."""
    world = from_dict(WORLDS[entry["world"]], entry["config"], "config")
    return {split: content_hash(world, entry["seed"], split, rows) for split, rows in entry["rows"].items()}


def main() -> int:
    """Compare or record; return the exit status."""
    entries = json.loads(FILE.read_text(encoding="utf-8"))
    wrong = []
    for name, entry in entries.items():
        sha256 = computed(entry)
        if sha256 != entry["sha256"]:
            wrong.append(name)
        entry["sha256"] = sha256
    if "--write" in sys.argv:
        FILE.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
        return 0
    print(f"NumPy {np.__version__}: {len(entries) - len(wrong)} of {len(entries)} golden hashes hold", *wrong)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
