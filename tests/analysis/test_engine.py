"""The local engine: results in order, nothing computed twice, failures by name, a killed study continues."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analysis.engines.jobs import Job
from analysis.engines.local import run_jobs
from toyworlds.core.validate import DataError

ROOT = Path(__file__).parents[2]
WORK = """
import os, time
def square(config, folder, report):
    with open(os.path.join(config["log"], "computed"), "a") as file:
        file.write(f"{config['x']}\\n")
    time.sleep(config.get("seconds", 0))
    report(1, "")
    if config["x"] == 13:
        raise ValueError("thirteen")
    if config["x"] == 14 and not os.path.exists(folder / "died"):
        (folder / "died").touch()
        os._exit(9)
    return {"square": config["x"] ** 2}
"""


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    (tmp_path / "engine_work.py").write_text(WORK)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    monkeypatch.syspath_prepend(str(tmp_path))
    return lambda *xs, **more: [
        Job(f"job {x}", "engine_work:square", {"x": x, "log": str(tmp_path), **more}) for x in xs
    ]


def computed(folder):
    return (folder / "computed").read_text().split()


def test_results_come_in_order_and_are_kept(jobs, tmp_path):
    some = jobs(3, 1, 2)
    assert [r["square"] for r in run_jobs(some, tmp_path / "jobs", workers=2)] == [9, 1, 4]
    assert [r["square"] for r in run_jobs([*some, *jobs(5)], tmp_path / "jobs", workers=2)] == [9, 1, 4, 25]
    assert sorted(computed(tmp_path)) == ["1", "2", "3", "5"], "a finished job is not computed again"


def test_a_failing_job_is_named_and_the_others_are_kept(jobs, tmp_path):
    with pytest.raises(DataError, match=r"job 13.*thirteen"):
        run_jobs(jobs(13, 2), tmp_path / "jobs", workers=1)
    assert [r["square"] for r in run_jobs(jobs(2), tmp_path / "jobs", workers=1)] == [4]
    assert computed(tmp_path).count("2") == 1


def test_the_death_of_a_worker_restarts_its_job(jobs, tmp_path):
    assert [r["square"] for r in run_jobs(jobs(14, 2), tmp_path / "jobs", workers=2)] == [196, 4]


def test_a_changed_or_damaged_result_is_refused(jobs, tmp_path):
    (job,) = jobs(4)
    run_jobs([job], tmp_path / "jobs", workers=1)
    path = tmp_path / "jobs" / job.id / "result.json"
    kept = json.loads(path.read_text())
    path.write_text(json.dumps(kept | {"config": {"x": 5}}))
    with pytest.raises(DataError, match=r"result\.json"):
        job.result(tmp_path / "jobs")
    path.write_text("{")
    with pytest.raises(DataError, match=r"result\.json"):
        run_jobs([job], tmp_path / "jobs", workers=1)


def test_the_id_is_of_what_is_computed():
    a, b = (Job(name, "m:f", {"x": 1, "y": 2}) for name in ("a", "b"))
    assert a.id == b.id == Job("a", "m:f", {"y": 2, "x": 1}).id
    assert len({a.id, Job("a", "m:g", {"x": 1, "y": 2}).id, Job("a", "m:f", {"x": 2, "y": 2}).id}) == 3


def test_workers_end_with_a_killed_study(jobs, tmp_path):
    script = tmp_path / "study.py"
    script.write_text(
        "from pathlib import Path\nfrom analysis.engines.jobs import Job\nfrom analysis.engines.local import run_jobs\n"
        "if __name__ == '__main__':\n"
        f"    job = Job('long', 'engine_work:square', {{'x': 6, 'log': {str(tmp_path)!r}, 'seconds': 600}})\n"
        f"    run_jobs([job], Path({str(tmp_path / 'jobs')!r}), workers=1)\n"
    )
    study = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "computed").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (tmp_path / "computed").exists()
    os.kill(study.pid, signal.SIGKILL)
    study.wait()
    while time.monotonic() < deadline:
        try:
            os.killpg(study.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    os.killpg(study.pid, signal.SIGKILL)
    pytest.fail("a worker outlived the study")
