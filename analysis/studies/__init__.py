"""Studies: frozen dataclasses with `run(out)`; many trainings, one page.

A study keeps every finished part under `out/jobs`, so the same command continues what was interrupted, and a second
run of a finished study computes nothing.
"""

from toyworlds.core.registry import Registry

STUDIES = Registry("study")
"""Every study by name."""
