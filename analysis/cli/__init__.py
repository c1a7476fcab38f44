"""The command line: `mosaicbench COMMAND [options]`.

Each command is a frozen dataclass with a `run` method in a file of its own; tyro makes its options and its help from
the fields. Everything a command does is a documented Python call of a few lines. Exit status: 0 done, 1 a file,
folder or run is at fault, 2 the command line is; errors are one line on standard error.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Callable, Sequence

from analysis.cli.parse import parse
from toyworlds.core.validate import DataError, InputError, nearest

COMMANDS = {
    "list": "worlds, models, scores, studies and benchmarks, one line each",
    "generate": "write a benchmark dataset into a folder",
    "verify": "recompute the hashes of a dataset folder",
    "inspect": "show what a dataset folder holds; audit two for shared languages",
    "prepare-text": "make token streams of a text, for the language task",
    "train": "train a model and keep the run in a folder",
    "score": "score the disentanglement of trained runs",
    "trace": "show which memories made a prediction",
    "generate-text": "continue a prompt, and show the memories that made each word",
    "study": "run a study: many trainings, one page of results",
    "report": "merge studies into one page with their tables, or draw one study's page again",
    "bench": "measure speed on this machine",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run one command line; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    return status_of(lambda: _dispatch(arguments), "mosaicbench")


def status_of(action: Callable[[], None], program: str) -> int:
    """Do `action`; return the exit status, after one line of `program` on standard error where it failed."""
    try:
        action()
        sys.stdout.flush()
    except InputError as error:
        return _fail(program, error, 2)
    except (DataError, MemoryError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        return _fail(program, error, 1)
    except KeyboardInterrupt:
        return _fail(program, "interrupted; what was finished is kept", 130)
    return 0


def _fail(program: str, error: object, status: int) -> int:
    text = " ".join(str(error).split()) or type(error).__name__
    print(f"{program}: {text}", file=sys.stderr)
    return status


def _dispatch(arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return
    if arguments[0] == "--version":
        print(f"mosaicbench {version()}")
        return
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        hint = nearest(name, COMMANDS)
        known = ", ".join(COMMANDS)
        raise InputError(f"command: expected one of {known}; got {name!r}" + (f" ({hint})" if hint else ""))
    module = importlib.import_module(f"analysis.cli.{name.replace('-', '_')}_command")
    command = module.choose(rest) if hasattr(module, "choose") else parse(module.Command, rest, f"mosaicbench {name}")
    if command is not None:
        command.run()


def version() -> str:
    """Version of the installed distribution."""
    from importlib import metadata

    try:
        return metadata.version("mosaicbench")
    except metadata.PackageNotFoundError:
        return "0 (not installed)"


def usage() -> str:
    """Text of `mosaicbench --help`."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()]
    return (
        "usage: mosaicbench COMMAND [options]\n\n"
        "Toy worlds, Memory Mosaics, and the scores that tell whether memories took a task apart.\n\n"
        + "\n".join(lines)
        + "\n\n`mosaicbench COMMAND --help` explains a command. Start with `mosaicbench study three-moons`."
    )
