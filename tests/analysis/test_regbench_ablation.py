"""The ablation study, small: its arms, paired differences, page."""

import dataclasses

import pandas as pd
import pytest
from scipy import stats

from analysis.studies.regbench_ablation import MOSAIC, V2, RegBenchAblationStudy
from analysis.studies.regbench_ablation_page import differ
from mosaics.sizes import count
from toyworlds.core.validate import DataError, InputError

STUDY = RegBenchAblationStudy(
    size=8, width=32, heads=2, depth=1, depths=(1,), steps=2, seeds=2, batch_size=4, learning_rates=(1e-3,),
    evaluations=1, validation_size=4, test_size=5, workers=1,
)  # fmt: skip


def test_every_arm_changes_one_option_and_keeps_the_size():
    arms = {name: config for name, _, config in RegBenchAblationStudy(depths=(1, 2, 3)).arms()}
    for base, options in (("mosaic", MOSAIC), ("v2", V2)):
        for name, changed in options.items():
            before, after = dataclasses.asdict(arms[base]), dataclasses.asdict(arms[name])
            different = {field for field in after if after[field] != before[field]}
            sizes = {"persistent_size", "feedforward_size", "hidden_size"} | ({"width"} & {arms[name].size_field})
            assert different - sizes == set(changed)
    target = count(arms["mosaic"])
    for name in (*MOSAIC, *V2):
        assert count(arms[name]) == pytest.approx(target, rel=0.01)
    for depth in (1, 3):
        both = [count(arms[f"{model}, depth {depth}"]) for model in ("mosaic", "transformer")]
        assert both[0] == pytest.approx(both[1], rel=0.01)
    assert len(arms) == len(MOSAIC) + len(V2) + 2 + 3


def test_differences_are_paired_by_seed():
    runs = [("mosaic", 0, 0.5), ("mosaic", 1, 0.7), ("v2", 0, 0.5), ("v2", 1, 0.5)]
    runs += [(arm, seed, value) for arm in list(MOSAIC)[1:] for seed, value in ((1, 0.6), (0, 0.2))]
    runs += [(arm, seed, 0.5) for arm in list(V2)[1:] for seed in (0, 1)]
    table = pd.DataFrame(runs, columns=["variant", "seed", "excess"]).assign(dfa_accuracy=0.5, total_variation=0.5)
    line = differ(table).query("arm == 'no peek' and measure == 'excess'").iloc[0]
    assert line["mean"] == pytest.approx(-0.2)  # -0.3 and -0.1
    assert line["high"] - line["mean"] == pytest.approx(stats.t.ppf(0.975, 1) * 0.1)


def test_the_study_writes_its_page(tmp_path):
    page = STUDY.run(tmp_path / "study").read_text()
    assert "By excess cross-entropy, with 95 % t intervals over 2 seeds" in page
    assert page.count("data:image/png;base64,") == 2
    table = STUDY.table(tmp_path / "study")
    assert set(table["model"]) == {*MOSAIC, *V2, "transformer, depth 1"}
    assert len(table) == 2 * (len(MOSAIC) + len(V2) + 1)
    with pytest.raises(DataError, match="not finished"):
        dataclasses.replace(STUDY, seeds=3).report(tmp_path / "study")


@pytest.mark.parametrize("options", [{"depths": ()}, {"depths": (2, 2)}, {"size": 0}, {"learning_rates": (-1.0,)}])
def test_bad_options(options):
    with pytest.raises(InputError, match=next(iter(options))):
        RegBenchAblationStudy(**options)
