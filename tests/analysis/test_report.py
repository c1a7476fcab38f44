"""Reports: summaries worked out by hand, merging, LaTeX, the page, and 10,000 runs."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from analysis.bootstrap import bootstrap_interval, interquartile_mean
from analysis.engines.jobs import Job, keep
from analysis.report.merged import merged, spans, write_report
from analysis.report.summary import latex, summarise
from analysis.report.table import FIRST, LAST, MADE, as_table, data_hash, runs_table, write_table
from toyworlds.core.validate import DataError, InputError

STUDY = SimpleNamespace(name="demo", metrics={"score": "score (share)", "loss": "loss (nats)"})
MADE_BY = {
    "seconds": 360.0, "device": "cpu", "date": "2026-01-01T00:00:00+00:00", "host": "here", "commit": "abc",
    "machine": "2 cores", "versions": {"python": "3.11"},
}  # fmt: skip


def rows(values, **more):
    """Rows of one model: {size: [a value a seed]}."""
    return [
        {"model": "mosaic", "size": size, "seed": seed, "score": value, **more}
        for size, found in values.items()
        for seed, value in enumerate(found)
    ]


def folder(path, study, lines):
    """A study's folder with one finished job a line."""
    path.mkdir(parents=True)
    (path / "study.json").write_text(json.dumps({"study": study.name, "config": {"lines": len(lines)}}))
    jobs = [Job(str(line), "math:sin", line) for line in lines]
    for job in jobs:
        (path / "jobs" / job.id).mkdir(parents=True)
        kept = {"name": job.name, "function": job.function, "version": 1, "config": job.config}
        keep(path / "jobs" / job.id / "result.json", kept | {"result": {}, "made": MADE_BY})
    table = lambda out: runs_table(study, out, jobs, lambda job, _: [dict(job.config)])  # noqa: E731
    return SimpleNamespace(name=study.name, metrics=study.metrics, table=table), path


def test_the_table_has_its_columns_in_order_and_the_finished_jobs_alone(tmp_path):
    study, out = folder(tmp_path / "a", STUDY, rows({10: [0.5, 0.7]}, rate=0.1, flops=2e9, data="d"))
    jobs = [Job("later", "math:cos", {}), *[Job("", "math:sin", line) for line in rows({10: [0.5, 0.7]}, rate=0.1)]]
    table = study.table(out)
    assert list(table.columns) == [*FIRST, "score", "rate", *LAST, *MADE]
    assert table["score"].tolist() == [0.5, 0.7]
    assert table["seconds"].tolist() == [360.0, 360.0]
    assert table["versions"].tolist() == ["python 3.11"] * 2
    assert table["job"].nunique() == 2
    with pytest.raises(DataError, match="no job is finished"):
        runs_table(STUDY, out, jobs[:1], lambda job, result: [])
    with pytest.raises(InputError, match="a model in every row"):
        as_table(STUDY, [{"size": 1}])


def test_an_edited_result_is_found_by_the_report(tmp_path):
    study, out = folder(tmp_path / "a", STUDY, rows({10: [0.5, 0.7]}))
    path = next((out / "jobs").glob("*/result.json"))
    path.write_text(path.read_text().replace("360.0", "36.0"))
    with pytest.raises(DataError, match=r"result\.json: edited or damaged"):
        write_report([(study, out)], tmp_path / "report")


def test_a_summary_is_the_statistic_of_the_seeds_with_its_interval():
    table = as_table(STUDY, rows({10: [0.1, 0.2, 0.3, 0.9], 20: [0.4, 0.6]}))
    table.loc[5, "score"] = np.nan
    table.loc[0, "loss"] = 1.0
    found = summarise(table, ["score", "loss"]).set_index(["size", "metric"])
    assert found["runs"].to_dict() == {(10, "score"): 4, (10, "loss"): 1, (20, "score"): 1}
    expected = bootstrap_interval([0.1, 0.2, 0.3, 0.9])
    assert found.loc[(10, "score"), ["estimate", "low", "high"]].tolist() == pytest.approx(
        [expected.estimate, expected.low, expected.high]
    )
    assert found.loc[(20, "score"), "estimate"] == 0.4
    assert np.isnan(found.loc[(20, "score"), "low"]), "one run has no interval"
    middle = summarise(table, ["score"], "iqm").set_index("size").loc[10]
    expected = bootstrap_interval([0.1, 0.2, 0.3, 0.9], interquartile_mean)
    assert middle["estimate"] == pytest.approx(0.25)
    assert (middle["low"], middle["high"]) == pytest.approx((expected.low, expected.high))


def test_a_run_that_diverged_is_counted_and_said(tmp_path):
    lines = rows({10: [0.5, 0.5, 0.5]}) + rows({20: [0.5, 0.5]})
    for line, loss in zip(lines, [1.0, 1.1, np.inf, np.inf, np.inf], strict=True):
        line["loss"] = loss
    study, out = folder(tmp_path / "a", STUDY, lines)
    page = write_report([(study, out)], tmp_path / "report").read_text()
    summary = pd.read_csv(tmp_path / "report" / "summary.csv").query("metric == 'loss'")
    assert summary[["size", "runs", "of"]].to_numpy().tolist() == [[10, 2, 3], [20, 0, 2]]
    assert summary["estimate"].tolist() == pytest.approx([1.05, np.nan], nan_ok=True)
    for text in (page, (tmp_path / "report" / "runs.tex").read_text()):
        assert "1.05 [1, 1.1] (2 of 3)" in text
        assert "- (0 of 2)" in text
        assert "0.5 [0.5, 0.5] (3)" in text
    assert page.count("Without the 3 runs whose value is not finite.") == 2, "the picture's caption and its other text"


def test_runs_that_were_not_chosen_do_not_count_and_two_of_a_seed_are_refused():
    tried = rows({10: [0.1, 0.2]}) + rows({10: [0.9, 0.8]}, chosen=False)
    assert summarise(as_table(STUDY, tried), ["score"])["estimate"].tolist() == pytest.approx([0.15])
    with pytest.raises(DataError, match=r"got two of .*'size': 10.*'seed': 1"):
        summarise(as_table(STUDY, rows({10: [0.1, 0.2]}) + rows({10: [0.9, 0.8]})[1:]), ["score"])
    with pytest.raises(InputError, match="statistic"):
        summarise(as_table(STUDY, tried), ["score"], "median")


def test_latex_has_a_line_a_model_and_a_column_a_size():
    lines = [*rows({10: [0.5, 0.5], 2000: [1.0]}), {"model": "n-gram_3 & 50%", "size": 10, "seed": 0, "score": 0.25}]
    table = latex(summarise(as_table(STUDY, lines), ["score"]), STUDY.metrics)
    assert "model & 10 & 2,000 \\\\" in table
    assert "mosaic & 0.5 [0.5, 0.5] (2) & 1 (1) \\\\" in table
    assert "n-gram\\_3 \\& 50\\% & 0.25 (1) &  \\\\" in table
    assert "demo: score (share)." in table
    assert table.count("{") == table.count("}")
    bare = latex(summarise(as_table(STUDY, [{"model": "oracle", "seed": 0, "score": 1.0}]), ["score"]), {})
    assert "oracle & 1 (1) \\\\" in bare


def test_merging_counts_a_shared_job_once_and_tells_configs_apart(tmp_path):
    one = folder(tmp_path / "one", STUDY, rows({10: [0.5, 0.7], 20: [0.8]}))
    same = folder(tmp_path / "same", STUDY, rows({20: [0.8], 30: [0.9]}))
    table = merged([one, same])
    assert table["size"].tolist() == [10, 10, 20, 30]
    assert set(table["study"]) == {"demo"}
    other = folder(tmp_path / "other", STUDY, rows({10: [0.1, 0.2]}, rate=0.1))
    table = merged([one, other])
    assert table["study"].tolist() == ["demo (one)"] * 3 + ["demo (other)"] * 2


@dataclass(frozen=True)
class Training:
    """A study with options; its folder need not exist."""

    steps: int = 500
    plain_seeds: int = 2
    first_seed: int = 0
    models: tuple = ("mosaic",)
    name = "training"
    metrics = STUDY.metrics

    def table(self, out):
        seeds = range(self.first_seed, self.first_seed + self.plain_seeds)
        found = [{"model": model, "seed": seed, "score": 0.5} for model in self.models for seed in seeds]
        return as_table(self, [row | {"job": str(row)} for row in found])


@dataclass(frozen=True)
class Wrapped:
    """A study that another one is an option of."""

    training: Training = Training()
    name = "wrapped"
    metrics = STUDY.metrics

    def table(self, out):
        return self.training.table(out).assign(study=self.name)


def test_folders_are_one_study_only_where_the_runs_are_made_alike():
    paths = [Path("m1"), Path("m2")]
    for more, study in (
        ({"first_seed": 100, "plain_seeds": 3}, {"training"}),
        ({"models": ("lstm",)}, {"training"}),
        ({"first_seed": 100, "steps": 10}, {"training (m1)", "training (m2)"}),
    ):
        table = merged(list(zip([Training(), Training(**more)], paths, strict=True)))
        assert set(table["study"]) == study, more
    table = merged(list(zip([Wrapped(), Wrapped(Training(first_seed=2))], paths, strict=True)))
    assert set(table["study"]) == {"wrapped"}
    table = merged(list(zip([Wrapped(), Wrapped(Training(steps=2))], paths, strict=True)))
    assert table["study"].tolist() == ["wrapped (m1)"] * 2 + ["wrapped (m2)"] * 2, "each keeps the jobs that both hold"


def test_references_of_two_folders_are_kept_apart_where_they_differ(tmp_path):
    def study(value, date):
        line = {"kind": "reference", "model": "n-gram", "score": value, "date": date}
        return SimpleNamespace(name="ceilings", metrics=STUDY.metrics, table=lambda out: as_table(STUDY, [line]))

    paths = [tmp_path / "x" / "same", tmp_path / "y" / "same"]
    table = merged(list(zip([study(0.5, "today"), study(0.5, "yesterday")], paths, strict=True)))
    assert table[["study", "score"]].to_numpy().tolist() == [["demo", 0.5]]
    table = merged(list(zip([study(0.5, "today"), study(0.6, "today")], paths, strict=True)))
    apart = [["demo (x/same)", 0.5], ["demo (y/same)", 0.6]]
    assert table[["study", "score"]].to_numpy().tolist() == apart
    assert len(merged([(study(0.5, ""), paths[0])] * 2)) == 1, "a folder given twice"


def test_the_page_holds_figures_tables_costs_and_stands_alone(tmp_path):
    one = folder(tmp_path / "one", STUDY, rows({10: [0.5, 0.7], 20: [0.8, 0.9]}, flops=3e15, data="aa11"))
    lines = [{"kind": "reference", "model": "oracle", "score": 0.95, "seed": 0}]
    two = folder(tmp_path / "two", SimpleNamespace(name="ceilings", metrics={"score": "share"}), lines)
    page = write_report([one, two], tmp_path / "report").read_text()
    for part in (
        "4 runs: 1 model, 2 training sizes, 2 seeds.",
        "0-1",
        "1.2e+16",
        "aa11",
        "0.4",
        "python 3.11",
        "oracle",
    ):
        assert part in page, part
    assert page.count("data:image/png;base64,") == 1, "the loss has no values"
    for outside in ("http://", "https://", "<script", "<link"):
        assert outside not in page
    table = pd.read_parquet(tmp_path / "report" / "runs.parquet")
    assert len(table) == 5
    assert pd.read_csv(tmp_path / "report" / "runs.csv")["score"].tolist() == table["score"].tolist()
    assert (tmp_path / "report" / "figures" / "score.png").exists()
    with pytest.raises(InputError, match=r"metrics: .*did you mean 'score'"):
        write_report([one, two], tmp_path / "report", metrics=["scor"])
    with pytest.raises(InputError, match="at least one study"):
        write_report([], tmp_path / "report")


def test_shards_that_finish_together_write_one_table(tmp_path):
    table = as_table(STUDY, rows({10: [0.5, 0.7]}))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write_table, [table] * 80, [tmp_path] * 80))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs.csv", "runs.parquet"]
    assert pd.read_parquet(tmp_path / "runs.parquet")["score"].tolist() == [0.5, 0.7]
    (tmp_path / "full" / "runs.parquet").mkdir(parents=True)
    with pytest.raises(DataError, match=r"runs\.parquet: cannot be written"):
        write_table(table, tmp_path / "full")
    assert not list((tmp_path / "full").glob(".*")), "nothing is left behind"


def test_small_things():
    assert spans([]) == "-"
    assert spans([3, 1, 1]) == "1, 3"
    assert data_hash(seed=1, world={"a": 1}) == data_hash(world={"a": 1}, seed=1) != data_hash(world={"a": 2}, seed=1)
    assert len(data_hash()) == 16


@pytest.mark.slow
def test_ten_thousand_runs(tmp_path):
    values = np.random.default_rng(0).uniform(0.5, 1.0, (100, 100))
    lines = rows({size + 1: found.tolist() for size, found in enumerate(values)})
    study, out = folder(tmp_path / "many", STUDY, lines)
    write_report([(study, out)], tmp_path / "report")
    summary = pd.read_csv(tmp_path / "report" / "summary.csv")
    assert summary["runs"].tolist() == [100] * 100
    assert summary["estimate"].to_numpy() == pytest.approx(values.mean(axis=1))
    assert (summary["low"] < summary["estimate"]).all()
    assert Path(tmp_path / "report" / "runs.csv").read_text().count("\n") == 10_001
