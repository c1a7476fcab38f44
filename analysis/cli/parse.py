"""tyro, with errors as one line and periods written as 1,2,3."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Sequence
from typing import Any, TypeVar

import tyro

from toyworlds.core.validate import InputError, nearest

T = TypeVar("T")
PERIODS = tuple[tuple[float, ...], ...]
TITLES = (
    "Parsing error", "Unrecognized options", "Required options", "Value error", "Invalid value", "Invalid choice",
    "Missing argument",
)  # fmt: skip
BOX = r"[╭╮╰╯│─╌┄]+|^\s*[|+]|[|+]\s*$|-{4,}"
"""The lines of tyro's box, also where the terminal has ASCII only."""
WRONG_TYPES = {
    r"invalid literal for int\(\) with base 10: ": "a whole number",
    r"could not convert string to float: ": "a number",
}
"""What Python says of a word that is no number, and what was expected."""
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


def parse(command: type[T], arguments: Sequence[str], program: str, description: str | None = None) -> T:
    """Build the dataclass `command` from words; a wrong word is an InputError of one line.

    `description` stands at the head of its help; the class's docstring where there is none.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parsed: T = tyro.cli(
                command,
                args=arguments,
                prog=program,
                description=description,
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
    lines = [re.sub(BOX, " ", line).strip() for line in text.splitlines()]
    sentence = " ".join(line for line in lines if line and line not in TITLES)
    sentence = re.split(r"Argument helptext:|For full helptext", sentence)[0]
    for title in TITLES:
        sentence = sentence.removeprefix(f"{title} ")
    sentence = re.sub(r"(Perhaps you meant: --[\w-]+).*", r"\1", sentence)
    return _plain(" ".join(sentence.split())) + " (--help lists the options)"


def _plain(sentence: str) -> str:
    """Argument, expected, got, nearest: as the errors of this project are written, where tyro writes otherwise."""
    for said, expected in WRONG_TYPES.items():
        sentence = re.sub(rf"^Error parsing (--[\w-]+): {said}(.+)$", rf"\1: expected {expected}; got \2", sentence)
    wrong = re.fullmatch(r"invalid choice '(.*)' for argument '(--[\w-]+)'\. Expected one of \((.+)\)\.", sentence)
    if wrong:
        got, argument, known = wrong[1], wrong[2], re.findall(r"'([^']*)'", wrong[3])
        hint = nearest(got, known)
        sentence = f"{argument}: expected one of {', '.join(known)}; got {got!r}" + (f" ({hint})" if hint else "")
    return re.sub(r"^Error parsing \w+: (?=\w+: expected )", "", sentence)
