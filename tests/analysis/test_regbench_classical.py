"""The study of classical learners on the small family: means by hand, gaps to the oracle, files, figure."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis.plots.regbench import classical_figure, position_curves
from analysis.plots.style import figure
from analysis.studies import STUDIES, regbench_classical
from analysis.studies.folder import load_study, open_study
from analysis.studies.regbench_classical import AUTOMATON, MEASURES, ORACLE, ClassicalStudy, ratio_intervals, run, write
from analysis.studies.regbench_options import RegBenchOptions
from analysis.studies.regbench_references import learners
from regbench.metrics import score
from regbench.ngram import NGram
from regbench.problems import load
from regbench.suites import RegBenchLaptop
from toyworlds.core.validate import DataError, InputError

STUDY = ClassicalStudy(world="regbench_laptop", problems=60, width=10, least=20, resamples=200)

CURVE = RegBenchOptions(world="regbench_laptop", test_size=60)


@pytest.fixture(scope="module")
def result():
    return run(STUDY)


def line(result, predictor, measure):
    table = result.table
    (row,) = table[(table["predictor"] == predictor) & (table["measure"] == measure)].to_dict("records")
    return row


def test_estimates_are_the_published_means(result):
    problems = load(RegBenchLaptop(), "test", 0, 60, seed=0)
    scored = score(NGram(3).predict(problems.tokens, 6), problems, allow_deficient=True)
    assert line(result, "trigram, back-off", "dfa_accuracy")["estimate"] == pytest.approx(scored.mean()["dfa_accuracy"])
    want = scored.mean("before_separator")["dfa_accuracy"]
    assert line(result, "trigram, back-off", "dfa_accuracy_before_separator")["estimate"] == pytest.approx(want)
    assert line(result, "trigram, back-off", "total_variation")["estimate"] == pytest.approx(
        scored.mean()["total_variation"]
    )


def test_ceilings(result):
    assert line(result, AUTOMATON, "dfa_accuracy")["estimate"] == 1.0
    assert line(result, AUTOMATON, "excess")["estimate"] == pytest.approx(0.0, abs=1e-12)
    assert line(result, ORACLE, "excess")["estimate"] > 0.01
    assert np.isnan(line(result, "bigram, back-off", "cross_entropy")["estimate"])
    assert line(result, "bigram, back-off", "cross_entropy")["denied"] > 0


def test_no_learner_beats_the_oracle(result):
    gaps = result.table[(result.table["kind"] == "learner") & result.table["gap"].notna()]
    assert len(gaps) > 30
    assert (gaps["gap_low"] > 0).all()
    assert (gaps["gap_low"] <= gaps["gap"]).all()
    assert (gaps["gap"] <= gaps["gap_high"]).all()


def test_interval_by_hand():
    # problems of 2 rows (1, 3) and 1 row (5): the mean over rows is 3; resamples hold one, the other or both
    study = ClassicalStudy(problems=2, resamples=400)
    got = ratio_intervals(np.array([[4.0, 5.0], [np.inf, 1.0]]), np.array([[2, 1], [2, 1]]), study)
    np.testing.assert_allclose(got[0], [3.0, 2.0, 5.0])
    assert np.isnan(got[1]).all()


def test_steps_cover_the_context(result):
    steps = result.positions[(result.positions["predictor"] == ORACLE) & (result.positions["measure"] == "excess")]
    assert steps["first_row"].tolist() == list(range(0, 10 * len(steps), 10))
    assert (steps["problems"] >= 20).all()
    assert steps["problems"].is_monotonic_decreasing
    assert steps["estimate"].iloc[0] > steps["estimate"].iloc[-1]


def test_files_and_figure(result, tmp_path):
    record = json.loads(write(result, tmp_path).read_text())
    assert record["study"]["problems"] == 60
    assert len(record["table"]) == 11 * len(MEASURES)
    assert pd.read_csv(tmp_path / "classical_by_position.csv").shape == result.positions.shape
    page = classical_figure(result.positions)
    assert len(page.axes) == 3
    _, ax = figure()
    position_curves(ax, result.positions, "excess")
    drawn = {drawn.get_label() for drawn in ax.get_lines()}
    assert ORACLE in drawn
    assert "bigram, back-off" not in drawn


def test_the_table_has_a_reference_a_predictor(result, tmp_path):
    write(result, tmp_path)
    table = result.study.table(tmp_path).set_index("model")
    assert len(table) == 11
    assert set(table["kind"]) == {"reference"}
    for measure in result.study.metrics:
        assert table.loc[ORACLE, measure] == pytest.approx(line(result, ORACLE, measure)["estimate"])
    assert np.isnan(table.loc["bigram, back-off", "excess"])


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.clear(),
        lambda record: record.pop("table"),
        lambda record: record.pop("facts"),
        lambda record: record["study"].pop("problems"),
        lambda record: record["table"][0].pop("estimate"),
    ],
)
def test_a_damaged_record_names_its_file(result, tmp_path, change):
    out = open_study(tmp_path / "study", STUDY)
    path = write(result, out)
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))
    for use in (STUDY.run, STUDY.report, STUDY.table):
        with pytest.raises(DataError, match=r"classical\.json: expected the study, facts and table"):
            use(out)


def test_a_study_finished_when_the_world_was_called_preset_is_finished(result, tmp_path, monkeypatch):
    out = open_study(tmp_path / "study", STUDY)
    write(result, out)
    for name in ("study.json", "classical.json"):
        text = (out / name).read_text()
        assert text.count('"world": "regbench_laptop"') == 1
        (out / name).write_text(text.replace('"world": "regbench_laptop"', '"preset": "regbench_laptop"'))
    assert load_study(out, STUDIES) == STUDY
    monkeypatch.setattr(regbench_classical, "run", lambda study: pytest.fail("computed again"))
    assert STUDY.run(out).exists()
    (read,) = {learner.test["dfa_accuracy"] for name, learner in learners(out, CURVE).items() if name == "Baum-Welch"}
    assert read == line(result, "Baum-Welch", "dfa_accuracy")["estimate"]


def test_bad_study():
    with pytest.raises(InputError, match="world"):
        ClassicalStudy(world="three_moons")
    with pytest.raises(InputError, match="dirichlet"):
        run(ClassicalStudy(world="regbench_weighted", problems=2))
