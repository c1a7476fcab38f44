"""The import arrow: toyworlds <- regbench <- mosaics <- analysis, and torch only where it is meant to be."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("toyworlds", "regbench", "mosaics", "analysis")
WITHOUT_TORCH = ("toyworlds", "regbench", "analysis")
TORCH_FREE = ("torch", "safetensors", "triton", "tokenizers", "transformers")
SECONDS_TO_IMPORT = 0.5

REFUSE_TORCH = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {TORCH_FREE!r}:
            raise AssertionError(f"{{name}} was imported")
sys.meta_path.insert(0, Refuse())
"""


def run(code: str, *options: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, *options, "-c", code]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done


def sources(package: str) -> list[Path]:
    paths = sorted((ROOT / package).rglob("*.py"))
    assert paths
    return paths


def imported(tree: ast.AST) -> set[str]:
    """Top-level names of every package that a piece of code imports, anywhere in it."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").partition(".")[0])
    return names


def imported_at_once(tree: ast.Module) -> set[str]:
    """The same without the bodies of functions and of `if TYPE_CHECKING`."""

    class Outside(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            return None

        visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 -- the name that ast asks for

        def visit_If(self, node: ast.If) -> ast.AST | None:
            return None if "TYPE_CHECKING" in ast.dump(node.test) else self.generic_visit(node)

    return imported(Outside().visit(tree))


@pytest.mark.parametrize("package", PACKAGES)
def test_arrows_point_one_way(package: str) -> None:
    later = set(PACKAGES[PACKAGES.index(package) + 1 :])
    for path in sources(package):
        above = imported(ast.parse(path.read_text(encoding="utf-8"))) & later
        assert not above, f"{path.relative_to(ROOT)} imports {above}"


@pytest.mark.parametrize("package", WITHOUT_TORCH)
def test_torch_is_imported_inside_functions_at_most(package: str) -> None:
    for path in sources(package):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found = (imported(tree) if package == "toyworlds" else imported_at_once(tree)) & {*TORCH_FREE}
        assert not found, f"{path.relative_to(ROOT)} imports {found}"


def test_the_check_would_find_a_wrong_import() -> None:
    code = "import a.b\nif TYPE_CHECKING:\n  import c\nif x:\n  from d.e import f\n"
    code += "def g():\n  import h\nclass K:\n  import k"
    assert imported(ast.parse(code)) == {"a", "c", "d", "h", "k"}
    assert imported_at_once(ast.parse(code)) == {"a", "d", "k"}


@pytest.mark.parametrize("package", WITHOUT_TORCH)
def test_a_package_imports_where_torch_is_refused(package: str) -> None:
    run(REFUSE_TORCH + f"import {package}")


@pytest.mark.parametrize("package", WITHOUT_TORCH)
def test_every_module_imports_where_torch_is_refused(package: str) -> None:
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sources(package)]
    run(REFUSE_TORCH + "import importlib\n" + f"for name in {modules!r}: importlib.import_module(name)")


def test_the_refusal_refuses() -> None:
    with pytest.raises(AssertionError, match="torch was imported"):
        run(REFUSE_TORCH + "import torch.nn")


def test_generating_and_verifying_data_works_where_torch_is_refused(tmp_path: Path) -> None:
    code = """
from analysis.cli import run
for words in (["generate", "three_moons", "--train", "5", "--validation", "0", "--out", "moons"],
              ["verify", "moons"], ["inspect", "moons"], ["list", "worlds"]):
    assert run(words) == 0, words
"""
    output = run(REFUSE_TORCH + code, cwd=tmp_path).stdout
    assert "moons: whole (train 5 rows)" in output
    assert "three_moons, version 1, seed 0" in output


@pytest.mark.parametrize("package", WITHOUT_TORCH)
def test_a_package_is_imported_in_half_a_second(package: str) -> None:
    """Best of three, in seconds of the processor, as other work on the machine does not count."""
    code = f"import time; begin = time.process_time(); import {package}; print(time.process_time() - begin)"
    run(code)
    seconds = min(float(run(code).stdout) for _ in range(3))
    assert seconds < SECONDS_TO_IMPORT, slowest_imports(package)


def slowest_imports(package: str) -> str:
    lines = run(f"import {package}", "-X", "importtime").stderr.splitlines()
    times = [(int(match[1]), match[2].strip()) for line in lines if (match := re.match(r".*\|\s*(\d+) \|(.*)", line))]
    return "\n".join(f"{microseconds / 1e6:.3f} s  {name}" for microseconds, name in sorted(times)[-20:])
