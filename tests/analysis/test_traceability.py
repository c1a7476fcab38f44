"""The studies of traceability and of units: their jobs on small runs, their pages from hand-made results."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.engines import Job
from analysis.runs import load_run
from analysis.studies.catalogue import STUDIES
from analysis.studies.folder import load_study, open_study
from analysis.studies.laptop_training import job as training_job
from analysis.studies.moons_lone import parts
from analysis.studies.regbench_units import RegBenchUnitsStudy
from analysis.studies.regbench_units_jobs import job as units_job
from analysis.studies.regbench_units_page import write_page
from analysis.studies.traceability import FEWEST, TraceabilityStudy, _short, lead, measured
from analysis.studies.traceability_jobs import ACCOUNTS, tamper_job
from analysis.trace_effects import TooFew, effects
from analysis.tracing import Traceability, absolute, measure_moons
from mosaics.moons_model import MoonsModelConfig
from mosaics.tasks.moons import MoonsTaskConfig
from mosaics.tasks.recipe import Recipe
from mosaics.tasks.regbench import laptop_recipe
from mosaics.training import TrainConfig, train
from toyworlds.core.validate import DataError, InputError
from toyworlds.three_moons import ThreeMoons

TRAINED = {name: Job(name, "analysis.studies.laptop_training:run", {"name": name}) for name in ("mosaic", "moons")}


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    """A folder of jobs in which a mosaic and a moons model have been trained for a few steps."""
    folder = tmp_path_factory.mktemp("jobs")
    recipe = laptop_recipe()
    task = replace(recipe.task, train_size=64, validation_size=10, test_size=10)
    training = replace(recipe.training, steps=4, warmup_steps=1, evaluate_every=4, threads=1)
    small = Recipe(replace(recipe.model, width=16, n_heads=2, persistent_size=8), task, training)
    small.train(0, folder / TRAINED["mosaic"].id / "run", progress=False)
    moons = MoonsTaskConfig(ThreeMoons(length=180), batch_size=2, evaluation_rows=2).build(0)
    model = MoonsModelConfig().build(0)
    train(model, moons, TrainConfig(steps=2), folder / TRAINED["moons"].id / "run", progress=False)
    return folder


def quiet(steps, word):
    pass


def test_absolute_distances_by_hand():
    assert absolute(np.array([1.0, 2.0]), np.array([[1.0, 2.0], [0.0, 4.0]])).tolist() == [0.0, 3.0]


@pytest.mark.parametrize("intervention", ["silence", "remove"])
def test_on_moons_the_expected_change_is_the_change(jobs, intervention):
    run = load_run(jobs / TRAINED["moons"].id / "run")
    sequences = run.world.generate(0, "validation", 0, 8)["observation"]
    how = Traceability(intervention=intervention, first=140, floor=0.05, ratio=3.0, share=0.9)
    table = measure_moons(run.model, sequences, how)
    lines = table[table["pairs"] > 0]
    assert len(table) == 8
    assert len(lines) >= 2
    assert table["row"].between(140, 179).all()
    for side in ("named", "matched"):
        np.testing.assert_allclose(lines[f"effect_{side}"], lines[f"expected_{side}"], rtol=1e-9, atol=1e-12)
    assert "flip_named" not in table
    found = effects([table], n=100)
    assert set(found.named) == {"weight", "expected", "effect"}
    with pytest.raises(InputError, match=r"sequences: expected an array \(sequences, more than 140 steps"):
        measure_moons(run.model, sequences[:, :100], how)


@pytest.mark.parametrize(("task", "trained"), [("regbench", "mosaic"), ("moons", "moons")])
def test_the_job_keeps_the_table(jobs, task, trained):
    made = tamper_job(task, TRAINED[trained], "remove, named by expected effect", 6)
    table = pd.DataFrame(made.compute(jobs, quiet))
    assert {"pairs", "row"} <= set(table)
    assert 0 < len(table) <= 6
    assert made.result(jobs) is not None


def test_the_plan_of_the_study():
    study = TraceabilityStudy(seeds=2)
    assert [len(group) for group in study.trainings().values()] == [2, 2]
    groups = study.measurements()
    assert len(groups) == 2 * len(ACCOUNTS)
    assert len({job.id for group in groups.values() for job in group}) == 4 * len(ACCOUNTS)
    assert study.trainings()["mosaic"][0].id == training_job("mosaic", 2000, 0).id
    models = TraceabilityStudy(models=("transformer", "mosaic_v2"), seeds=2, sequences=0)
    assert list(models.trainings()) == ["transformer", "mosaic_v2"]
    assert len(models.jobs()) == 2 * 2 + 2 * 2 * len(ACCOUNTS)
    assert models.trainings()["transformer"][1].id == training_job("transformer", 2000, 1).id
    assert all(job.config["problems"] == 350 for group in models.measurements().values() for job in group)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"problems": 1}, "problems: expected a whole number of at least 2"),
        ({"sequences": 1}, "sequences: expected 0, or at least 2; got 1"),
        ({"models": ()}, "models: expected different models, at least one"),
        ({"models": ("mosaic", "mosaic")}, "models: expected different models, at least one"),
        (
            {"models": ("lstm",)},
            "models: expected one of mosaic, mosaic_v2, transformer, rotary_transformer; got 'lstm'",
        ),
    ],
)
def test_what_the_study_refuses(options, message):
    with pytest.raises(InputError, match=message):
        TraceabilityStudy(**options)


def made_table(seed):
    rng = np.random.default_rng(seed)
    columns = {"pairs": [2] * 20}
    for name, (low, high) in {"named": (0.2, 0.6), "matched": (0.01, 0.1)}.items():
        columns |= {f"weight_{name}": 0.3, f"expected_{name}": rng.uniform(low, high, 20)}
        columns |= {f"effect_{name}": rng.uniform(low, high, 20)}
    return pd.DataFrame(columns)


def test_the_page_of_traceability(tmp_path):
    study = TraceabilityStudy()
    kinds = ("mosaic", "rotary_transformer", "moons")
    found = {(kind, account): effects([made_table(0)], n=100) for kind in kinds for account in ACCOUNTS}
    page = study._write(found, {"mosaic, seed 0": {"test_dfa_accuracy": 0.9}}, tmp_path)
    record = json.loads((tmp_path / "causal.json").read_text())
    kept = record["moons"]["silence, named by contribution"]
    assert kept["how"]["first"] == 140
    assert kept["effects"]["named"]["effect"]["low"] > 0.2
    assert record["provenance"]["versions"]["numpy"]
    assert "20 of 20" in page.read_text()
    assert set(record["regbench"]) == {"mosaic", "rotary_transformer"}
    assert record["regbench"]["mosaic"]["silence, named by contribution"]["how"]["first"] == 20
    ratio = _short(found["moons", "remove, named by expected effect"].ratio)
    assert f"{ratio} times as much on RegBench, rotary transformer, {ratio} times as much on three moons." in lead(
        found
    )


def test_too_few_matched_pairs_are_said_to_be_so(tmp_path):
    tables = [made_table(seed).assign(pairs=[2] * count + [0] * (20 - count)) for seed, count in ((0, 9), (1, FEWEST))]
    enough = measured(tables)
    assert (enough.problems, enough.without) == (14, 26)
    few = measured([*tables, made_table(2).assign(pairs=[2] * (FEWEST - 1) + [0] * (21 - FEWEST))])
    assert few == TooFew(18, 42)
    by_kind = {(kind, account): few for kind in ("mosaic", "moons") for account in ACCOUNTS}
    assert lead(by_kind).startswith("Too few problems have matched pairs")
    by_kind["moons", "remove, named by expected effect"] = enough
    assert lead(by_kind).endswith(f"changes the prediction {_short(enough.ratio)} times as much on three moons.")
    page = TraceabilityStudy()._write(by_kind, {}, tmp_path).read_text()
    assert "18 of 60" in page
    assert "too few" in page
    record = json.loads((tmp_path / "causal.json").read_text())
    few_effects = record["regbench"]["mosaic"]["remove, named by expected effect"]["effects"]
    assert few_effects == {"problems": 18, "without": 42}


def kept(monkeypatch, results):
    """Let every job whose name has a word of `results` in it be finished with that result."""

    def result(self, folder):
        return next((found for word, found in results.items() if word in self.name), None)

    monkeypatch.setattr(Job, "result", result)


def test_a_page_is_drawn_again_from_finished_jobs(tmp_path, monkeypatch):
    study, table = TraceabilityStudy(seeds=1), made_table(0).to_dict("list")
    with pytest.raises(DataError, match="8 of 8 jobs are not finished"):
        study.report(tmp_path)
    kept(monkeypatch, {"silence": table, "remove": table, "seed": {"metrics": {"test_loss": 1.0}}})
    assert "20 of 20" in study.report(tmp_path).read_text()
    assert load_study(open_study(tmp_path / "study", study), STUDIES) == study


def test_one_model_on_moons_by_recipe():
    made = parts(heads=1, steps=40)
    assert (made.model.n_heads, made.model.head_width, made.training.steps) == (1, 6, 40)
    assert parts("published").task.clip == 0.5
    with pytest.raises(InputError, match="recipe: expected one of ours, published"):
        parts("hers")


def test_the_job_and_the_page_of_units(jobs, tmp_path):
    made = units_job(TRAINED["mosaic"], 20, 4, 3)
    found = made.compute(jobs, quiet)
    order = found["needed"]["order"]
    assert np.shape(order["change"]) == (4, len(order["groups"]))
    assert len(order["loss"]) == len(order["rows"]) == len(order["groups"])
    assert 0.0 < order["selectivity"]["p_value"] <= 1.0
    assert np.shape(found["told"]["importance"]) == (4, 4)
    assert found["told"]["dealt"]["p_value"] >= 0.25
    interval = {"t_interval": {"estimate": 0.9, "low": 0.85, "high": 0.95, "level": 0.95}}
    entry = dict.fromkeys(("total_variation", "cross_entropy"), interval)
    entry["dfa_accuracy"] = interval | {"lead": {"trigram, back-off": interval}}
    compared = {"baselines": {"state oracle": {"dfa_accuracy": 0.98}}, "models": {"mosaic": entry}}
    trained = {"mosaic": [{"seconds": 1.0, "cpu_seconds": None}] * 2}
    page = write_page(RegBenchUnitsStudy(), compared, trained, {"mosaic": [found, found]}, tmp_path)
    assert "Above the back-off trigram in DFA accuracy with its interval: mosaic" in page.read_text()
    record = json.loads((tmp_path / "units.json").read_text())
    assert record["values"]["mosaic"]["disentanglement"] == [found["told"]["disentanglement"]] * 2
    assert record["t_intervals"]["mosaic"]["order"]["estimate"] == pytest.approx(order["selectivity"]["score"])
    assert json.loads((tmp_path / "laptop.json").read_text())["cost"]["mosaic"][0]["cpu_seconds"] is None


def test_the_jobs_of_the_study_of_units():
    study = RegBenchUnitsStudy(models=("mosaic", "transformer"), seeds=2)
    names = [job.name for job in study.jobs()]
    assert names[:4] == ["mosaic, seed 0", "mosaic, seed 1", "transformer, seed 0", "transformer, seed 1"]
    assert names[4:] == [f"{name}: units" for name in names[:4]]
    assert STUDIES["regbench-units"] is RegBenchUnitsStudy
    assert study._by_model(list("abcd")) == {"mosaic": ["a", "b"], "transformer": ["c", "d"]}


def test_what_the_study_of_units_refuses():
    with pytest.raises(
        InputError, match=r"models: expected one of mosaic, transformer, rotary_transformer; got 'lstm'"
    ):
        RegBenchUnitsStudy(models=("lstm",))
    with pytest.raises(InputError, match="models: expected different models"):
        RegBenchUnitsStudy(models=("mosaic", "mosaic"))
    with pytest.raises(InputError, match="seeds: expected a whole number of at least 2"):
        RegBenchUnitsStudy(seeds=1)
    with pytest.raises(InputError, match="problems: expected at least 256 rows in all, problems times each; got 72"):
        RegBenchUnitsStudy(problems=12, each=6)
    with pytest.raises(InputError, match="each: expected a whole number from 1 to 27"):
        RegBenchUnitsStudy(each=28)
