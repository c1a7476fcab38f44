"""`mosaicbench prepare-text --out DIR`: make token streams of a corpus, for the language task."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import tyro

from analysis.cli.need import need
from analysis.cli.parse import parse
from analysis.cli.text_folder import describe_text


def choose(arguments: list[str]) -> Any:
    """Parse the options of the command."""
    need("torch", "train", "prepare text for a model")
    from mosaics.text import PrepareConfig

    where = Annotated[Path, tyro.conf.arg(help="Folder to write; it must not exist.")]
    options: Any = Annotated[PrepareConfig, tyro.conf.arg(name="")]
    fields: list[Any] = [("out", where), ("options", options)]
    command = dataclasses.make_dataclass("PrepareText", fields, frozen=True, namespace={"run": prepare})
    command.__doc__ = "Make token streams of a text (--train), or of the story world (--stories)."
    return parse(command, arguments, "mosaicbench prepare-text")


def prepare(command: Any) -> None:
    """Write the folder and say what it holds."""
    from mosaics.text import prepare_text

    print(describe_text(prepare_text(command.options, command.out).path))
