"""tyro, with errors as one line and periods written as 1,2,3."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Sequence
from typing import Any, TypeVar

import tyro

from toyworlds.core.validate import InputError

T = TypeVar("T")
PERIODS = tuple[tuple[float, ...], ...]
TITLES = ("Parsing error", "Unrecognized options", "Required options", "Value error", "Invalid value", "Invalid choice")
REGISTRY = tyro.constructors.ConstructorRegistry()


@REGISTRY.primitive_rule
def _periods_rule(info: tyro.constructors.PrimitiveTypeInfo) -> tyro.constructors.PrimitiveConstructorSpec[Any] | None:
    if info.type != PERIODS:
        return None
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs="*",
        metavar="P,P,... ",
        instance_from_str=lambda words: tuple(tuple(float(part) for part in word.split(",")) for word in words),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: [",".join(f"{period:g}" for period in periods) for periods in value],
    )


def parse(command: type[T], arguments: Sequence[str], program: str) -> T:
    """Build the dataclass `command` from words; a wrong word is an InputError of one line."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parsed: T = tyro.cli(
                command,
                args=arguments,
                prog=program,
                registry=REGISTRY,
                config=(tyro.conf.OmitArgPrefixes,),
            )
            return parsed
    except SystemExit as stop:
        if not stop.code:
            raise
        raise InputError(_one_line(said.getvalue())) from None


def _one_line(text: str) -> str:
    """Tyro's box as a sentence, without the titles and the repeated help."""
    lines = [re.sub(r"[╭╮╰╯│─╌┄]+", " ", line).strip() for line in text.splitlines()]
    sentence = " ".join(line for line in lines if line and line not in TITLES)
    sentence = re.split(r"Argument helptext:|For full helptext", sentence)[0]
    for title in TITLES:
        sentence = sentence.removeprefix(f"{title} ")
    sentence = re.sub(r"(Perhaps you meant: --[\w-]+).*", r"\1", sentence)
    return " ".join(sentence.split()) + " (--help lists the options)"
