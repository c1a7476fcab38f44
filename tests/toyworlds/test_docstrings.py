from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import toyworlds

MODULES = [module.name for module in pkgutil.walk_packages(toyworlds.__path__, "toyworlds.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_hold(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_there_are_examples() -> None:
    found = [test for name in MODULES for test in doctest.DocTestFinder().find(importlib.import_module(name))]
    assert sum(len(test.examples) for test in found) > 10
