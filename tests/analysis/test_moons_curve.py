"""The moons curve, small: its cells, what each trains on, files, page, bad options."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis.studies.moons_curve import MoonsCurveStudy, Point
from toyworlds.core.validate import DataError, InputError
from toyworlds.three_moons import PUBLISHED_TRAIN

STUDY = MoonsCurveStudy(sequences=(1, 3), combinations=(2,), seeds=2, steps=10, workers=1)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("moons_curve") / "study"
    return STUDY.run(out), out


def test_cells_are_two_sweeps_or_the_grid():
    cells = [(1, 8), (3, 8), (160, 2), (160, 8)]
    assert sorted((p.sequences, p.combinations) for p in STUDY.points() if p.heads == 3) == sorted(cells)
    assert len(MoonsCurveStudy(grid=True).points()) == 2 * 6 * 4
    assert Point(1, 8, 8000) in MoonsCurveStudy().points()


def test_jobs_train_on_the_first_triples_and_sequences():
    for point, job in STUDY.runs():
        assert job.config["world"]["train_periods"] == PUBLISHED_TRAIN[: point.combinations]
        assert job.config["task"]["train_size"] == point.sequences
        assert job.config["model"]["n_heads"] * job.config["model"]["head_width"] == 6


def test_files_and_page(finished):
    page, out = finished
    runs = pd.read_csv(out / "runs.csv")
    assert len(runs) == 2 * 4 * 2
    cell = runs.query("model == '3 heads' and combinations == 8 and size == 3")["error_134_200"]
    summary = pd.read_csv(out / "intervals.csv")
    line = summary.query("heads == 3 and combinations == 8 and sequences == 3 and measure == 'error_134_200'")
    assert line["estimate"].item() == pytest.approx(np.median(cell), rel=1e-4)
    text = page.read_text()
    assert "Three memories trained on 1 sequence have" in text
    assert "(0.5, 1, 2), (0.5, 1, 1.5)" in text
    assert text.count("data:image/png;base64,") == 3
    assert json.loads((out / "curve.json").read_text())["options"]["seeds"] == 2
    assert len(STUDY.table(out)) == 16


def test_a_second_run_computes_nothing(finished):
    page, out = finished
    before = {path: path.stat().st_mtime_ns for path in (out / "jobs").rglob("result.json")}
    assert STUDY.run(out) == page
    assert {path: path.stat().st_mtime_ns for path in (out / "jobs").rglob("result.json")} == before


@pytest.mark.parametrize(
    "options", [{"sequences": ()}, {"sequences": (4, 1)}, {"sequences": (8000,)}, {"combinations": (8,)}, {"seeds": 1}]
)
def test_bad_options(options):
    with pytest.raises(InputError, match=next(iter(options))):
        MoonsCurveStudy(**options)


def test_an_unfinished_study_says_so(tmp_path):
    with pytest.raises(DataError, match="8 of 8 jobs are not finished"):
        STUDY.report(tmp_path)
