"""The three-moons study, small: its page, its files, the second run, other folders."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from analysis.bootstrap import Interval
from analysis.cli import run
from analysis.report.page import Page, show
from analysis.studies.moons_results import Group
from analysis.studies.three_moons import OURS, PUBLISHED, ThreeMoonsStudy, grid_name
from toyworlds.core.validate import DataError, InputError

STUDY = ThreeMoonsStudy(seeds=2, one_head_seeds=1, steps=10, workers=1)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("moons") / "study"
    return STUDY.run(out), out


def test_the_page_stands_alone(finished):
    page = finished[0].read_text()
    assert page.startswith("<!doctype html>")
    assert "of 2 seeds disentangled the moons" in page
    assert page.count("data:image/png;base64,") == 6
    for outside in ("http://", "https://", "<script", "<link"):
        assert outside not in page
    assert len(list((finished[1] / "figures").glob("*.png"))) == 6


def test_the_tables_hold_every_seed_and_context(finished):
    seeds = pd.read_csv(finished[1] / "seeds.csv")
    assert seeds.groupby("group")["seeds"].apply(list).to_dict() == {
        "one head": [0], "three heads": [0, 1], "three heads, mixed": [0, 1],
    }  # fmt: skip
    assert seeds["alignment"].between(0, 1).all()
    curves = pd.read_csv(finished[1] / "curves.csv")
    astronomer = curves[curves["group"] == "astronomer, separate table"].set_index("context")["median"]
    assert astronomer[133] > 0.2
    assert astronomer[135] < 0.02
    results = json.loads((finished[1] / "results.json").read_text())
    assert [group["seeds"] for group in results["groups"]] == [2, 2, 1]
    assert (results["separate_context"], results["joint_context"]) == (134, 267)


def test_a_second_run_computes_nothing_and_gives_the_same(finished):
    page, out = finished
    before = {path: path.stat().st_mtime_ns for path in (out / "jobs").rglob("*")}
    seeds = (out / "seeds.csv").read_bytes()
    assert STUDY.run(out) == page
    assert {path: path.stat().st_mtime_ns for path in (out / "jobs").rglob("*")} == before
    assert (out / "seeds.csv").read_bytes() == seeds


def test_a_study_under_way_is_shown_by_a_merged_page(finished, tmp_path, capsys):
    out, page = tmp_path / "study", tmp_path / "page"
    shutil.copytree(finished[1], out)
    next(out.glob("jobs/*/result.json")).unlink()
    assert run(["report", str(out)]) == 1
    assert "1 of 3 jobs are not finished; run the study to continue, or report it with --out" in capsys.readouterr().err
    assert run(["report", str(out), "--out", str(page)]) == 0
    assert 0 < len(pd.read_csv(page / "runs.csv")) < 5


def test_report_draws_the_page_again(finished, capsys):
    page, out = finished
    page.unlink()
    assert run(["report", str(out)]) == 0
    assert page.exists()
    assert str(page) in capsys.readouterr().out


def test_the_table_has_one_line_a_seed(finished):
    table, seeds = STUDY.table(finished[1]), pd.read_csv(finished[1] / "seeds.csv")
    assert list(zip(table["model"], table["seed"], strict=True)) == list(
        zip(seeds["group"], seeds["seeds"], strict=True)
    )
    assert table["alignment"].to_numpy() == pytest.approx(seeds["alignment"].to_numpy(), rel=1e-5)
    assert set(STUDY.metrics) <= set(table.columns)
    assert table["data"].nunique() == 4, "seeds 0 and 1, as they are and mixed; one head reads what three read"


def test_an_unfinished_study_says_so(tmp_path):
    with pytest.raises(DataError, match="3 of 3 jobs are not finished"):
        STUDY.report(tmp_path)


def test_the_median_horizon_counts_those_that_never_reach_it():
    def group(*horizons):
        seeds = np.arange(len(horizons))
        return Group("x", {}, {"seeds": seeds, "horizon": np.array(horizons, float)}, {}, 0.0)

    some = group(90.0, 130.0, np.nan)
    assert (some.summary("horizon").estimate, some.never) == (130.0, 1)
    most = group(90.0, np.nan, np.nan)
    assert most.summary("horizon").estimate == most.summary("horizon").high == np.inf
    assert most.summary("horizon").low == 90.0
    assert group(*[100.0] * 9).summary("horizon") == Interval(100.0, 100.0, 100.0)


def test_another_study_s_folder_is_refused(tmp_path):
    (tmp_path / "study.json").write_text('{"study": "stores", "config": {}}')
    with pytest.raises(InputError, match="stores"):
        STUDY.run(tmp_path)


def test_the_published_recipe_is_a_cell_of_the_grid():
    study = ThreeMoonsStudy(published_seeds=20, grid_seeds=20)
    jobs = study.jobs()
    published = {job.id for job in jobs if job.name == "published recipe"}
    assert published == {job.id for job in jobs if job.name == grid_name(False, 64, 800)}
    assert PUBLISHED == {
        "length": 801, "batch_size": 64, "clip": 0.5, "learning_rate": 1e-2, "bias_correction": False, "steps": 500,
    }  # fmt: skip
    assert {key for key in OURS if OURS[key] != PUBLISHED[key]} == {"length", "batch_size", "clip", "learning_rate"}


def test_a_page_escapes_what_it_shows():
    page = Page("<b>", "a & b").section("x < y").text("<script>").table(["<i>"], [["<u>"]]).html()
    assert "<b>" not in page
    assert "<script>" not in page
    assert "&lt;u&gt;" in page
    assert [show(v) for v in (0.12345, 1234.6, float("nan"), None, True, 7)] == ["0.123", "1,235", "-", "-", "yes", "7"]


@pytest.mark.slow
def test_most_seeds_disentangle(tmp_path):
    study = ThreeMoonsStudy(seeds=8, one_head_seeds=4, steps=300, first_seed=1000)
    study.run(tmp_path / "study")
    seeds = pd.read_csv(tmp_path / "study" / "seeds.csv")
    three = seeds[seeds["group"] == "three heads"]
    assert (three["alignment"] >= 0.9).sum() >= 6
    assert np.median(three["error_134_200"]) < 0.012
