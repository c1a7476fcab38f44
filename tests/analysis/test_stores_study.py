"""The stores study: tables by hand, the page, and a tiny run that is not computed twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.studies import STUDIES
from analysis.studies.stores import StoresStudy
from toyworlds.core.validate import InputError


def by_hand(study: StoresStudy) -> Any:
    """Results of two problems with 10 and 30 labelled rows; every store but the exact one loses 1 and 5 nats there."""
    from analysis.studies.stores_page import collect

    def entry(more: tuple[float, float]) -> dict[str, Any]:
        loss = [7.0 + more[0], 21.0 + more[1]]
        return {"loss": loss, "labelled": [10, 30], "recall": [0.5, 0.75], "looked": [2.0, 4.0]}

    measured = {
        family: {"stores": [entry((0.0, 0.0) if family == "exact" else (1.0, 5.0))] * len(stores), "rows": 60}
        for family, stores in study.families().items()
    }
    stores, pairs = len(study.timed()), len(study.pairs)
    costs = {"seconds": [[1e-4] * pairs] * stores, "bytes": [[1000.0] * pairs] * stores}
    return collect(study, {"metrics": {"test_dfa_accuracy": 0.9}}, measured, costs)


def test_the_table_by_hand(tmp_path: Path) -> None:
    from analysis.studies.stores_page import lead, write_page

    results = by_hand(StoresStudy(budgets=(2, 8), pairs=(64,)))
    line = results.quality[results.quality["family"] == "oldest"].iloc[0]
    assert line["loss"] == pytest.approx(34 / 40)
    assert line["excess"] == pytest.approx(6 / 40)
    assert (line["low"], line["high"]) == pytest.approx((1 / 10, 5 / 30))
    assert (line["recall_1"], line["recall_2"], line["looked"]) == (0.5, 0.75, 3.0)
    exact = results.quality.iloc[0]
    assert (exact["excess"], exact["low"], exact["high"]) == (0.0, 0.0, 0.0)
    assert "No capacity" in lead(results)
    page = write_page(results, tmp_path)
    assert page.read_text().count("<figure>") == 2
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"stores_quality.png", "stores_cost.png"}
    kept = json.loads((tmp_path / "stores.json").read_text())
    assert len(kept["quality"]) == len(results.quality)
    assert kept["quality"][0]["budget"] is None


@pytest.mark.parametrize(
    ("options", "named"),
    [({"steps": 1}, "steps"), ({"budgets": ()}, "budgets"), ({"pairs": (0,)}, "pairs"), ({"problems": 1}, "problems")],
)
def test_bad_options_are_refused(options: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        StoresStudy(**options)


def test_the_study_is_registered() -> None:
    assert STUDIES["stores"] is StoresStudy
    assert all(isinstance(preset, StoresStudy) for preset in StoresStudy.presets().values())


@pytest.mark.slow
def test_a_tiny_run_is_not_computed_twice(tmp_path: Path) -> None:
    study = StoresStudy(steps=20, problems=3, budgets=(1, 200), pairs=(8,), workers=1)
    study.run(tmp_path / "out")
    lines = json.loads((tmp_path / "out" / "stores.json").read_text())["quality"]
    full = [line for line in lines if line["budget"] == 200]
    assert len(full) >= 4
    assert all(abs(line["excess"]) < 1e-6 and abs(line["recall_2"] - 1) < 1e-5 for line in full)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "jobs").rglob("result.json")}
    study.run(tmp_path / "out")
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "jobs").rglob("result.json")}
