"""The word lists of the story world, and how they are written down.

entries    one; two; three                  separated by semicolons or line ends
pairs      head: rest; head: rest           entries, each split at its colon
groups     head: rest                       one a line; an indented line goes on with the group before
                                            in a group that has semicolons a line end separates too
"""

from __future__ import annotations

import re


def entries(text: str) -> list[str]:
    r"""Split ``one; two; three``.

    >>> entries("one; two three\nfour")
    ['one', 'two three', 'four']
    """
    return [entry.strip() for entry in re.split(r"[;\n]", text) if entry.strip()]


def pairs(text: str) -> list[tuple[str, str]]:
    """Split ``head: rest; head: rest``."""
    return [_split(entry) for entry in entries(text)]


def groups(text: str) -> list[tuple[str, str]]:
    """Split lines ``head: rest`` with indented lines that go on."""
    blocks = (_split(block) for block in re.split(r"\n(?!\s)", text.strip()))
    return [(head, re.sub(r"\s*\n\s+", "; " if ";" in rest else " ", rest)) for head, rest in blocks]


def _split(text: str) -> tuple[str, str]:
    head, _, rest = text.partition(":")
    if not rest.strip() or ";" in head:
        raise ValueError(f"word list: expected head: rest; got {text!r}")
    return head.strip(), rest.strip()
