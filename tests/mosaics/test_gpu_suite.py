"""The GPU suite: all of it in a dry run where other libraries are refused, its clock, and the compiled kernels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

pytest.importorskip("triton")

from benchmarks.gpu.measure import Context, interleaved
from benchmarks.gpu.summary import lines
from benchmarks.gpu_suite import SECTIONS, OutOfTimeError, Suite, alarm, main
from toyworlds.core.validate import DataError, InputError

ROOT = Path(__file__).resolve().parents[2]
REFUSED = ("tyro", "rich", "pyarrow", "pandas", "scipy", "matplotlib", "safetensors")
REFUSE = f"import sys; sys.modules.update(dict.fromkeys({REFUSED!r}));"
"""None in place of a module makes its import fail."""


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | variables
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_models_and_training_need_no_command_line_or_dataset_library():
    refused = tuple(name for name in REFUSED if name != "safetensors")
    code = f"import sys; sys.modules.update(dict.fromkeys({refused!r}));"
    done = run(code + "import mosaics.catalogue, mosaics.training.population, regbench")
    assert done.returncode == 0, done.stderr


def errors(value):
    """Every text of an error in a JSON value."""
    if isinstance(value, dict):
        return ([value["error"]] if "error" in value else []) + [e for part in value.values() for e in errors(part)]
    return [e for part in value for e in errors(part)] if isinstance(value, list) else []


def test_a_dry_run_goes_through_every_section_with_few_libraries(tmp_path):
    code = (
        f"from benchmarks.gpu_suite import main; main(['--out', {str(tmp_path)!r}, '--dry-run', '--deadline', '900'])"
    )
    done = run(REFUSE + code)
    assert done.returncode == 0, done.stderr
    suite = json.loads((tmp_path / "suite.json").read_text())
    assert suite["dry_run"]
    assert suite["ceilings"].keys() == {"matmul", "copy"}
    for name in SECTIONS:
        assert suite["sections"][name]["state"] == "done", suite["sections"][name]
        section = json.loads((tmp_path / f"{name}.json").read_text())
        assert section["rows"]
        assert not errors(section), errors(section)
        assert section["provenance"]["torch"] == torch.__version__
    assert all(row["passes"] for row in json.loads((tmp_path / "correctness.json").read_text())["rows"])
    assert "retrieval: done" in done.stdout


def test_a_dry_run_trains_on_stories(tmp_path):
    pytest.importorskip("tokenizers")
    code = f"""
if __name__ == "__main__":
    from benchmarks.gpu_suite import main
    main(['--out', {str(tmp_path / "out")!r}, '--dry-run', '--deadline', '900', '--sections', 'stories'])
"""
    (tmp_path / "run.py").write_text(code)
    done = run(f"import runpy; runpy.run_path({str(tmp_path / 'run.py')!r}, run_name='__main__')")
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "out" / "stories.json").read_text())["rows"]
    assert not errors(rows), errors(rows)
    assert [row["what"] for row in rows] == ["tokens", "mosaic", "transformer"]
    assert rows[0]["tokens"] > rows[1]["tokens"] == rows[2]["tokens"] == 2 * 2 * 1500
    assert set(rows[1]["prompts"]) == {"factual", "logical", "consistency"}
    assert "mosaic: 2 steps" in done.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_it_says_so(tmp_path):
    done = run(f"import runpy, sys; sys.argv = ['gpu_suite', '--out', {str(tmp_path / 'out')!r}]; "
               "runpy.run_module('benchmarks.gpu_suite', run_name='__main__')")  # fmt: skip
    assert done.returncode == 1
    said = "gpu_suite: torch finds no CUDA device; --dry-run goes through the suite on a CPU"
    assert done.stderr.strip() == said
    assert not (tmp_path / "out").exists()


def test_bad_words():
    with pytest.raises(InputError, match=r"sections: expected one of correctness, .*did you mean 'retrieval'"):
        main(["--out", "x", "--sections", "retreival"])
    with pytest.raises(InputError, match="deadline"):
        main(["--out", "x", "--deadline", "0"])


@pytest.fixture
def context():
    return Context(torch.device("cpu"), True, time.monotonic() + 60)


def test_candidates_take_turns_and_a_failing_one_is_recorded(context):
    calls = []

    def broken():
        raise ValueError("no such\n  backend")

    def breaks_later():
        if len(calls) > 8:
            raise ValueError("worn out")

    ways = {"a": lambda: calls.append("a"), "b": broken, "c": lambda: calls.append("c"), "d": breaks_later}
    found = interleaved(context, ways, 0.0)
    assert calls == list("aaacccacac")
    assert found["b"] == {"error": "ValueError: no such backend"}
    assert found["d"] == {"error": "ValueError: worn out"}
    assert found["a"]["runs"] == found["c"]["runs"] == 2
    assert found["a"]["low"] <= found["a"]["median"] <= found["a"]["high"]


def test_a_section_that_fails_or_runs_late_leaves_the_others(tmp_path, monkeypatch):
    import benchmarks.gpu.averages
    import benchmarks.gpu.steps

    def fails(context):
        yield {"what": "forward", "shape": [1], "dtype": "torch.float32", "ways": {}}
        raise RuntimeError("out of memory")

    def sleeps(context):
        yield {"length": 1, "tokens_a_second": {}, "ways": {}}
        time.sleep(60)

    monkeypatch.setattr(benchmarks.gpu.averages, "rows", fails)
    monkeypatch.setattr(benchmarks.gpu.steps, "rows", sleeps)
    suite = Suite(tmp_path, ["averages", "steps", "training"], 3, True)
    suite.run()
    states = json.loads((tmp_path / "suite.json").read_text())["sections"]
    assert states["averages"]["state"] == "failed"
    assert states["averages"]["error"] == "RuntimeError: out of memory"
    assert states["steps"]["state"] == "cut short"
    assert states["training"] == {"state": "not begun"}
    assert len(json.loads((tmp_path / "steps.json").read_text())["rows"]) == 1
    assert any("not begun" in line for line in lines(tmp_path))


def test_the_alarm_is_put_back():
    with pytest.raises(OutOfTimeError), alarm(0.01):
        time.sleep(5)
    time.sleep(0.02)
    with alarm(60):
        pass


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"suite\.json: cannot be read as a result of the GPU suite"):
        list(lines(tmp_path))


def compiled(widths, dtypes):
    code = f"""
import json
from benchmarks.leaky_compiled import rows
print(json.dumps(list(rows({widths}, {dtypes}))))
"""
    done = run(code, TRITON_INTERPRET="0")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def fits(found):
    """Registers suffice, and two programs share a multiprocessor (227 KiB of shared memory); the widest less so."""
    for row in found:
        wide = row["width"] > 128
        assert row["stack"] <= (16 if wide else 0), row
        assert row["shared"] <= (227 if wide else 113) * 1024, row


needs_compiler = pytest.mark.skipif(sys.platform != "linux", reason="Triton's compiler is for Linux")


@needs_compiler
def test_the_main_kernels_compile_for_hopper():
    found = compiled((64,), ("bfloat16",))
    assert len(found) == 8
    fits(found)


@needs_compiler
@pytest.mark.slow
def test_the_smallest_and_the_widest_kernels_compile_for_hopper():
    found = compiled((16, 256), ("float16", "float32"))
    assert len(found) == 32
    fits(found)
