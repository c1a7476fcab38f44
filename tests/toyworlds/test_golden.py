"""The bytes hold across NumPy versions and processor instructions; the hashes are in tests/data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests" / "toyworlds" / "golden.py"
OTHER_NUMPY = "2.1.3" if sys.version_info >= (3, 13) else "1.26.4" if np.__version__ > "2" else "2.2.6"


def run(python: str | Path, script: Path = SCRIPT, status: int = 0, **environment: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    done = subprocess.run([python, script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_golden_hashes_hold() -> None:
    assert "12 of 12" in run(sys.executable)


def test_golden_hashes_hold_without_vector_instructions() -> None:
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    assert "12 of 12" in run(sys.executable, NPY_DISABLE_CPU_FEATURES=" ".join(found))


def test_a_wrong_hash_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "tests" / "toyworlds"
    folder.mkdir(parents=True)
    (tmp_path / "tests" / "data").mkdir()
    entries = json.loads((ROOT / "tests" / "data" / "golden_three_moons.json").read_text(encoding="utf-8"))
    entry = entries["one moon"]
    entry["seed"] += 1
    (tmp_path / "tests" / "data" / "golden_three_moons.json").write_text(json.dumps({"one moon": entry}))
    (folder / "golden.py").write_text(SCRIPT.read_text(encoding="utf-8"))
    assert "0 of 1 golden hashes hold one moon" in run(sys.executable, folder / "golden.py", status=1)


@pytest.mark.slow
def test_golden_hashes_hold_for_another_numpy(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    wanted = ["--quiet", "--only-binary", ":all:", f"numpy=={OTHER_NUMPY}"]
    installed = subprocess.run([python, "-m", "pip", "install", *wanted], capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"numpy {OTHER_NUMPY} cannot be installed here: {installed.stderr.splitlines()[-1]}")
    assert run(python) == f"NumPy {OTHER_NUMPY}: 12 of 12 golden hashes hold\n"
