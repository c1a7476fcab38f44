"""`mosaicbench prepare-text --out DIR`: make token streams of a corpus, for the language task."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import tyro

from analysis.cli.need import need
from analysis.cli.parse import parse


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

    manifest = prepare_text(command.options, command.out).manifest
    tokenizer, found = manifest["tokenizer"], manifest["duplicates"]
    print(f"{command.out}: {tokenizer['kind']} tokenizer, {tokenizer['vocabulary']:,} tokens")
    for split, entry in manifest["splits"].items():
        rate = entry["bytes"] / entry["tokens"]
        print(f"  {split:<11} {entry['documents']:,} documents, {entry['tokens']:,} tokens, {rate:.2f} bytes a token")
    print(
        f"  of {found['documents']:,} validation documents {found['exact']:,} are in the training text, "
        f"{found['near']:,} share half of their {found['run']}-word runs with it (mean {found['shared']:.1%})"
    )
