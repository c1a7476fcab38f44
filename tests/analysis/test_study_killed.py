"""A study of real trainings, killed at random moments: the same results in the end, nothing finished computed twice.

The study is the one that docs/studies.md shows, run as a user would run it.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from toyworlds.core.seeds import Stream

ROOT = Path(__file__).parents[2]
MAY_DIFFER = ["seconds", "date", "host", "commit"]
"""Commits too: somebody may commit to the checkout while this runs."""
SECONDS = 300
PAUSE = 1.0
COUNT_STARTS = f"""

import time

_train_one = train_one

def train_one(config, folder, report):
    with (folder / "starts").open("a") as file:
        file.write("x")
    time.sleep({PAUSE})
    return _train_one(config, folder, report)
"""
"""Jobs count their starts, and wait: a machine may be so fast that nothing could be killed."""


@pytest.fixture(scope="module")
def study_file(tmp_path_factory):
    code = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "studies.md").read_text(), re.DOTALL)[0]
    path = tmp_path_factory.mktemp("own") / "learning_rates.py"
    path.write_text(code + COUNT_STARTS)
    return path


def begin(study_file, out, options, **variables):
    words = ["study", str(study_file), "--out", str(out), *options.split()]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | variables
    command = [sys.executable, "-c", f"from analysis.cli import main; main({words!r})"]
    return subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.PIPE)


def complete(study_file, out, options):
    process = begin(study_file, out, options)
    said = process.communicate(timeout=SECONDS)[1].decode()
    assert process.returncode == 0, said


def finished(out):
    """Bytes and time of every finished job's result."""
    return {path.parent.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.glob("jobs/*/result.json")}


def starts(out):
    return {path.parent.name: path.stat().st_size for path in out.glob("jobs/*/starts")}


def wait(what, process=None):
    deadline = time.monotonic() + SECONDS
    while not what() and (process is None or process.poll() is None):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def gone(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def kill(process, group):
    """Kill the study, with its workers or alone; one that has just ended is left as it is."""
    if process.poll() is None:
        (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
    process.communicate()


def shortest(out):
    """Seconds of the shortest job of a finished study, its pause among them."""
    return pd.read_csv(out / "runs.csv")["seconds"].min()


def run_with_kills(study_file, out, options, kills, span):
    """Run the study; kill it `kills` times, early ones first, at moments within `span` seconds after a job began.

    Every second time the workers are left to find out by themselves.
    """
    kept = {}
    for number, moment in enumerate(sorted(Stream(7, "kills").uniform(0, kills))):
        counts = starts(out)
        process = begin(study_file, out, options)
        wait(lambda counts=counts: starts(out) != counts, process)
        time.sleep(span * moment)
        kill(process, group=number % 2)
        wait(lambda group=process.pid: gone(group))
        assert kept.items() <= finished(out).items()
        assert all(starts(out)[job] == counts[job] for job in kept)
        kept = finished(out)
    counts = starts(out)
    complete(study_file, out, options)
    assert kept.items() <= finished(out).items()
    assert all(starts(out)[job] == counts[job] for job in kept), "a finished job was computed again"


def same(one, other):
    tables = [pd.read_csv(out / "runs.csv", dtype=str, keep_default_na=False) for out in (one, other)]
    kept, other_kept = (table.drop(columns=MAY_DIFFER).to_csv(index=False) for table in tables)
    assert kept == other_kept
    assert len(tables[0]) > 1
    for name in ("summary.csv", "runs.tex"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


@pytest.mark.parametrize(
    ("kills", "options"),
    [(2, "--seeds 1 --models mosaic --workers 2"), pytest.param(20, "--workers 2", marks=pytest.mark.slow)],
)
def test_a_killed_study_ends_with_the_same_results(study_file, tmp_path, kills, options):
    complete(study_file, tmp_path / "calm", options)
    run_with_kills(study_file, tmp_path / "killed", options, kills, shortest(tmp_path / "calm"))
    same(tmp_path / "calm", tmp_path / "killed")
    assert sum(starts(tmp_path / "killed").values()) > sum(starts(tmp_path / "calm").values()), "no kill hit a job"


@pytest.mark.slow
def test_ray_ends_with_the_same_results_though_a_node_dies(study_file, tmp_path, monkeypatch):
    pytest.importorskip("ray")
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_memory_monitor_refresh_ms", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"):
        monkeypatch.setenv(name, "0")
    from ray.cluster_utils import Cluster

    out, node = tmp_path / "ray", {"num_cpus": 1, "object_store_memory": 80_000_000}
    cluster = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
    try:
        second = cluster.add_node(**node)
        process = begin(study_file, out, "--seeds 1 --engine ray", RAY_ADDRESS=cluster.address)
        wait(lambda: len(starts(out)) >= 2, process)
        cluster.remove_node(second, allow_graceful=False)
        said = process.communicate(timeout=SECONDS)[1].decode()
        assert process.returncode == 0, said
    finally:
        cluster.shutdown()
    complete(study_file, tmp_path / "local", "--seeds 1")
    same(tmp_path / "local", out)
    assert sum(starts(out).values()) > len(starts(out)), "no job was lost with the node"
