"""Jobs and the local engine: results in order, nothing computed twice, failures by name, deaths survived, shards."""

import json
import os
import platform
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.engines import Job, Shard, UnfinishedError, run_jobs, using
from analysis.engines.engine import Wanted
from analysis.engines.local import give_memory_back, places
from analysis.engines.plan import read_plan, write_plan
from toyworlds.core.validate import DataError, InputError

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
    if config["x"] == 15:
        os._exit(9)
    return {"square": config["x"] ** 2, "cores": sorted(os.sched_getaffinity(0)), "omp": os.environ["OMP_NUM_THREADS"],
            "gpu": os.environ.get("CUDA_VISIBLE_DEVICES")}
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


def test_a_job_that_always_kills_its_worker_fails_alone(jobs, tmp_path):
    with pytest.raises(DataError, match=r"1 of 2 jobs failed.*'job 15'.*died 3 times \(exit status 9\)"):
        run_jobs(jobs(15, 2), tmp_path / "jobs", workers=1)
    assert computed(tmp_path) == ["15", "15", "15", "2"]
    assert jobs(2)[0].result(tmp_path / "jobs")["square"] == 4


def test_a_failure_is_recorded_until_the_job_succeeds(jobs, tmp_path):
    (job,) = jobs(13)
    error, switch = tmp_path / "jobs" / job.id / "error.json", tmp_path / "engine_work.py"
    with pytest.raises(DataError):
        run_jobs([job], tmp_path / "jobs", workers=1)
    kept = json.loads(error.read_text())
    assert (kept["type"], kept["message"], kept["last_line"]) == ("ValueError", "thirteen", "ValueError: thirteen")
    assert "engine_work.py" in kept["traceback"]
    switch.write_text(WORK.replace("== 13", "== 1313"))
    assert run_jobs([job], tmp_path / "jobs", workers=1)[0]["square"] == 169
    assert not error.exists()


def test_a_changed_or_damaged_result_is_refused(jobs, tmp_path):
    (job,) = jobs(4)
    run_jobs([job], tmp_path / "jobs", workers=1)
    path = tmp_path / "jobs" / job.id / "result.json"
    whole = path.read_text()
    for edited in (whole.replace('"square": 16', '"square": 17'), whole.replace('"x": 4', '"x": 5'), "{", "[]"):
        assert edited != whole
        path.write_text(edited)
        with pytest.raises(DataError, match=r"result\.json"):
            run_jobs([job], tmp_path / "jobs", workers=1)
    path.write_text(whole.replace('"square": 16', '"square": 17'))
    with pytest.raises(DataError, match="edited or damaged"):
        job.result(tmp_path / "jobs")
    path.write_text(whole)
    (other,) = jobs(5)
    (tmp_path / "jobs" / other.id).mkdir()
    (tmp_path / "jobs" / other.id / "result.json").write_text(whole)
    with pytest.raises(DataError, match="not the result of this job"):
        other.result(tmp_path / "jobs")


def test_a_changed_config_computes_only_what_changed(jobs, tmp_path):
    run_jobs(jobs(1, 2, 3), tmp_path / "jobs", workers=1, label="all")
    run_jobs(jobs(1, 2, 4), tmp_path / "jobs", workers=1, label="all")
    assert computed(tmp_path) == ["1", "2", "3", "4"]
    assert [job["name"] for job in read_plan(tmp_path / "jobs")] == ["job 1", "job 2", "job 4"]


def test_labels_that_are_written_alike_have_a_plan_each(tmp_path):
    for label, x in (("Stage A", 1), ("stage-a", 2), ("stage a", 3), ("stage a", 4)):
        write_plan(tmp_path, label, [Job(f"{label} {x}", "math:sin", {"x": x})])
    planned = {(job["label"], job["name"]) for job in read_plan(tmp_path)}
    assert planned == {("Stage A", "Stage A 1"), ("stage-a", "stage-a 2"), ("stage a", "stage a 4")}


def test_the_plan_of_an_older_version_is_replaced(tmp_path):
    old = tmp_path / "plan" / "three-moons.json"
    old.parent.mkdir()
    old.write_text(json.dumps({"label": "three moons", "jobs": [{"id": "a", "name": "old", "steps": 1}]}))
    write_plan(tmp_path, "three moons", [Job("new", "math:sin", {})])
    assert [job["name"] for job in read_plan(tmp_path)] == ["new"]


@pytest.mark.parametrize("plan", [
    {}, {"label": 1, "jobs": []}, {"label": "a", "jobs": {}}, {"label": "a", "jobs": [{"id": "x", "name": "x"}]},
    {"label": "a", "jobs": [{"id": "x", "name": "x", "steps": "a"}]}, {"label": "a", "jobs": ["x"]},
    {"jobs": [{"id": "x", "name": "x", "steps": 1}]},
])  # fmt: skip
def test_a_damaged_plan_is_named(tmp_path, plan):
    (tmp_path / "plan").mkdir()
    (tmp_path / "plan" / "a.json").write_text(json.dumps(plan))
    with pytest.raises(DataError, match=r"a\.json: not the plan of a study"):
        read_plan(tmp_path)


def test_a_raised_version_of_the_code_computes_anew(jobs, tmp_path, monkeypatch):
    (before,) = jobs(1)
    run_jobs([before], tmp_path / "jobs", workers=1)
    import engine_work

    for version in (2, [1, 2]):
        monkeypatch.setattr(engine_work, "VERSION", version, raising=False)
        (after,) = jobs(1)
        assert after.id != before.id
        assert after.result(tmp_path / "jobs") is None
    monkeypatch.setattr(engine_work, "VERSION", 1)
    assert jobs(1)[0].id == before.id


def test_the_id_is_of_what_is_computed():
    a, b = (Job(name, "math:sin", {"x": 1, "y": 2}) for name in ("a", "b"))
    assert a.id == b.id == Job("a", "math:sin", {"y": 2, "x": 1}).id
    assert len({a.id, Job("a", "math:cos", {"x": 1, "y": 2}).id, Job("a", "math:sin", {"x": 2, "y": 2}).id}) == 3


def test_a_function_that_is_not_there_is_refused():
    for function in ("nowhere_at_all:f", "math:sinn", "math", ":f"):
        with pytest.raises(InputError, match="function: expected"):
            Job("a", function, {}).id  # noqa: B018  (the id is computed when it is read)


@given(jobs=st.integers(1, 40), count=st.integers(1, 9))
def test_shards_are_disjoint_and_cover_all(jobs, count):
    every = [Job(f"job {x}", "math:sin", {"x": x}) for x in range(jobs)]
    shares = [
        Shard.of(f"{number}/{count}").of_jobs(every[::-1] if number % 2 else every) for number in range(1, count + 1)
    ]
    assert sorted(job.id for share in shares for job in share) == sorted(job.id for job in every)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_the_last_shard_gets_the_results(jobs, tmp_path):
    every = jobs(*range(5))
    with using(shard="1/2"), pytest.raises(UnfinishedError, match=r"shard 1/2 is done \(3 jobs\); 3 of 5 jobs"):
        run_jobs(every, tmp_path / "jobs", workers=1)
    with using(shard="2/2"):
        assert [r["square"] for r in run_jobs(every, tmp_path / "jobs", workers=1)] == [0, 1, 4, 9, 16]
    with using(shard="1/2"):
        assert len(run_jobs(every, tmp_path / "jobs", workers=1)) == 5
    assert sorted(computed(tmp_path)) == ["0", "1", "2", "3", "4"]


def test_what_cannot_be_meant_is_refused(jobs, tmp_path):
    for shard in ("0/4", "5/4", "3", "3/", "a/b", "-1/4", "1/0", "1.5/2"):
        with pytest.raises(InputError, match="shard: expected K/N"), using(shard=shard):
            pass
    with pytest.raises(InputError, match=r"engine: .*did you mean 'local'"), using(engine="loacl"):
        pass
    with pytest.raises(InputError, match="jobs: expected at least one job"):
        run_jobs([], tmp_path / "jobs")
    for wrong in ({"workers": -1}, {"threads": 0}):
        with pytest.raises(InputError):
            run_jobs(jobs(1), tmp_path / "jobs", **wrong)


def test_two_studies_that_want_one_job_compute_it_once(jobs, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(run_jobs, jobs(7, seconds=1), tmp_path / "jobs", workers=1) for _ in range(2)]
        assert [each.result()[0]["square"] for each in both] == [49, 49]
    assert computed(tmp_path) == ["7"]


def test_workers_get_their_own_cores_and_gpus(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 4, 5, 6, 7})
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert [cores for cores, _ in places(Wanted(2), 9)] == [{3, 4}, {5, 6, 7}]
    assert [cores for cores, _ in places(Wanted(threads=2), 9)] == [{3, 4}, {5, 6, 7}]
    assert len(places(Wanted(), 9)) == 5
    assert len(places(Wanted(), 3)) == 3
    assert places(Wanted(1), 9)[0][0] == {3, 4, 5, 6, 7}
    assert [len(cores) for cores, _ in places(Wanted(7), 9)] == [5, 1, 1, 5, 1, 1, 1], "more workers than cores"
    assert "CUDA_VISIBLE_DEVICES" not in places(Wanted(1), 9)[0][1]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert [variables["CUDA_VISIBLE_DEVICES"] for _, variables in places(Wanted(3), 9)] == ["2", "5", "2"]
    assert len(places(Wanted(gpus=0.25), 20)) == 8
    assert len(places(Wanted(gpus=1.0), 20)) == 2


def test_a_worker_runs_where_it_is_put(jobs, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    found = run_jobs(jobs(1, 2, seconds=0.5), tmp_path / "jobs", workers=2, threads=3)
    assert {result["gpu"] for result in found} == {"2", "5"}
    assert {result["omp"] for result in found} == {"3"}
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,5"
    cores = [set(result["cores"]) for result in found]
    assert len(os.sched_getaffinity(0)) == 1 or not cores[0] & cores[1]


def test_workers_end_with_a_killed_study(jobs, tmp_path):
    script = tmp_path / "study.py"
    script.write_text(
        "from pathlib import Path\nfrom analysis.engines import Job, run_jobs\n"
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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps freed memory")
def test_freed_memory_is_given_back() -> None:
    """Blocks too small to be mapped, all freed but the last: glibc keeps their pages for later."""

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = resident()
    blocks = [b"x" * 100_000 for _ in range(2000)]
    del blocks[:-1]
    kept = resident() - before
    give_memory_back()
    assert len(blocks) == 1
    assert resident() - before < max(kept / 2, 20_000_000)
