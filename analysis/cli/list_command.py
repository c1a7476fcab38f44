"""`mosaicbench list`: what there is, one line each."""

from __future__ import annotations

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
    return f"{kind}\n" + "".join(f"  {name:<22} {text}\n" for name, text in entries(kind))


def entries(kind: str) -> list[tuple[str, str]]:
    """(name, first line of its docstring) of every entry of a kind."""
    if kind == "benchmarks":
        from analysis.cli.bench_command import benchmarks

        return sorted((name, text) for name, text in benchmarks().items())
    registry = registry_of(kind)
    needs = {name: getattr(registry[name], "needs", "") for name in registry}
    return [
        (
            name,
            registry.summary(name)
            + (f" (needs {needs[name]})" if isinstance(needs[name], str) and needs[name] else ""),
        )
        for name in registry
    ]


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
