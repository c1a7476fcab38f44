"""Measurements of speed, one file a question; `mosaicbench bench` lists and runs them.

Each has a `main(arguments=None)` that takes command line words, prints what it finds, and writes where `--out` says.
This file imports no further libraries, which the GPU suite does without.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from analysis.provenance import provenance as analysis_provenance


def provenance() -> dict[str, Any]:
    """What a measured time hangs on: date, commit, versions, processor, threads, load."""
    import torch

    load = {"processor": processor(), "threads": torch.get_num_threads(), "load": os.getloadavg()[0]}
    return analysis_provenance() | load


def processor() -> str:
    """Name of the processor's model."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
