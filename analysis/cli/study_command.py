"""`mosaicbench study NAME`: run a study; the same command again continues it. `study status DIR`: how far it is."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import tyro

from analysis.cli.list_command import entries, lines, registry_of
from analysis.cli.need import need
from analysis.cli.parse import parse
from analysis.engines import ENGINES, Shard, UnfinishedError, using
from analysis.studies.folder import read_study
from toyworlds.core.registry import Registry
from toyworlds.core.validate import DataError, InputError, choice, integer, real

EXTRAS = {"torch": "train", "aalpy": "grammar"}
"""The extra that installs a package."""
USAGE = """usage: mosaicbench study NAME [--preset NAME] [--out DIR] [options]
       mosaicbench study FILE.py [...]
       mosaicbench study status DIR [--json]

Many trainings, one page. The same command again continues what was interrupted; a finished study computes nothing.
A file of your own that registers a study is run like those of the list (docs/studies.md).
"""
WHERE = "Folder of the study; one that holds the same study is continued."
ENGINE = f"What runs the jobs: {' or '.join(ENGINES)}."
SHARD = "K/N: only the K-th of N shares of the jobs, for a batch scheduler; the page is built when all are done."
GPUS = "GPUs that a job takes, 0.25 for four jobs on one; 0: jobs share what there is."


def choose(arguments: list[str]) -> Any:
    """Pick the study by the first word, then parse its options and run it."""
    if arguments[:1] == ["status"]:
        parse(StatusCommand, arguments[1:], "mosaicbench study status").run()
        return
    studies = registry_of("studies")
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        print(lines(entries("studies")))
        print("\n`mosaicbench study NAME --help` explains the options of a study.")
        return
    own = arguments[0].endswith(".py")
    name = study_of_file(Path(arguments[0]), studies) if own else choice("study", arguments[0], studies)
    presets = studies[name].presets()
    words, default = take_preset(arguments[1:], presets)
    where = Path("out") / name
    command = command_class(studies[name], default, where, presets)
    parsed = parse(command, words, f"mosaicbench study {name}")
    for package in getattr(studies[name], "needs", ("torch",)):
        need(package, EXTRAS[package], f"run the study {name}")
    run(parsed)


def run(command: Any) -> None:
    """Run the parsed study; print where its page is, or how far the whole is after one shard."""
    shard = Shard.of(command.shard)
    if command.engine == "ray":
        need("ray", "cluster", "run jobs on a Ray cluster")
    with using(engine=command.engine, shard=shard, gpus=command.gpus):
        try:
            page = command.study.run(command.out)
        except UnfinishedError as unfinished:
            print(unfinished)
            return
    if hasattr(command.study, "table"):
        from analysis.report.table import write_table

        write_table(command.study.table(command.out), command.out)
    print(f"page: {page.resolve()}")


def study_of_file(path: Path, studies: Registry) -> str:
    """Import a Python file and return the name of the one study that it registers."""
    if not path.is_file():
        raise InputError(f"study: expected a Python file that registers a study; got {str(path)!r}, which is no file")
    before = set(studies)
    with contextlib.suppress(ValueError):
        sys.path.remove(str(path.parent.resolve()))
    sys.path.insert(0, str(path.parent.resolve()))
    module = _imported(path.resolve())
    found = [name for name in studies if name not in before or studies[name].__module__ == module.__name__]
    if Path(str(module.__file__)).resolve() != path.resolve():
        raise InputError(f"study: {path.stem!r} is the name of another module ({module.__file__}); rename the file")
    if len(found) != 1:
        raise InputError(f"study: expected a file that registers one study; {path} registers {found or 'none'}")
    return found[0]


def _imported(path: Path) -> ModuleType:
    """Import the module of the file's name; a DataError names the line that stopped it."""
    try:
        return importlib.import_module(path.stem)
    except (InputError, DataError):
        raise
    except SyntaxError as error:
        where, said = f"{error.filename or path}, line {error.lineno or 1}", f"{type(error).__name__}: {error.msg}"
    except Exception as error:  # whatever the file of another raises
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        where, said = f"{path}" + (f", line {lines[-1]}" if lines else ""), f"{type(error).__name__}: {error}"
    raise DataError(f"{where}: {' '.join(said.split())}")


def take_preset(words: list[str], presets: dict[str, Any]) -> tuple[list[str], Any]:
    """Take `--preset NAME` or `--preset=NAME` out of the words; the first but `demo` and `quick` is the default."""
    for place, word in enumerate(words):
        option, equals, name = word.partition("=")
        if option == "--preset" and (equals or words[place + 1 :]):
            rest = words[place + 1 :] if equals else words[place + 2 :]
            return words[:place] + rest, presets[choice("--preset", name if equals else words[place + 1], presets)]
    usual = [preset for preset in presets if preset not in ("demo", "quick")]
    return words, presets[usual[0] if usual else next(iter(presets))]


def command_class(study_class: type[Any], default: Any, out: Path, presets: dict[str, Any]) -> type[Any]:
    """Return the dataclass of the command for one study: where and how to run, then the study's options."""
    options: Any = Annotated[study_class, tyro.conf.arg(name="")]
    fields: list[Any] = [
        ("out", Annotated[Path, tyro.conf.arg(help=WHERE)], dataclasses.field(default=out)),
        ("engine", Annotated[str, tyro.conf.arg(help=ENGINE)], dataclasses.field(default="local")),
        ("shard", Annotated[str, tyro.conf.arg(help=SHARD)], dataclasses.field(default="1/1")),
        ("gpus", Annotated[float, tyro.conf.arg(help=GPUS)], dataclasses.field(default=0.0)),
        ("study", options, dataclasses.field(default=default)),
    ]
    command = dataclasses.make_dataclass("Study", fields, frozen=True, namespace={"__post_init__": _checked})
    first = (study_class.__doc__ or "").partition("\n")[0]
    command.__doc__ = f"{first}\n\nPresets (--preset NAME): {', '.join(presets)}."
    return command


def _checked(self: Any) -> None:
    choice("engine", self.engine, ENGINES)
    Shard.of(self.shard)
    real("gpus", self.gpus, 0.0)


@dataclass(frozen=True)
class StatusCommand:
    """Show how far a study is: done, running, failed with the last line of the error, remaining, time left."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Folder of a study, running or not."""
    json: bool = False
    """Print one JSON object instead of tables."""
    most: int = 20
    """Running and failed jobs to show."""

    def run(self) -> None:
        """Print the status."""
        from analysis.engines.status import read_status

        integer("most", self.most, 0)
        if not self.folder.is_dir():
            raise DataError(f"{self.folder}: no such folder; expected the folder of a study")
        name, _ = read_study(self.folder)
        status = read_status(self.folder)
        if self.json:
            print(json.dumps({"study": name} | status.plain(), indent=2))
            return
        from analysis.cli.status_view import show_status

        show_status(name, self.folder, status, self.most)
