"""The Ray engine on a cluster of two nodes: the results of the local engine, also when one of the nodes dies."""

import json
import os
import threading
import time
from pathlib import Path

import pytest

from analysis.engines import Job, run_jobs, using
from analysis.engines.watch import running
from toyworlds.core.validate import DataError, InputError

pytest.importorskip("ray")
ROOT = Path(__file__).parents[2]
SECONDS = 60
WORK = """
import os, time
def walk(config, folder, report):
    import numpy as np
    with open(os.path.join(config["log"], "started"), "a") as file:
        file.write(f"{config['x']}\\n")
    deadline = time.monotonic() + 60
    while "until" in config and not os.path.exists(config["until"]) and time.monotonic() < deadline:
        time.sleep(0.05)
    if config["x"] == 13:
        raise ValueError("thirteen")
    report(1, "")
    if "gpu" in config:
        return {"gpu": os.environ.get("CUDA_VISIBLE_DEVICES")}
    return {"mean": float(np.random.default_rng(config["x"]).normal(size=1000).mean())}
"""


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    (tmp_path / "ray_work.py").write_text(WORK)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    monkeypatch.syspath_prepend(str(tmp_path))
    return lambda *xs, **more: [Job(f"walk {x}", "ray_work:walk", {"x": x, "log": str(tmp_path), **more}) for x in xs]


@pytest.fixture
def two_nodes(jobs, monkeypatch):
    for name, value in {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_memory_monitor_refresh_ms": "0",
        "RAY_health_check_failure_threshold": "3",
    }.items():
        monkeypatch.setenv(name, value)
    import ray
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 80_000_000}
    cluster = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
    second = cluster.add_node(**node, num_gpus=1)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    yield lambda: cluster.remove_node(second, allow_graceful=False)
    ray.shutdown()
    cluster.shutdown()


def results(some, folder):
    return [json.dumps(job.result(folder)) for job in some]


def test_a_node_that_dies_changes_nothing(jobs, two_nodes, tmp_path):
    """Both nodes hold a job when one of them is killed; its job starts again on the other one."""
    some = jobs(1, 2, 3, until=str(tmp_path / "go"))

    def at_work(count, begun=0):
        """Wait until so many jobs say that they run, which each does just before it begins, and so many have begun."""
        deadline, started = time.monotonic() + SECONDS, tmp_path / "started"
        while (
            sum(running(tmp_path / "ray" / job.id) is not None for job in some) != count
            or len(started.read_text().split() if started.exists() else []) < begun
        ):
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def kill():
        at_work(2, begun=2)
        two_nodes()
        at_work(1)
        (tmp_path / "go").touch()

    killer = threading.Thread(target=kill)
    killer.start()
    with using(engine="ray"):
        run_jobs(some, tmp_path / "ray")
    killer.join()
    run_jobs(some, tmp_path / "local", workers=1)
    assert results(some, tmp_path / "ray") == results(some, tmp_path / "local")
    on_ray = (tmp_path / "started").read_text().split()[: -len(some)]
    assert set(on_ray) == {"1", "2", "3"}
    assert len(on_ray) == 4, "only the job that was lost is computed again"


@pytest.mark.slow
def test_failures_gpus_and_impossible_wishes(jobs, two_nodes, tmp_path):
    with using(engine="ray"), pytest.raises(DataError, match=r"1 of 2 jobs failed.*'walk 13'.*thirteen"):
        run_jobs(jobs(13, 1), tmp_path / "jobs")
    with using(engine="ray"):
        assert len(run_jobs(jobs(1), tmp_path / "jobs")) == 1
    assert (tmp_path / "started").read_text().split().count("1") == 1
    with using(engine="ray"), pytest.raises(InputError, match=r"threads: expected at most 1"):
        run_jobs(jobs(2), tmp_path / "jobs", threads=64)
    with using(engine="ray", gpus=0.5):
        assert run_jobs(jobs(4, 5, gpu=True), tmp_path / "jobs") == [{"gpu": "0"}] * 2
    with using(engine="ray", gpus=64), pytest.raises(InputError, match=r"gpus: expected at most"):
        run_jobs(jobs(2), tmp_path / "jobs")
