"""What `python -m benchmarks.NAME` says when it fails, and its exit status."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.command import Written, configured, run_module
from toyworlds.core.validate import DataError, InputError


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (InputError("model: expected\na mosaic"), 2, "padding: model: expected a mosaic\n"),
        (DataError("runs/a: broken"), 1, "padding: runs/a: broken\n"),
        (FileNotFoundError(2, "No such file", "a.txt"), 1, "padding: [Errno 2] No such file: 'a.txt'\n"),
        (None, 0, ""),
    ],
)
def test_an_error_is_one_line_and_a_status(
    error: Exception | None,
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def main() -> None:
        if error is not None:
            raise error

    monkeypatch.setattr(sys, "argv", ["somewhere/padding.py"])
    with pytest.raises(SystemExit) as stop:
        run_module(main)
    assert stop.value.code == status
    assert capsys.readouterr().err == said


def test_an_error_of_the_program_is_not_hidden() -> None:
    def main() -> None:
        raise KeyError("a")

    with pytest.raises(KeyError):
        run_module(main)


def test_words_of_this_process_or_those_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["padding.py", "--out", "a.json"])
    assert str(configured(Written, None, None).out) == "a.json"
    assert str(configured(Written, ["--out", "b.json"], None).out) == "b.json"
    with pytest.raises(InputError, match="--ot"):
        configured(Written, ["--ot", "b.json"], None)


def test_a_module_that_is_run_says_it_in_one_line() -> None:
    words = ["-m", "benchmarks.story_generation", "--passes", "0"]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("story_generation: passes: expected a whole number of at least 1; got 0")
    assert done.stderr.count("\n") == 1
