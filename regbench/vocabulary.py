"""Tokens: 0 is the padding '.', 1 .. V - 2 are the symbols 'a', 'b', .., V - 1 is the separator '|'.

>>> encode("ab|b", 5).tolist(), decode([1, 2, 4, 2], 5)
([1, 2, 4, 2], 'ab|b')

Automata number the symbols from 0, so symbol s is token s + 1. The published vocabulary has V = 20.
"""

from __future__ import annotations

import string
from collections.abc import Iterable

import numpy as np

from toyworlds.core.validate import InputError, integer

PADDING = 0
LETTERS = string.ascii_lowercase + string.ascii_uppercase + string.digits
"""One character for each symbol; so a vocabulary has at most 64 tokens."""


def characters(vocabulary: int) -> str:
    """All tokens' characters in order, '.abc|' for 5."""
    integer("vocabulary", vocabulary, 3, len(LETTERS) + 2)
    return "." + LETTERS[: vocabulary - 2] + "|"


def encode(text: str, vocabulary: int = 20) -> np.ndarray:
    """Tokens of a text, int8; InputError names the first character that is not in the vocabulary."""
    known = characters(vocabulary)
    for place, letter in enumerate(text):
        if letter not in known:
            raise InputError(f"text: expected characters among {known!r}; got {letter!r} at place {place}")
    return np.array([known.index(letter) for letter in text], dtype=np.int8)


def decode(tokens: Iterable[int] | np.ndarray, vocabulary: int = 20) -> str:
    """Text of tokens."""
    known = characters(vocabulary)
    return "".join(known[integer("token", int(token), 0, vocabulary - 1)] for token in tokens)
