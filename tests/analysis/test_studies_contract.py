"""What every study can do, and the tables of studies that measure trained models."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from analysis.engines.jobs import Job
from analysis.report.merged import merged
from analysis.studies.catalogue import STUDIES
from analysis.studies.folder import open_study
from analysis.studies.regbench_units import MEASURES, RegBenchUnitsStudy
from analysis.studies.stores import StoresStudy
from analysis.studies.traceability import TraceabilityStudy
from toyworlds.core.validate import DataError, InputError

MADE = {"seconds": 2.0, "device": "cpu", "date": "2026-01-01", "host": "h", "commit": "c", "versions": {"numpy": "2"}}


@pytest.mark.parametrize("name", STUDIES.names())
def test_a_study_without_results_says_so(name, tmp_path):
    study = STUDIES[name]()
    assert study.name == name
    assert study.presets()
    assert study.metrics
    out = open_study(tmp_path / "study", study)
    for make in (study.report, study.table):
        with pytest.raises(DataError, match=r"not finished|no job is finished|no such file"):
            make(out)


def test_shards_that_start_together_open_one_folder(tmp_path):
    together = Barrier(3)

    def opened(out):
        together.wait()
        return open_study(out, StoresStudy())

    with ThreadPoolExecutor(3) as pool:
        for trial in range(60):
            out = tmp_path / str(trial)
            assert list(pool.map(opened, [out] * 3)) == [out] * 3
            assert [each.name for each in out.iterdir()] == ["study.json"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / ".study.json").touch()
    with pytest.raises(InputError, match="it holds other files"):
        open_study(tmp_path / "other", StoresStudy())


@pytest.fixture
def kept(monkeypatch):
    """Let a job be finished with what a function of it returns."""

    def keep(result_of):
        def record(self, folder):
            result = result_of(self)
            return None if result is None else {"result": result, "made": MADE}

        monkeypatch.setattr(Job, "record", record)

    return keep


def test_the_table_of_stores_by_hand(kept, tmp_path):
    def result(job):
        if "stores" not in job.config or "pairs" in job.config:
            return None
        loss = [7.0, 21.0] if job.name == "exact" else [8.0, 26.0]
        entry = {"loss": loss, "labelled": [10, 30], "recall": [0.5, 0.75], "looked": [2.0, 4.0]}
        return {"stores": [entry] * len(job.config["stores"])}

    kept(result)
    study = StoresStudy(budgets=(2, 8), seed=3)
    table = study.table(tmp_path)
    assert len(table) == sum(map(len, study.families().values()))
    line = table[(table["model"] == "oldest") & (table["size"] == 8)].iloc[0]
    assert line[["seed", "excess", "recall", "looked"]].tolist() == pytest.approx([3, 6 / 40, 0.625, 3.0])
    assert table[table["model"] == "exact"]["excess"].tolist() == [0.0]
    kept(lambda job: None if job.name == "exact" else result(job))
    assert study.table(tmp_path)["excess"].isna().all()


def test_the_table_of_units_by_hand(kept, tmp_path):
    told = {"disentanglement": 0.5, "completeness": 0.4, "informativeness": 0.3, "dealt": {"mean": 0.2}}
    unit = {"told": told, "needed": {"order": {"selectivity": {"score": 0.1}}}}

    def result(job):
        if "training" in job.config:
            return unit
        return {"metrics": {"test_dfa_accuracy": 0.9 + job.config["seed"] / 100}, "parameters": 7, "seconds": 11.0}

    kept(result)
    study = RegBenchUnitsStudy(models=("mosaic", "transformer"), seeds=2)
    table = study.table(tmp_path)
    assert table[["model", "seed"]].to_numpy().tolist() == [
        ["mosaic", 0], ["mosaic", 1], ["transformer", 0], ["transformer", 1],
    ]  # fmt: skip
    assert table["dfa_accuracy"].tolist() == pytest.approx([0.9, 0.91, 0.9, 0.91])
    assert table[list(MEASURES)].iloc[0].tolist() == pytest.approx([0.5, 0.3, 0.4, 0.3, 0.1])
    assert table["seconds"].tolist() == [11.0] * 4


def test_the_table_of_traceability_by_hand(kept, tmp_path):
    columns = {"pairs": [2, 0, 1], "effect_named": [0.4, np.nan, 0.2], "effect_matched": [0.1, np.nan, 0.05]}
    kept(lambda job: columns if "training" in job.config else {"metrics": {}})
    study = TraceabilityStudy(seeds=2)
    table = study.table(tmp_path)
    assert len(table) == 2 * len(study.measurements())
    assert table["model"][0] == "RegBench, mosaic: silence, named by contribution"
    kept(lambda job: {"pairs": [0, 0]} if "training" in job.config else {"metrics": {}})
    nothing = study.table(tmp_path)
    assert nothing["problems"].tolist() == [0] * len(table)
    assert nothing[["named", "matched", "ratio"]].isna().all(axis=None)
    assert table[["seed", "named", "matched", "ratio", "problems"]].iloc[1].tolist() == pytest.approx(
        [1, 0.3, 0.075, 4.0, 2]
    )
    assert len(merged([(study, tmp_path / "a"), (study, tmp_path / "b")])) == len(table), "shared runs count once"
