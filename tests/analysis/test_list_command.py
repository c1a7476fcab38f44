"""`mosaicbench list` where torch is missing: everything else is listed, and what models need is said."""

import importlib.util

import pytest

from analysis.cli import run


@pytest.fixture
def no_torch(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else found(name, *rest)
    )


@pytest.mark.usefixtures("no_torch")
def test_the_rest_is_listed_without_torch(capsys):
    assert run(["list"]) == 0
    said = capsys.readouterr().out
    assert "models\n  torch is needed to list the models; install it with: pip install 'mosaicbench[train]'" in said
    assert all(word in said for word in ("three_moons", "dci_completeness", "regbench-classical", "regbench_law"))


@pytest.mark.usefixtures("no_torch")
def test_models_alone_are_refused_without_torch(capsys):
    assert run(["list", "models"]) == 1
    assert "torch is needed to list the models" in capsys.readouterr().err


def test_models_are_listed_with_torch(capsys):
    assert run(["list", "models"]) == 0
    said = capsys.readouterr().out
    assert "  mosaic_v2 " in said
    assert said.index("  mosaic ") < said.index("(needs transformers)")


def test_a_terminal_gets_lines_that_fit(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert run(["list"]) == 0
    piped = capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert run(["list"]) == 0
    fitted = capsys.readouterr().out
    assert max(map(len, piped.splitlines())) > 100
    assert max(map(len, fitted.splitlines())) < 60
    assert fitted.split() == piped.split()
