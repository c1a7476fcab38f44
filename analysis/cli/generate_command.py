"""`mosaicbench generate WORLD`: write a benchmark dataset into a folder."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from analysis.cli.list_command import entries, lines, registry_of
from analysis.cli.parse import parse
from toyworlds.core.progress import Progress
from toyworlds.core.storage import write_dataset
from toyworlds.core.validate import choice, integer
from toyworlds.world import World

DEFAULT_ROWS = {"train": 1000}
OTHER_ROWS = 100


@dataclass(frozen=True)
class Command:
    """What every world's generate command shares; the rows of each split and the world's options are added."""

    out: Path
    """Folder to write; it must not exist."""
    seed: int = 0
    """Seed of all random choices."""
    workers: int = 0
    """Files written at a time; 0 for one a core. The content does not depend on it."""

    def run(self) -> None:
        """Write the dataset and say what it is."""
        world: World = self.world  # type: ignore[attr-defined]
        counts = {split: integer(split, getattr(self, split), 0) for split in world.splits()}
        counts = {split: count for split, count in counts.items() if count}
        workers = integer("workers", self.workers, 0) or None
        with Progress(f"generate {world.name}", sum(counts.values()), "rows") as progress:
            data = write_dataset(world, self.seed, counts, self.out, workers=workers, progress=progress.advance)
        for split, entry in data.manifest["splits"].items():
            print(f"{self.out}/{split}: {entry['rows']:,} rows, content SHA-256 {entry['sha256'][:16]}...")


def choose(arguments: list[str]) -> Any:
    """Pick the world by the first word, then parse its options."""
    worlds = registry_of("worlds")
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: mosaicbench generate WORLD --out DIR [options]\n\nWrite a benchmark dataset into a folder.\n")
        print(lines(entries("worlds")))
        print("\n`mosaicbench generate WORLD --help` explains the options of a world.")
        return None
    name = choice("world", arguments[0], worlds)
    world_class = worlds[name]
    return parse(command_class(world_class), arguments[1:], f"mosaicbench generate {name}")


def command_class(world_class: type[Any]) -> type[Any]:
    """Return the dataclass of `mosaicbench generate` for one world: rows of each split, then the world's options."""
    default: World = world_class()
    fields: list[tuple[str, Any, Any]] = []
    for split in default.splits():
        rows = DEFAULT_ROWS.get(split, OTHER_ROWS)
        kind = tyro.conf.arg(help=f"Rows of the split {split}; 0 to leave it out.")
        fields.append((split, Annotated[int, kind], dataclasses.field(default=rows)))
    options = tyro.conf.arg(name="", help="")
    fields.append(("world", Annotated[world_class, options], dataclasses.field(default=default)))
    command = dataclasses.make_dataclass("Generate", fields, bases=(Command,), frozen=True)
    command.__doc__ = f"Write a dataset of {default.name} into a folder."
    return command
