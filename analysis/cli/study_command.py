"""`mosaicbench study NAME`: run a study; the same command again continues it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import tyro

from analysis.cli.list_command import entries, registry_of
from analysis.cli.need import need
from analysis.cli.parse import parse
from toyworlds.core.validate import choice

EXTRAS = {"torch": "train", "aalpy": "grammar"}
"""The extra that installs a package."""


def choose(arguments: list[str]) -> Any:
    """Pick the study by the first word, then parse its options and run it."""
    studies = registry_of("studies")
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: mosaicbench study NAME [--preset NAME] [--out DIR] [options]\n\nMany trainings, one page.\n")
        print("\n".join(f"  {name:<18} {text}" for name, text in entries("studies")))
        print("\n`mosaicbench study NAME --help` explains the options of a study.")
        return
    name = choice("study", arguments[0], studies)
    presets = studies[name].presets()
    words, default = take_preset(arguments[1:], presets)
    where = Path("out") / name
    command = command_class(studies[name], default, where, presets)
    parsed = parse(command, words, f"mosaicbench study {name}")
    for package in getattr(studies[name], "needs", ("torch",)):
        need(package, EXTRAS[package], f"run the study {name}")
    page = parsed.study.run(parsed.out)
    print(f"page: {page.resolve()}")


def take_preset(words: list[str], presets: dict[str, Any]) -> tuple[list[str], Any]:
    """Take `--preset NAME` out of the words; the first preset but `demo` and `quick` is the default."""
    if "--preset" in words[:-1]:
        place = words.index("--preset")
        return words[:place] + words[place + 2 :], presets[choice("--preset", words[place + 1], presets)]
    usual = [preset for preset in presets if preset not in ("demo", "quick")]
    return words, presets[usual[0] if usual else next(iter(presets))]


def command_class(study_class: type[Any], default: Any, out: Path, presets: dict[str, Any]) -> type[Any]:
    """Return the dataclass of the command for one study: `out`, then the study's options."""
    where = Annotated[Path, tyro.conf.arg(help="Folder of the study; one that holds the same study is continued.")]
    options: Any = Annotated[study_class, tyro.conf.arg(name="")]
    fields: list[Any] = [
        ("out", where, dataclasses.field(default=out)),
        ("study", options, dataclasses.field(default=default)),
    ]
    command = dataclasses.make_dataclass("Study", fields, frozen=True)
    first = (study_class.__doc__ or "").partition("\n")[0]
    command.__doc__ = f"{first}\n\nPresets (--preset NAME): {', '.join(presets)}."
    return command
