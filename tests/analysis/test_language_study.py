"""The language study: jobs, tables by hand, a whole small study."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from analysis.story_prompts import story_prompts
from analysis.studies.catalogue import STUDIES
from analysis.studies.folder import load_study
from analysis.studies.language import PAPER_DEPTHS, LanguageStudy
from analysis.studies.language_job import fitting
from analysis.studies.language_page import lead
from analysis.studies.language_results import collect
from analysis.studies.regbench_curve import RegBenchCurveStudy
from mosaics.text.tokenizer import Characters
from toyworlds import Stories
from toyworlds.core.folders import read_json
from toyworlds.core.validate import DataError, InputError

SMALL = LanguageStudy(
    stories=30, vocabulary=1000, depths=(1, 2), models=("mosaic", "transformer"), learning_rates=(3e-3,), seeds=2,
    width=64, context=700, batch_size=2, steps=10, evaluations=2, validation_documents=4, training_documents=3,
    prompts=2, profile_documents=2, workers=1,
)  # fmt: skip


def found(study, nats):
    """Job results with made-up losses: nats[model][seed] of the documents."""
    text = {"splits": {"train": {}}, "tokenizer": {}}
    results = {study.text_job().name: text}
    for job in study.jobs():
        lost = nats[job.config["model"]][job.config["seed"]]
        curve = [{"step": s, "validation_loss": 3.0 - s, "training_loss": 2.0 - s} for s in (0, 1)]
        results[job.name] = {
            "parameters": 7, "curve": curve, "best": {"step": 1, "value": 2.0}, "seconds": 1.0, "padding": 0.1,
            "final": {"validation_loss": 2.5, "training_loss": 0.5}, "steps_per_epoch": 4, "nats": lost,
            "tokens": [10, 20, 30, 40], "bytes": [20, 40, 60, 80], "prompts": None, "profile": None,
        }  # fmt: skip
    return results


def test_jobs_take_turns():
    names = [job.name for job in SMALL.jobs()]
    assert names[:3] == ["mosaic, depth 1, seed 0", "transformer, depth 1, seed 0", "mosaic, depth 2, seed 0"]
    assert len(names) == len(set(names)) == 8
    more = replace(SMALL, seeds=3, depths=(1, 2, 4))
    assert {job.id for job in SMALL.jobs()} < {job.id for job in more.jobs()}
    assert {job.id for job in replace(SMALL, steps=11).jobs()}.isdisjoint(job.id for job in SMALL.jobs())
    rates = replace(SMALL, learning_rates=(1e-2, 1e-3)).jobs()
    assert [job.config["train"]["learning_rate"] for job in rates[:2]] == [1e-2, 1e-3]


@pytest.mark.parametrize("study", [SMALL, RegBenchCurveStudy(sizes=(8,), models=("mosaic",))])
def test_the_machine_is_named_where_it_is_not_the_usual_one(study):
    usual, other = (one.jobs()[0] for one in (study, replace(study, dtype="bfloat16", compile="model")))
    assert not {"dtype", "compile"} & set(usual.config["train"])
    assert other.config["train"] == usual.config["train"] | {"dtype": "bfloat16", "compile": "model"}
    with pytest.raises(InputError, match="dtype: expected one of float32, bfloat16; got 'bfloat'"):
        replace(study, dtype="bfloat")


def test_a_job_trains_in_bfloat16(tmp_path):
    study = replace(SMALL, depths=(1,), models=("mosaic",), seeds=1, prompts=0, profile_documents=0, vocabulary=300)
    found = {}
    for dtype in ("float32", "bfloat16"):
        own = replace(study, dtype=dtype)
        own.text_job().compute(tmp_path, lambda *_: None)
        found[dtype] = own.jobs()[0].compute(tmp_path, lambda *_: None)["best"]["value"]
    assert found["bfloat16"] != found["float32"]
    assert found["bfloat16"] == pytest.approx(found["float32"], rel=0.01)


def test_losses_and_differences_by_hand():
    study = replace(SMALL, depths=(1,))
    nats = {
        "mosaic": [[10.0, 20.0, 30.0, 40.0], [20.0, 40.0, 60.0, 80.0]],
        "transformer": [[20.0, 40.0, 60.0, 80.0], [30.0, 60.0, 90.0, 120.0]],
    }
    results = collect(study, found(study, nats))
    loss = results.tables["loss"].set_index("model")
    assert loss.loc["mosaic", "estimate"] == pytest.approx(1.5)
    assert loss.loc["transformer", "estimate"] == pytest.approx(2.5)
    assert loss.loc["mosaic", "bits_per_byte"] == pytest.approx(0.75 / np.log(2))
    assert (loss.loc["mosaic", "low"], loss.loc["mosaic", "high"]) == pytest.approx((1.0, 2.0))
    (line,) = results.tables["difference"].to_dict("records")
    assert [line[name] for name in ("estimate", "low", "high")] == pytest.approx([-1.0] * 3)
    runs = results.tables["runs"].query("model == 'mosaic'")
    assert runs["best_loss"].tolist() == [2.0, 2.0]
    assert runs["training_loss_at_best"].tolist() == [1.0, 1.0]
    assert runs["final_training_loss"].tolist() == [0.5, 0.5]
    assert runs["epochs"].tolist() == [2.5, 2.5]


def test_without_a_transformer_the_first_model_is_the_reference():
    study = replace(SMALL, depths=(1,), seeds=1, models=("mosaic", "mosaic_v2"))
    nats = {"mosaic": [[10.0, 20.0, 30.0, 40.0]], "mosaic_v2": [[20.0, 40.0, 60.0, 80.0]]}
    results = collect(study, found(study, nats))
    (line,) = results.tables["difference"].to_dict("records")
    assert (results.reference, line["model"]) == ("mosaic", "mosaic_v2")
    assert line["estimate"] > 0
    assert (
        lead(results)
        == f"In validation loss mosaic_v2 is above the mosaic with 1 block ({line['estimate']:+.3f} nats)."
    )


def test_intervals_resample_documents_too():
    study = replace(SMALL, depths=(1,), seeds=1)
    nats = {"mosaic": [[10.0, 60.0, 30.0, 40.0]], "transformer": [[10.0, 20.0, 30.0, 40.0]]}
    results = collect(study, found(study, nats))
    (line,) = results.tables["difference"].to_dict("records")
    assert line["estimate"] == pytest.approx(0.4)
    assert 0.0 <= line["low"] < 0.4 < line["high"]
    loss = results.tables["loss"].set_index("model").loc["transformer"]
    assert loss["low"] == loss["high"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depths": ()}, "depths"),
        ({"depths": (0,)}, "depths"),
        ({"models": ("mosaic", "mosaic")}, "models"),
        ({"learning_rates": (1e-3, 1e-3, 1e-3)}, "learning_rates"),
        ({"steps": 1}, "steps"),
        ({"validation": "valid.txt"}, "validation: expected none with the story world"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(InputError, match=message):
        replace(SMALL, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"models": ("mosiac",)}, "models: expected one of .*did you mean 'mosaic'"),
        ({"models": ("lstm",), "packing": "packed"}, "models: expected one of .*mosaic_v2.*; got 'lstm'"),
        ({"text": "nowhere.txt"}, "text: expected a text file or a folder of texts; got 'nowhere.txt'"),
    ],
)
def test_what_is_missing_is_said_before_anything_runs(options, message, tmp_path):
    study = replace(SMALL, learning_rates=(1e-3,), **options)
    with pytest.raises(InputError, match=message):
        study.run(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def texts(tmp_path):
    """A study on texts of 8 to 12 characters."""
    for name, count in (("train", 12), ("validation", 4)):
        lines = [f"Tom had {n} balls"[: 8 + n % 5] for n in range(count)]
        (tmp_path / f"{name}.txt").write_text("\n<|endoftext|>\n".join(lines))
    paths = {name: str(tmp_path / f"{name}.txt") for name in ("train", "validation")}
    options = {"vocabulary": 257, "depths": (1,), "seeds": 1, "context": 16, "profile_documents": 2}
    return replace(SMALL, text=paths["train"], validation=paths["validation"], **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"context": 512}, ("profile_documents: expected 0 for mosaic on this text with a context of 512; got 2 "
                           ".profile_documents: expected 2 validation stories of 256 tokens or more; got 0")),
        ({"context": 1}, "profile_documents: expected 0 for mosaic .*context: expected 4 tokens at least; got 1"),
        ({"models": ("transformer", "mosaic_v2")}, "expected 0 for mosaic_v2 on this text.*n / 2 > 65"),
        ({"models": ("mosaic", "lstm")}, "profile_documents: expected 0 for lstm .*contextual memories or attention"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_said_before_anything_is_trained(texts, options, message, tmp_path):
    with pytest.raises(InputError, match=message):
        replace(texts, **options).run(tmp_path / "out")
    assert len(list((tmp_path / "out" / "jobs").glob("*/result.json"))) == 1  # the text


def test_one_validation_story_has_no_intervals(texts, tmp_path):
    (tmp_path / "validation.txt").write_text("Tom had a ball")
    with pytest.raises(InputError, match="validation: expected a text of two documents at least; got 1"):
        texts.run(tmp_path / "out")


def test_a_text_that_changed_is_not_taken_for_the_old_one(texts, tmp_path):
    page = texts.run(tmp_path / "out")
    assert texts.run(tmp_path / "out") == page
    (tmp_path / "validation.txt").write_text("Another.\n<|endoftext|>\nAnd another.")
    with pytest.raises(DataError, match=r"validation.txt: changed since this study has read it"):
        texts.run(tmp_path / "out")


def test_presets_and_depths_of_the_paper():
    assert STUDIES["language"] is LanguageStudy
    assert set(LanguageStudy.presets()) == {"quick", "laptop", "full"}
    assert LanguageStudy().depths == PAPER_DEPTHS == (1, 2, 3, 4, 6, 8, 12)
    assert LanguageStudy().models == ("mosaic", "mosaic_v2", "transformer")


def test_a_small_study(tmp_path):
    study = replace(SMALL, depths=(1,), seeds=1)
    with pytest.raises(DataError, match="3 of 3 jobs are not finished"):
        study.report(tmp_path)
    page = study.run(tmp_path / "study")
    html = page.read_text()
    assert "Loss by depth" in html
    runs = pd.read_csv(page.parent / "runs.csv")
    assert runs["model"].tolist() == ["mosaic", "transformer"]
    assert runs["size"].tolist() == [1, 1]
    assert runs["parameters"].max() < 1.05 * runs["parameters"].min()
    record = read_json(page.parent / "language.json", "results")
    loss = record["loss"][0]
    assert loss["low"] <= loss["estimate"] <= loss["high"]
    assert loss["estimate"] == pytest.approx(record["runs"][0]["best_loss"], rel=1e-5)
    assert record["facts"]["text"]["splits"]["train"]["documents"] == 30
    kept = {file: file.stat().st_mtime_ns for file in (page.parent / "jobs").glob("*/result.json")}
    assert study.run(tmp_path / "study") == page
    assert len(kept) == 3
    assert all(file.stat().st_mtime_ns == time for file, time in kept.items())
    assert load_study(page.parent, STUDIES) == study
    for name in ("prompts", "profile"):
        assert set(pd.read_csv(page.parent / f"{name}.csv")["model"]) == {"mosaic", "transformer"}
    prompts = pd.read_csv(page.parent / "prompts.csv")
    assert set(prompts["kind"]) == {"factual", "logical", "consistency"}
    assert (prompts["prompts"] == 2).all()
    assert prompts["chance"].between(0.0, 0.5).all()
    alone = replace(study, models=("mosaic",)).report(page.parent).read_text()
    assert "Validation loss by model and depth." in alone


def test_prompts_that_do_not_fit_name_the_context_that_they_need():
    def task(context):
        return SimpleNamespace(data=SimpleNamespace(tokenizer=Characters()), config=SimpleNamespace(context=context))

    config = {"world": {}, "prompts": 4}
    lengths = {}
    for prompt in story_prompts(Stories(), 0, 12):
        lengths.setdefault(prompt.kind, []).append(len(prompt.text.encode()))
    least, kind = max((min(some), kind) for kind, some in lengths.items())
    expected = f"context: expected {least + 16} tokens at least, for {kind} prompts of {least} (or prompts 0); got 300 "
    with pytest.raises(InputError, match=re.escape(expected + "(the tokenizer is characters)")):
        fitting(task(300), config)
    found = fitting(task(least + 16), config)
    assert {prompt.kind for prompt in found} == {"factual", "logical", "consistency"}
    assert max(len(prompt.text.encode()) for prompt in found) <= least
