"""`mosaicbench list`: what there is, one line each."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import tyro

from toyworlds.core.registry import Registry
from toyworlds.core.validate import DataError, choice

KINDS = ("worlds", "models", "scores", "studies", "benchmarks")


@dataclass(frozen=True)
class Command:
    """List worlds, models, scores, studies and benchmarks."""

    kind: Annotated[str, tyro.conf.Positional] = "all"
    """One of worlds, models, scores, studies, benchmarks; or all."""

    def run(self) -> None:
        """Print the lists."""
        choice("kind", self.kind, (*KINDS, "all"))
        if self.kind != "all":
            print(shown(self.kind))
            return
        for kind in KINDS:
            try:
                print(shown(kind))
            except DataError as error:
                print(f"{kind}\n  {error}\n")


def shown(kind: str) -> str:
    """Lines of a kind under its name; a DataError where a package is missing that the kind needs."""
    return f"{kind}\n{lines(entries(kind))}\n"


def lines(named: Iterable[tuple[str, str]]) -> str:
    """Names in a column and texts beside them: wrapped on a terminal, one line each where the output is piped."""
    named = list(named)
    column = max(len(name) for name, _ in named)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    return "\n".join(
        textwrap.fill(
            text, max(width - 1, column + 30), initial_indent=f"  {name:<{column}}  ",
            subsequent_indent=" " * (column + 4), break_on_hyphens=False,
        )
        for name, text in named
    )  # fmt: skip


def entries(kind: str) -> list[tuple[str, str]]:
    """(name, first line of its docstring) of every entry of a kind; what needs another package comes last.

    The docstring of a score opens with its equation, which is left out here.
    """
    if kind == "benchmarks":
        from analysis.cli.bench_command import benchmarks

        return sorted((name, text) for name, text in benchmarks().items())
    registry = registry_of(kind)
    if kind == "scores":
        return [(name, registry.summary(name).rpartition(": ")[2]) for name in registry]
    needs = {name: getattr(registry[name], "needs", "") for name in registry}
    needs = {name: f" (needs {need})" if isinstance(need, str) and need else "" for name, need in needs.items()}
    ordered = sorted(registry, key=lambda name: bool(needs[name]))
    return [(name, registry.summary(name) + needs[name]) for name in ordered]


def registry_of(kind: str) -> Registry:
    """Return the registry of a kind, with everything registered."""
    if kind == "worlds":
        import regbench  # noqa: F401  (registers its world)
        from toyworlds import WORLDS

        return WORLDS
    if kind == "scores":
        from analysis.scores import SCORES

        return SCORES
    if kind == "studies":
        from analysis.studies.catalogue import STUDIES

        return STUDIES
    from analysis.cli.need import need

    need("torch", "train", "list the models")
    from mosaics.catalogue import MODELS

    return MODELS
