"""The RegBench learning-curve study, small: what it trains, chooses, scores, writes and refuses."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.bootstrap import t_interval
from analysis.learning_curve import LearningCurve
from analysis.studies import regbench_options
from analysis.studies.folder import open_study
from analysis.studies.regbench_curve import RegBenchCurveStudy
from analysis.studies.regbench_curve_results import summarise
from analysis.studies.regbench_curve_statistics import compare, fits
from analysis.studies.regbench_options import chosen_of
from analysis.studies.regbench_references import ORACLE, references
from regbench.metrics import score
from regbench.ngram import NGram
from regbench.problems import load
from regbench.suites import RegBenchLaptop
from toyworlds.core.validate import DataError, InputError

STUDY = RegBenchCurveStudy(
    models=("mosaic", "lstm"), sizes=(8, 12), widths=(16,), heads=(2,), steps=4, seeds=2, batch_size=4,
    learning_rates=(1e-3, 1e-2), evaluations=2, validation_size=6, test_size=7, workers=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("curve") / "study"
    return STUDY.run(out), out


def test_the_page_says_first_how_it_stands_to_the_ngrams(finished):
    page = finished[0].read_text()
    lead = page.split('class="lead">')[1].split("</p>")[0]
    for word in ("bigram", "trigram", "95 % interval", "2 seeds"):
        assert word in lead
    assert page.count("data:image/png;base64,") == 4
    for words in ("same number of updates", "2 candidates", "State oracle".lower(), "needs at least 4 sizes"):
        assert words in page
    for outside in ("http://", "https://", "<script", "<link"):
        assert outside not in page


def test_every_run_is_in_the_table_and_the_best_setting_is_chosen(finished):
    runs = pd.read_csv(finished[1] / "runs.csv")
    assert len(runs) == 2 * 2 * 2 * 2
    assert pd.read_parquet(finished[1] / "runs.parquet")["dfa_accuracy"].to_numpy() == pytest.approx(
        runs["dfa_accuracy"].to_numpy()
    )
    for _, group in runs.groupby(["model", "size"]):
        means = group.groupby("learning_rate")["validation_loss"].mean()
        assert set(group[group["chosen"]]["learning_rate"]) == {means.idxmin()}
        assert sorted(group[group["chosen"]]["seed"]) == [0, 1]
    parameters = runs.groupby("model")["parameters"].first()
    assert abs(parameters["lstm"] / parameters["mosaic"] - 1) < 0.05


def test_the_scores_are_those_of_the_best_weights(finished):
    from analysis.runs import load_run
    from mosaics.tasks.regbench import predict

    job = STUDY.jobs()[0]
    result = job.result(finished[1] / "jobs")
    model = load_run(finished[1] / "jobs" / job.id / "run", "best").model
    problems = load(RegBenchLaptop(), "test", 0, 7, seed=0)
    scored = score(predict(model, problems.tokens), problems, kind="logits")
    for name, value in result["test"].items():
        assert value == pytest.approx(scored.mean()[name], abs=1e-6)
    assert result["by_position"]["excess"] == pytest.approx(scored.by_position(width=10)["excess"], abs=1e-6)
    assert result["by_string"]["dfa_accuracy"] == pytest.approx(scored.by_string()["dfa_accuracy"], abs=1e-6)
    best = min(result["history"], key=lambda record: record[1])
    assert [result["best_step"], result["validation_loss"]] == best
    assert (result["steps"], result["problems"], result["epochs"]) == (4, 16, 2.0)


def test_a_second_run_computes_nothing_and_gives_the_same(finished):
    page, out = finished
    before = {path: path.stat().st_mtime_ns for path in (out / "jobs").rglob("result.json")}
    summary = (out / "intervals.csv").read_bytes()
    assert STUDY.run(out) == page
    assert {path: path.stat().st_mtime_ns for path in (out / "jobs").rglob("result.json")} == before
    assert (out / "intervals.csv").read_bytes() == summary


def test_the_table_of_runs(finished):
    table = STUDY.table(finished[1])
    assert table["model"].value_counts().to_dict() == {"mosaic": 8, "lstm": 8}
    assert table["chosen"].sum() == 8
    assert table["data"].nunique() == 2


def test_one_seed_says_so(finished):
    alone = replace(STUDY, seeds=1)
    page = alone.report(finished[1]).read_text()
    assert "one seed, no interval" in page
    assert "One seed: nothing here says" in page
    results = json.loads((finished[1] / "results.json").read_text())
    assert results["statistics"] == {"note": "one seed: no interval, no fit"}
    STUDY.report(finished[1])


def test_references_are_scored_on_the_study_s_test_set():
    lines = references(STUDY)
    problems = load(RegBenchLaptop(), "test", 0, 7, seed=0)
    means = score(NGram(2).predict(problems.tokens, 6), problems, allow_deficient=True).mean()
    assert lines["bigram, back-off"].test["dfa_accuracy"] == pytest.approx(means["dfa_accuracy"])
    assert lines["bigram, back-off"].test["excess"] is None
    assert math.isinf(means["excess"])
    assert lines[ORACLE].test["dfa_accuracy"] > lines["trigram, Witten-Bell"].test["dfa_accuracy"]


def test_classical_learners_of_other_problems_are_refused(tmp_path):
    study = {"preset": "regbench", "problems": 500, "seed": 0}
    table = [{"predictor": "Baum-Welch", "measure": "dfa_accuracy", "estimate": 0.9}]
    (tmp_path / "classical.json").write_text(json.dumps({"study": study, "table": table}))
    with pytest.raises(DataError, match=r"expected the study of .*regbench_laptop.*it is that of"):
        references(STUDY, str(tmp_path))
    with pytest.raises(DataError, match="expected the study of"):
        replace(STUDY, classical=str(tmp_path)).run(tmp_path / "out")
    assert not (tmp_path / "out").exists(), "refused before anything is trained"
    record = open_study(tmp_path / "out", STUDY) / "study.json"
    before = record.read_text()
    with pytest.raises(DataError, match="expected the study of"):
        replace(STUDY, classical=str(tmp_path)).run(tmp_path / "out")
    assert record.read_text() == before, "a refused continuation leaves the study as it is"
    study = {"world": "regbench_laptop", "problems": 7, "seed": 0}
    (tmp_path / "classical.json").write_text(json.dumps({"study": study, "table": table}))
    assert references(STUDY, str(tmp_path))["Baum-Welch"].test == {
        "dfa_accuracy": 0.9, "total_variation": None, "excess": None,
    }  # fmt: skip


def test_choice_by_hand():
    runs = pd.DataFrame({
        "variant": "a", "size": 1, "learning_rate": [1, 1, 2, 2], "weight_decay": 0.1, "seed": [0, 1, 0, 1],
        "validation_loss": [0.1, 0.9, 0.4, 0.4],
    })  # fmt: skip
    assert chosen_of(runs).tolist() == [False, False, True, True]


def test_t_interval_is_student_s():
    values = np.array([0.2, 0.5, 0.3, 0.9])
    low, high = stats.t.interval(0.9, 3, loc=values.mean(), scale=stats.sem(values))
    assert (t_interval(values, level=0.9).low, t_interval(values, level=0.9).high) == pytest.approx((low, high))
    with pytest.raises(InputError, match="at least 2 runs"):
        t_interval([1.0])


def test_summary_by_hand():
    runs = pd.DataFrame({
        "variant": "a", "size": 1, "chosen": [True, True, False], "dfa_accuracy": [0.4, 0.6, 0.9],
        "total_variation": 0.5, "excess": 1.0,
    })  # fmt: skip
    line = summarise(runs).iloc[0]
    half = stats.t.ppf(0.975, 1) * 0.1
    assert (line["mean"], line["low"], line["high"]) == pytest.approx((0.5, 0.5 - half, 0.5 + half))
    assert (line["bootstrap_low"], line["bootstrap_high"]) == (0.4, 0.6)


def test_comparison_by_hand():
    """b needs four times the samples of a for 0.7, the highest accuracy that both reach."""
    sizes = [100, 100, 400, 400]
    a = LearningCurve(sizes, [0.7, 0.7, 0.9, 0.9])
    b = LearningCurve(sizes, [0.5, 0.5, 0.7, 0.7])
    found = compare({"a": a, "b": b}, {"bigram": 0.6, "none": None})
    assert found["b"]["equivalence"]["target"] == pytest.approx(0.7)
    assert found["b"]["equivalence"]["statement"].startswith("beyond the measured range: more than 4 times")
    assert found["b"]["probability_of_improvement"]["estimate"] == 1.0
    assert found["b"]["reach"]["bigram"]["statement"] == "200 samples"
    assert "none" not in found["a"]["reach"]
    assert "against" not in found["a"]
    assert set(fits(a)["refused"]) == {"power", "logarithmic", "exponential"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"models": ("mosiac",)}, "did you mean 'mosaic'"),
        ({"models": ()}, "models: expected at least one"),
        ({"sizes": (10, 10)}, "sizes: expected at least one value, none of them twice"),
        ({"sizes": (0,)}, "sizes: expected a whole number from 1 to 1000000"),
        ({"sizes": (10**8,)}, "sizes: expected a whole number from 1 to 1000000; got 100000000"),
        ({"seeds": 0}, "seeds: expected a whole number of at least 1"),
        ({"learning_rates": (0.0,)}, "learning_rates"),
        ({"schedule": "equal"}, "equal-steps"),
        ({"world": "regbench_labtop"}, "regbench_laptop"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        replace(STUDY, **options).jobs()


def test_a_shared_language_is_refused(monkeypatch):
    problems = load(RegBenchLaptop(), "train", 0, 12, seed=0)
    monkeypatch.setattr(regbench_options, "load", lambda *_, **__: problems)
    with pytest.raises(DataError, match="must not share a language"):
        STUDY.check(12)


def test_an_unfinished_study_says_so(tmp_path):
    with pytest.raises(DataError, match="16 of 16 jobs are not finished"):
        STUDY.report(tmp_path)


def test_hyphens_and_labels():
    study = replace(STUDY, models=("mosaic-v2",), depths=(1, 2))
    assert [study.label(variant) for variant in study.variants()] == ["mosaic_v2, depth 1", "mosaic_v2, depth 2"]


def test_equal_epochs_give_large_sets_more_updates():
    study = replace(STUDY, schedule="equal-epochs", epochs=3)
    assert [study.updates(size) for size in (8, 10, 100)] == [6, 9, 75]
    assert [STUDY.updates(size) for size in (8, 100)] == [4, 4]


def test_jobs_say_how_they_train():
    job = replace(STUDY, patience=3, dropout=0.05, warmup=0.5).jobs()[0]
    train = job.config["train"]
    assert (train["steps"], train["warmup_steps"], train["evaluate_every"], train["patience"]) == (4, 2, 2, 3)
    assert (train["learning_rate"], train["final_learning_rate"]) == (1e-3, 1e-4)
    assert job.config["model"]["options"]["contextual_dropout"] == 0.05
    assert STUDY.jobs()[0].config["train"]["patience"] is None


def test_presets_are_as_they_say():
    presets = RegBenchCurveStudy.presets()
    assert presets["quick"].models == ("mosaic", "transformer", "lstm", "mamba2")
    assert (len(presets["quick"].sizes), presets["quick"].seeds) == (3, 3)
    published = presets["published"]
    assert (published.sizes[-1], published.schedule, published.patience) == (40_000, "equal-epochs", 0)
    assert (presets["reduced"].sizes, presets["reduced"].steps) == ((1000, 2500, 5000), 3000)
