"""`mosaicbench study` and `study status` on a study of one's own: shards, status, what cannot be done."""

import datetime
import json
import os
import socket
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from analysis.cli import run
from analysis.cli.study_command import choose, take_preset
from analysis.engines import watch
from analysis.engines.jobs import Job
from analysis.engines.status import Running, read_status
from analysis.studies.catalogue import STUDIES
from toyworlds.core.validate import InputError

ROOT = Path(__file__).parents[2]
CODE = """
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from analysis.engines import Job, run_jobs
from analysis.report.merged import write_report
from analysis.report.table import runs_table
from analysis.studies import STUDIES
from analysis.studies.folder import open_study
from toyworlds.core.validate import integer

def square(config, folder, report):
    (folder / "starts").open("a").write("x")
    report(1, "half")
    if config["size"] == 13:
        raise ValueError("thirteen\\nis unlucky")
    report(1, "whole")
    return {"square": config["size"] ** 2 + config["seed"]}

@STUDIES.register("squares")
@dataclass(frozen=True)
class Squares:
    "Squares of numbers."
    sizes: tuple[int, ...] = (1, 2, 3)
    "Numbers."
    seeds: int = 2
    "Seeds."
    name: ClassVar[str] = "squares"
    needs: ClassVar[tuple[str, ...]] = ()
    metrics: ClassVar[dict[str, str]] = {"square": "square"}
    def __post_init__(self):
        integer("seeds", self.seeds, 1)
    @classmethod
    def presets(cls):
        return {"all": cls()}
    def jobs(self):
        every = [(size, seed) for size in self.sizes for seed in range(self.seeds)]
        return [Job(f"{n} {s}", "own_squares:square", {"size": n, "seed": s}, 2) for n, s in every]
    def run(self, out):
        out = open_study(out, self)
        run_jobs(self.jobs(), out / "jobs", workers=2, label=self.name)
        return self.report(out)
    def report(self, out):
        return write_report([(self, Path(out))], Path(out))
    def table(self, out):
        return runs_table(self, out, self.jobs(), lambda job, result: [{"model": "square", **job.config, **result}])
"""
TABLELESS = """
from dataclasses import dataclass
from analysis.studies import STUDIES

@STUDIES.register("tableless")
@dataclass(frozen=True)
class Tableless:
    "Gives no table."
    name = "tableless"
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    path = tmp_path / "own_squares.py"
    path.write_text(CODE)
    monkeypatch.setattr(STUDIES, "_entries", dict(STUDIES._entries))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    yield path
    sys.modules.pop("own_squares", None)


def study(own, options, status=0):
    assert run(["study", str(own), "--out", str(own.parent / "out"), *options.split()]) == status
    return own.parent / "out"


def started(out):
    return sum(len(path.read_text()) for path in out.glob("jobs/*/starts"))


def test_the_page_comes_with_the_last_shard(own, capsys):
    out = study(own, "--shard 2/2")
    assert "squares: shard 2/2 is done (3 jobs); 3 of 6 jobs of the whole are done" in capsys.readouterr().out
    assert not (out / "index.html").exists()
    study(own, "--shard 1/2")
    assert "page: " in capsys.readouterr().out
    assert (out / "index.html").exists()
    assert started(out) == 6
    table = pd.read_csv(out / "runs.csv")
    assert table[["size", "seed", "square"]].to_numpy().tolist() == [
        [1, 0, 1], [1, 1, 2], [2, 0, 4], [2, 1, 5], [3, 0, 9], [3, 1, 10],
    ]  # fmt: skip
    study(own, "")
    assert started(out) == 6, "a finished study computes nothing"
    study(own, "--sizes 2 3 4")
    assert started(out) == 8, "a changed config computes what is new"
    assert pd.read_csv(out / "runs.csv")["size"].tolist() == [2, 2, 3, 3, 4, 4]


def test_status_counts_what_failed_and_what_is_left(own, capsys):
    out = study(own, "--sizes 2 13 --seeds 1", status=1)
    assert "1 of 2 jobs failed, the others are kept: job '13 0' failed: ValueError: thirteen" in capsys.readouterr().err
    assert run(["study", "status", str(out), "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["study"], status["planned"], status["done"], status["remaining"]) == ("squares", 2, 1, 1)
    assert status["running"] == []
    assert [(each["name"], each["error"]) for each in status["failed"]] == [("13 0", "is unlucky")]
    assert status["seconds_left"] == pytest.approx(status["seconds_worked"])
    assert run(["study", "status", str(out)]) == 0
    text = capsys.readouterr().out
    assert "13 0" in text
    assert "is unlucky" in text
    (kept,) = out.glob("jobs/*/result.json")
    kept.write_text(kept.read_text().replace('"square": 4', '"square": 5'))
    status = read_status(out)
    assert (status.done, status.remaining, len(status.failed)) == (0, 2, 2)
    assert "edited or damaged" in status.failed[0].error


def test_status_sees_what_runs_now_and_forgets_the_dead(own, tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "SECONDS_BETWEEN_BEATS", 0.01)
    out = study(own, "--sizes 1 2 --seeds 1")
    first, second = (Job(f"{n} 0", "own_squares:square", {"size": n, "seed": 0}, 2) for n in (1, 2))
    for job in (first, second):
        (out / "jobs" / job.id / "result.json").rename(tmp_path / job.id)
    place = out / "jobs" / first.id
    with watch.locked(place), watch._beating(place, 2) as count:
        count(1, "half way")
        deadline = time.monotonic() + 30
        while not (found := read_status(out)).running or not found.running[0].done:
            assert time.monotonic() < deadline
        started = found.running[0].started
        assert found.running == (Running("1 0", socket.gethostname(), os.getpid(), started, 1, 2, "half way"),)
        assert (found.done, found.remaining) == (0, 1)
        kept = (place / "running.json").read_text()
    minute_ago = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=60)).isoformat()
    with watch.locked(place):
        (place / "running.json").write_text(json.dumps(json.loads(kept) | {"started": minute_ago}))
        assert read_status(out).seconds_left == pytest.approx(60 * 3, rel=0.2), "a step took a minute, three are left"
        (place / "running.json").write_text(json.dumps(json.loads(kept) | {"done": 0}))
        assert read_status(out).seconds_left is None, "no step is done"
        (place / "running.json").unlink()
    assert read_status(out).running == (), "no sign of life after the end"
    (place / "running.json").write_text(kept)
    assert read_status(out).running == (), "nobody holds the lock"
    (place / "running.json").write_text(json.dumps(json.loads(kept) | {"host": "elsewhere"}))
    assert len(read_status(out).running) == 1, "a fresh sign of life from another machine"
    old = time.time() - 2 * watch.SILENT
    os.utime(place / "running.json", (old, old))
    assert read_status(out).running == (), "an old one"


def test_report_of_a_study_of_one_s_own(own, capsys):
    out = study(own, "")
    sys.modules.pop("own_squares")
    STUDIES._entries.pop("squares")
    assert run(["report", str(out)]) == 1
    assert "unknown study 'squares'" in capsys.readouterr().err
    (out / "index.html").unlink()
    assert run(["report", str(out), "--files", str(own)]) == 0
    assert (out / "index.html").exists()


def test_presets_of_both_spellings(capsys):
    presets = {"demo": 1, "laptop": 2, "quick": 3}
    assert take_preset(["--out", "x"], presets) == (["--out", "x"], 2)
    for words in (
        ["--preset", "quick", "--out", "x"],
        ["--preset=quick", "--out", "x"],
        ["--out", "x", "--preset=quick"],
    ):
        assert take_preset(words, presets) == (["--out", "x"], 3)
    with pytest.raises(InputError, match="did you mean 'quick'"):
        take_preset(["--preset=quikc"], presets)
    with pytest.raises(SystemExit):
        choose(["regbench-classical", "--help"])
    said = capsys.readouterr().out
    assert "--world" in said
    assert "--preset STR" not in said


@pytest.mark.parametrize("options", [
    "--shard 0/2", "--shard 3/2", "--shard half", "--engine slurm", "--gpus -1", "--gpus x", "--seeds 0", "--sedes 1",
])  # fmt: skip
def test_wrong_options_are_one_line_and_status_2(own, options, capsys):
    study(own, options, status=2)
    said = capsys.readouterr().err
    assert said.startswith("mosaicbench: ")
    assert said.count("\n") == 1
    assert not (own.parent / "out").exists()


def test_files_that_are_no_study(own, tmp_path, capsys):
    (tmp_path / "own_empty.py").write_text("")
    (tmp_path / "json.py").write_text("")
    for name, said in (("own_none.py", "no file"), ("own_empty.py", "registers none"), ("json.py", "rename the file")):
        assert run(["study", str(tmp_path / name)]) == 2
        assert said in capsys.readouterr().err


def test_files_that_cannot_be_imported(own, tmp_path, capsys):
    for name, code, said in (
        ("own_comma", "import json\nx = (1,\n", "line 2: SyntaxError: '(' was never closed"),
        ("own_missing", "\nimport nowhere_at_all\n", "line 2: ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("own_name", "def f():\n    return x\n\nf()\n", "line 2: NameError: name 'x' is not defined"),
        ("own_inner", "import own_comma\n", "own_comma.py, line 2: SyntaxError: '(' was never closed"),
        ("own_no.module", "", "own_no.module.py: ModuleNotFoundError: No module named 'own_no'"),
    ):
        path = tmp_path / f"{name}.py"
        path.write_text(code)
        assert run(["study", str(path)]) == 1
        error = capsys.readouterr().err
        assert said in error
        assert str(tmp_path) in error
        assert error.count("\n") == 1


def test_folders_that_hold_no_study(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for words in (["study", "status"], ["report"]):
        for name in ("empty", "nowhere"):
            assert run([*words, str(tmp_path / name)]) == 1
            said = capsys.readouterr().err
            assert str(tmp_path / name) in said
            assert "expected the folder of a study" in said
    (tmp_path / "empty" / "study.json").write_text('{"study": "three-moons", "config": {}}')
    assert run(["study", "status", str(tmp_path / "empty")]) == 1
    assert "no jobs are planned here" in capsys.readouterr().err
    assert run(["report", str(tmp_path / "empty")]) == 1
    assert "not finished" in capsys.readouterr().err


def test_what_cannot_be_merged(own, capsys):
    path = own.parent / "own_tableless.py"
    path.write_text(TABLELESS)
    out = study(own, "--sizes 1 --seeds 1")
    other = own.parent / "other"
    other.mkdir()
    (other / "study.json").write_text('{"study": "tableless", "config": {}}')
    capsys.readouterr()
    assert run(["report", str(out), str(other), "--files", str(path)]) == 1
    assert "tableless has no table of runs" in capsys.readouterr().err
    assert run(["report", str(out), "--out", str(other)]) == 2
    assert "a folder that holds no study" in capsys.readouterr().err
    assert run(["report", str(out), "--out", str(own.parent / "merged"), "--metrics", "sqare"]) == 2
    assert "did you mean 'square'" in capsys.readouterr().err
    assert run(["report", str(out), "--metrics", "square"]) == 2
    assert "--out with it" in capsys.readouterr().err
    (other / "study.json").write_text('{"study": "squares", "config": {"seeeds": 2}}')
    assert run(["report", str(out), str(other)]) == 1
    assert "did you mean 'seeds'" in capsys.readouterr().err
