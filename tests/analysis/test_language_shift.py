"""The shift study: texts, tables by hand, the page, and a whole small run that is not computed twice."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.studies.catalogue import STUDIES
from analysis.studies.language_shift import LanguageShiftStudy, trainings
from analysis.studies.language_shift_job import tokens_from
from analysis.studies.language_shift_page import collect, lead, write_page
from mosaics.text.tokenizer import Characters
from toyworlds import Stories
from toyworlds.core.validate import DataError, InputError

SMALL = LanguageShiftStudy(
    trainings(
        stories=30, vocabulary=300, seeds=1, width=16, n_heads=2, context=600, batch_size=2, steps=10, evaluations=2,
        validation_documents=6, training_documents=3, workers=1,
    ),
    dials=(0.5,), documents=6, bins=4, facts=2,
)  # fmt: skip


def by_hand(study: LanguageShiftStudy) -> dict[str, Any]:
    """Job results: a transformer of loss 2 everywhere, a mosaic of 3, 3, 1, 1 in the first text and 3 in the others."""
    found: dict[str, Any] = {study.language.text_job().name: {"splits": {}}}
    for job in study.language.jobs():
        found[job.name] = {"parameters": 7, "best": {"step": 1, "value": 2.0}, "final": {}, "seconds": 1.0}
    counts = [[1, 1, 2, 4]] * 3
    for job in study.measurements():
        texts = {}
        for number, name in enumerate(study.texts()):
            curve = np.array([3.0, 3.0, 1.0, 1.0] if number == 0 else [3.0] * 4)
            curve = curve if job.config["model"] == "mosaic" else np.full(4, 2.0)
            texts[name] = {
                "edges": [0, 1, 2, 4, 8],
                "sums": (curve * counts).tolist(),
                "counts": counts,
                "bytes_per_token": 4.0,
            }
        facts = [
            {"facts": 1, "asked_distance": 50, "distance": 48, "correct": bool(c), "chance": 0.25, "probability": 0.5}
            for c in (0, 1)
        ]
        found[job.name] = {"texts": texts, "facts": facts}
    return found


def test_the_tables_by_hand(tmp_path: Path) -> None:
    results = collect(SMALL, by_hand(SMALL))
    crossings = results.tables["crossings"].set_index("text")
    between = math.sqrt(2.0 * math.sqrt(3 * 4))  # half way, in the logarithm, from position 2 to positions 3 and 4
    assert crossings.loc["validation", "crossing"] == pytest.approx(between)
    assert crossings.loc["dialect 0.5", "crossing"] is None or math.isnan(crossings.loc["dialect 0.5", "crossing"])
    assert "no crossing in range" in crossings.loc["dialect 0.5", "said"]
    texts = results.tables["texts"].set_index(["model", "text"])
    assert texts.loc[("mosaic", "validation"), "loss"] == pytest.approx((3 + 3 + 2 + 4) / 8)
    assert texts.loc[("transformer", "validation"), "loss"] == 2.0
    facts = results.tables["new_facts"].set_index("model")
    assert (facts.loc["mosaic", "estimate"], facts.loc["mosaic", "chance"]) == (0.5, 0.25)
    assert "no crossing in range" in lead(results)
    page = write_page(results, tmp_path)
    assert page.read_text().count("<figure>") == 2
    kept = json.loads((tmp_path / "language_shift.json").read_text())
    assert [line["crossing"] is None for line in kept["crossings"]] == [False, True]


def test_texts_of_the_study(tmp_path: Path) -> None:
    assert list(SMALL.texts()) == ["validation", "dialect 0.5"]
    (tmp_path / "wiki.txt").write_text("One.\n<|endoftext|>\nTwo.\n<|endoftext|>\nThree.\n")
    other = dataclasses.replace(SMALL, shifted=(str(tmp_path / "wiki.txt"),))
    assert list(other.texts()) == ["validation", "wiki"]
    data = type("Data", (), {"tokenizer": Characters()})()
    tokens = tokens_from(other.texts()["wiki"], data, 2)
    assert [bytes(tokens[i][:-1].astype(np.uint8)).decode() for i in range(2)] == ["One.", "Two."]
    low = tokens_from(other.texts()["wiki"], data, 2, lowercase=True)
    assert bytes(low[0][:-1].astype(np.uint8)).decode() == "one."
    told = tokens_from(SMALL.texts()["dialect 0.5"], data, 2)
    expected = Stories(dialect=0.5).generate(0, "validation", 0, 1)["text"][0]
    assert bytes(told[0][:-1].astype(np.uint8)).decode() == expected


def test_bad_options_are_refused() -> None:
    for options, named in (
        ({"documents": 1}, "documents"),
        ({"bins": 1}, "bins"),
        ({"dials": (2.0,)}, "dials"),
        ({"dials": ()}, "dials: expected at least one"),
        ({"dials": (0.5, 0.5)}, "dials: expected shares that differ"),
        ({"shifted": ("a/wiki.txt", "b/wiki.txt")}, "shifted: expected texts, each once"),
        ({"shifted": ("validation.txt",)}, "shifted: expected texts, .*named otherwise than the validation text"),
        ({"language": trainings(depths=(1, 2))}, "language.depths: expected one depth"),
        ({"language": trainings(models=("mosaic",), learning_rates=(1e-3,))}, "language.models: expected transformer"),
        ({"language": trainings(text="stories.txt")}, "shifted: expected at least one other text"),
    ):
        with pytest.raises(InputError, match=named):
            LanguageShiftStudy(**options)  # type: ignore[arg-type]


def test_the_study_is_registered_and_shares_its_trainings() -> None:
    assert STUDIES["language-shift"] is LanguageShiftStudy
    assert set(LanguageShiftStudy.presets()) == {"quick", "laptop", "full"}
    more = dataclasses.replace(SMALL, documents=5)
    assert [job.id for job in more.language.jobs()] == [job.id for job in SMALL.language.jobs()]
    assert {job.id for job in more.measurements()}.isdisjoint(job.id for job in SMALL.measurements())


def test_a_small_run(tmp_path: Path) -> None:
    out = tmp_path / "out"
    page = SMALL.run(out)
    assert page.exists()
    kept = json.loads((out / "language_shift.json").read_text())
    assert {(line["model"], line["text"]) for line in kept["texts"]} == {
        (model, text) for model in ("mosaic", "transformer") for text in ("validation", "dialect 0.5")
    }
    losses = {line["text"]: line["loss"] for line in kept["texts"] if line["model"] == "mosaic"}
    best = kept["facts"]["trainings"][0]["best"]["value"]
    assert losses["validation"] == pytest.approx(best, rel=1e-2)  # there documents longer than the context count whole
    assert losses["dialect 0.5"] > losses["validation"]
    table = SMALL.table(out)
    assert table[["model", "size", "seed"]].to_numpy().tolist() == [["mosaic", 2, 0], ["transformer", 2, 0]]
    assert table["loss"][0] == pytest.approx(losses["validation"])
    assert table["shifted_loss"][0] == pytest.approx(losses["dialect 0.5"])
    before = {path: path.stat().st_mtime_ns for path in (out / "jobs").rglob("result.json")}
    SMALL.run(out)
    assert before == {path: path.stat().st_mtime_ns for path in (out / "jobs").rglob("result.json")}
    [job, *_] = SMALL.measurements()
    (out / "jobs" / job.id / "result.json").unlink()
    with pytest.raises(DataError, match="1 of 5 jobs are not finished"):
        SMALL.report(out)


def test_another_text_of_short_documents(tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("\n<|endoftext|>\n".join(["One ball.", "Two.", "Three balls."]))
    study = dataclasses.replace(SMALL, shifted=(str(short),), facts=0)
    page = study.run(tmp_path / "out")
    curves = pd.read_csv(page.parent / "curves.csv")
    reached = curves.groupby("text")["position"].max()
    assert reached["short"] < 13 < reached["validation"]
    short.write_text("One.\n<|endoftext|>\nTwo.")
    with pytest.raises(DataError, match=r"short.txt: changed since this study has read it"):
        study.run(tmp_path / "out")
    short.write_text("Only one.")
    with pytest.raises(InputError, match=r"shifted: expected texts of two documents at least; got .*short.txt"):
        dataclasses.replace(study, documents=3).run(tmp_path / "new")
    assert not list((tmp_path / "new" / "jobs").glob("*/run"))
