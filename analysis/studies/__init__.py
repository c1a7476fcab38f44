"""Studies: frozen dataclasses with `run(out)`; many trainings, one page.

A study keeps every finished part under `out/jobs`, so the same command continues what was interrupted, and a second
run of a finished study computes nothing.

    name, metrics                  class attributes; metrics maps a column of the table to its label
    presets() -> dict              configs by name
    jobs() -> list[Job]            every training (analysis.engines)
    run(out) -> Path               run_jobs(self.jobs(), out / "jobs"), then the page; return the page's path
    report(out) -> Path            the page again, from the finished jobs
    table(out) -> DataFrame        one line a run (analysis.report.table), for merged reports

docs/studies.md shows one of forty lines.
"""

from toyworlds.core.registry import Registry

STUDIES = Registry("study")
"""Every study by name."""
