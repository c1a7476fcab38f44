"""The command line: help that a newcomer understands, one-line errors with the right status, nothing lost."""

import json
from pathlib import Path

import pytest

from analysis.cli import COMMANDS, run
from analysis.cli.parse import parse
from toyworlds.core.storage import open_dataset

MOONS = "generate three_moons --out OUT/new --train 3 --validation 0 "
WRONG_USAGE = [
    "lst",
    "geneate three_moons",
    "--versoin",
    "three_moons",
    "generate three_mons --out OUT/new",
    "generate moons",
    "generate three_moons",
    "generate three_moons --train 3",
    "generate three_moons --out",
    MOONS + "--trian 4",
    MOONS + "--train x",
    MOONS + "--train 3.5",
    MOONS + "--train -1",
    MOONS + "--seed -1",
    MOONS + "--seed one",
    MOONS + "--length 1",
    MOONS + "--length 0",
    MOONS + "--length -5",
    MOONS + "--length many",
    MOONS + "--time-step 0",
    MOONS + "--time-step -0.1",
    MOONS + "--time-step nan",
    MOONS + "--time-step inf",
    MOONS + "--start both",
    MOONS + "--start",
    MOONS + "--observer mars",
    MOONS + "--mixing some",
    MOONS + "--noise -0.5",
    MOONS + "--noise nan",
    MOONS + "--missing-stretches -1",
    MOONS + "--missing-length 0",
    MOONS + "--missing-stretches 1 --missing-length 9999",
    MOONS + "--missing-stretches 1 --length 10 --missing-length 11",
    MOONS + "--eccentricities 0.1",
    MOONS + "--eccentricities 0.1 0.2 1.5",
    MOONS + "--eccentricities 0.1 0.2 -0.1",
    MOONS + "--eccentricities a b c",
    MOONS + "--train-periods",
    MOONS + "--train-periods 1,2,0",
    MOONS + "--train-periods -1,2,3",
    MOONS + "--train-periods 1,2,x",
    MOONS + "--train-periods 1,2",
    MOONS + "--train-periods nan,1,2",
    MOONS + "--held-out-periods 1",
    MOONS + "--held-out-periods ,",
    MOONS + "--start-range 0",
    MOONS + "--start-range -3",
    MOONS + "--phase-offset inf",
    MOONS + "--phase-offset x",
    MOONS + "--workers -1",
    MOONS + "--workers x",
    MOONS + "--out OUT/full",
    "generate three_moons --out OUT/full --train 3",
    "generate three_moons --out OUT/file --train 3",
    "generate three_moons --out OUT/file/below --train 3",
    "generate three_moons --out OUT/new --train 0 --validation 0",
    MOONS + "extra words",
    MOONS + "--preset laptop",
    "generate regbench --out OUT/new --states 0 5",
    "generate regbench --out OUT/new --preset",
    "generate regbenhc --out OUT/new",
    "verify",
    "verify --deep OUT/full",
    "inspect",
    "inspect OUT/full --rows -1",
    "inspect OUT/full --rows x",
    "inspect --audit",
    "list planets",
    "list worlds models",
    "list --kind worlds",
    "train mons --out OUT/new",
    "train moons",
    "train moons --out OUT/new --heads 2",
    "train moons --out OUT/new --steps 0",
    "train moons --out OUT/new --steps -1",
    "train moons --out OUT/new --recipe best",
    "train moons --out OUT/new --linear curved",
    "train moons --out OUT/new --seed -1",
    "train moons --out OUT/new --seed x",
    "train moons --out OUT/new --threads -1",
    "train moons --out OUT/new --checkpoint-every 0",
    "train moons --out OUT/new --device tpu",
    "train moons --out OUT/new --dtype int8",
    "train moons --out OUT/file",
    "train regbench --out OUT/new --model transfomer",
    "train regbench --out OUT/new --preset tiny",
    "train regbench --out OUT/new --steps 0",
    "train regbench --out OUT/new --train-size 100",
    "train regbench --out OUT/new --epochs 3",
    "train regbench --out OUT/new --preset published --steps 10",
    "score",
    "score --what OUT/full",
    "study three-mons --out OUT/new",
    "study three-moons --preset fast --out OUT/new",
    "study three-moons --seeds 0 --out OUT/new",
    "study three-moons --seeds -2 --out OUT/new",
    "study three-moons --steps 1 --out OUT/new",
    "study three-moons --mixing none --out OUT/new",
    "study three-moons --workers -1 --out OUT/new",
    "study three-moons --out OUT/full",
    "study three-moons --out OUT/file",
    "study three-moons --sedes 3 --out OUT/new",
    "report",
    "report --all",
    "bench",
    "bench retrieval_cup",
    "bench nothing",
    "bench story_statistics --out OUT/new --parts prompts --count 0",
    "bench story_statistics --out OUT/new --parts prompt",
    "bench story_generation --passes 0",
    "bench story_answers --run OUT/new --facts 0",
    "bench story_answers --run OUT/new --model lstm",
    "bench binding --run OUT/new --only mosaic",
]
FAILURES = [
    "verify OUT/nowhere",
    "verify OUT/empty",
    "verify OUT/file",
    "verify OUT/broken",
    "verify OUT/foreign",
    "inspect OUT/nowhere",
    "inspect OUT/broken",
    "inspect OUT/foreign",
    "score OUT/nowhere",
    "score OUT/empty",
    "score OUT/full",
    "report OUT/nowhere",
    "report OUT/empty",
    "report OUT/full",
    "report OUT/half",
]
HELPFUL = {"bench"}
"""Commands that print their usage instead when called without words."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a dataset, a file, an empty folder, and damaged or foreign folders."""
    out = tmp_path_factory.mktemp("cli")
    assert run(["generate", "three_moons", "--out", str(out / "full"), "--train", "3", "--validation", "2"]) == 0
    (out / "file").write_text("not a folder")
    (out / "empty").mkdir()
    (out / "broken").mkdir()
    (out / "broken" / "manifest.json").write_text('{"format": "mosaicbench dataset", "schema_ver')
    (out / "foreign").mkdir()
    (out / "foreign" / "manifest.json").write_text('{"format": "something else"}')
    (out / "half").mkdir()
    (out / "half" / "study.json").write_text('{"study": "three-moons", "config": {"seeds": 1}}')
    return out


def listing(place):
    return {path: path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}


def said(line, place, capsys):
    before = listing(place)
    capsys.readouterr()
    status = run(line.replace("OUT", str(place)).split())
    output = capsys.readouterr()
    assert listing(place) == before, "a refused command wrote or changed a file"
    return status, output.out, output.err


def test_there_are_a_hundred_wrong_command_lines():
    assert len(set(WRONG_USAGE)) >= 100


@pytest.mark.parametrize("line", WRONG_USAGE)
def test_a_wrong_command_line_is_one_line_and_status_2(line, place, capsys):
    if line.split()[0] in HELPFUL and len(line.split()) == 1:
        pytest.skip("prints its usage")
    status, out, err = said(line, place, capsys)
    assert status == 2, err
    assert out == ""
    assert err.startswith("mosaicbench: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err


@pytest.mark.parametrize("line", FAILURES)
def test_a_failure_names_its_file_in_one_line_with_status_1(line, place, capsys):
    status, _, err = said(line, place, capsys)
    assert status == 1, err
    assert err.count("\n") == 1
    assert str(place) in err


def test_the_nearest_word_is_named(place, capsys):
    for line, near in (
        ("lst", "list"),
        ("generate three_mons --out x", "three_moons"),
        (MOONS + "--trian 4", "--train"),
        ("train moons --out OUT/new --recipe publishd", "published"),
        ("study three-moon", "three-moons"),
    ):
        assert near in said(line, place, capsys)[2]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (MOONS + "--train x", "--train: expected a whole number; got 'x'"),
        ("generate stories --out OUT/new --train -3", "train: expected a whole number of at least 0; got -3"),
        (MOONS + "--workers -1", "workers: expected a whole number of at least 0; got -1"),
        (MOONS + "--noise x", "--noise: expected a number; got 'x'"),
        (MOONS + "--mixing general_", "--mixing: expected one of none, orthogonal, general; got 'general_'"),
        ("study three-moons --engine rya", "mosaicbench: engine: expected one of local, ray; got 'rya' (did you mean"),
        ("score OUT/full --out OUT/nowhere/a.json", "out: expected a file in a folder that exists; got '"),
        ("generate-text OUT/full --prompt a --tokens 0", "tokens: expected a whole number of at least 1; got 0"),
    ],
)
def test_what_was_expected_and_what_came(line, expected, place, capsys):
    status, _, err = said(line, place, capsys)
    assert status == 2
    assert expected in err


def test_help_and_version(capsys):
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in COMMANDS)
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("mosaicbench ")
    for name in ("generate", "study", "train"):
        assert run([name, "--help"]) == 0
        assert "usage: mosaicbench" in capsys.readouterr().out


def test_a_benchmark_has_help_and_writes_only_where_asked(capsys):
    with pytest.raises(SystemExit) as stop:
        run(["bench", "regbench_law", "--help"])
    assert not stop.value.code
    shown = capsys.readouterr().out
    assert shown.startswith("usage: mosaicbench bench [-h]")
    assert "The law of our languages" in shown
    assert "--out" in shown
    assert run(["bench", "regbench_law", "--ouut", "x"]) == 2
    assert "--ouut" in capsys.readouterr().err


def test_the_readme_s_first_commands(tmp_path, capsys):
    folder = tmp_path / "my_moons"
    assert run(f"generate three_moons --train 5 --validation 2 --mixing orthogonal --out {folder}".split()) == 0
    assert run(["verify", str(folder)]) == 0
    assert "whole (train 5 rows, validation 2 rows)" in capsys.readouterr().out
    assert run(["inspect", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "'mixing': 'orthogonal'" in shown
    assert max(map(len, shown.splitlines()[1:])) < 100
    assert open_dataset(folder).world.mixing == "orthogonal"


def test_periods_are_written_with_commas(tmp_path):
    words = f"generate three_moons --train 2 --validation 1 --out {tmp_path / 'd'}"
    assert run([*words.split(), *["--train-periods", "1,2", "2,3", "--held-out-periods", "1,3"]]) == 0
    config = json.loads((tmp_path / "d" / "manifest.json").read_text())["config"]
    assert config["train_periods"] == [[1.0, 2.0], [2.0, 3.0]]
    assert config["held_out_periods"] == [[1.0, 3.0]]


def test_token_streams_are_verified_and_described(tmp_path, capsys):
    folder = tmp_path / "text"
    assert run(["prepare-text", "--out", str(folder), "--stories", "40", "--tokenizer", "characters"]) == 0
    assert run(["verify", str(folder)]) == 0
    assert "whole (train" in capsys.readouterr().out
    assert run(["inspect", str(folder)]) == 0
    assert "40 documents" in capsys.readouterr().out
    assert run(["inspect", str(folder), "--audit"]) == 1
    assert "expected a dataset of languages (generate regbench); got token streams" in capsys.readouterr().err
    stream = bytearray((folder / "train.bin").read_bytes())
    stream[100] ^= 1
    (folder / "train.bin").write_bytes(stream)
    assert run(["verify", str(folder)]) == 1
    assert "train.bin: damaged" in capsys.readouterr().err


def test_verify_finds_a_changed_number(tmp_path, capsys):
    folder = tmp_path / "data"
    run(f"generate three_moons --train 5 --validation 0 --out {folder}".split())
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["splits"]["train"]["sha256"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))
    capsys.readouterr()
    assert run(["verify", str(folder)]) == 1
    assert "manifest.json" in capsys.readouterr().err


def test_parse_returns_the_dataclass():
    from analysis.cli.verify_command import Command

    assert parse(Command, ["a", "b"], "mosaicbench verify").folders == (Path("a"), Path("b"))
