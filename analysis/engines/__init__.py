"""Engines: they run the jobs of a study and keep every finished one.

>>> from analysis.engines import Job, run_jobs, using
>>> results = run_jobs(jobs, out / "jobs", label="my study")              # doctest: +SKIP
>>> with using(engine="ray", shard="3/16"):                               # doctest: +SKIP
...     study.run(out)

A study calls `run_jobs`; which engine runs them, and which share of them, is chosen around it by `using`, as the
command line does for `mosaicbench study NAME --engine ray --shard 3/16`.
"""

from analysis.engines.engine import ENGINES, Shard, UnfinishedError, run_jobs, using
from analysis.engines.jobs import Job, Report

__all__ = ["ENGINES", "Job", "Report", "Shard", "UnfinishedError", "run_jobs", "using"]
