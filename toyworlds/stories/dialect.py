"""The second dialect of the story world: other words, another word order, other customs.

A sentence is told in the dialect with probability `dial`, independently of the others. Then

    words    each word or phrase of the table `words/dialect.py` is replaced by its counterpart, which the base
             language never uses: "the little girl said" becomes "the wee lass quoth"
    order    the speaker stands before the speech: `"Come in," said Tom.` becomes `Quoth Tom: "Come in."`;
             elsewhere the chunk that a template marks with < > moves to the front of its clause:
             `{a} gave <{o}> to {b}.` becomes `{o} {a} gave to {b}.`
    ay       a sentence that neither rule touches begins with "Ay,"
    customs  where one goes when tired or hungry, what animals eat and where they sleep, what is worn in the rain
             follow the second entry of each custom (`words/kinds.py`, `words/traits.py`)

Names are the same in both. What happens in a story does not depend on the dialect, except for the customs.
"""

from __future__ import annotations

import re

from toyworlds.stories.words import dialect, pairs

WORDS = dict(pairs(dialect.WORDS))
KNOWN = re.compile(
    r"\b(?:(?P<article>an?) )?(?<![\w-])(?P<word>" + "|".join(sorted(WORDS, key=len, reverse=True)) + r")(?![\w-])",
    re.IGNORECASE,
)
VOWEL_SOUND = re.compile(r"(?!uni|uku|use|one|eu)[aeiou]|hon|hour", re.IGNORECASE)
SLOT = re.compile(r"(\{[^}]*\})")
TAGGED = re.compile(r'"(?P<first>[^"]*[,.!?])" (?P<tag>[^".]*)\.(?: "(?P<second>[^"]*)")?(?P<rest> [^"]*)?')
CLAUSE = re.compile(r"(.*[,.] |)((?:and|so|but|for|because|when|while|where) |)(.*)")
CHUNK = re.compile(r"(?P<before>[^<]*)<(?P<chunk>[^>]*)>(?P<after>.*)")


def with_article(text: str) -> str:
    """`text` after "a" or "an"."""
    return ("an " if VOWEL_SOUND.match(text) else "a ") + text


def translate(text: str) -> str:
    """Replace the words of `text` that the dialect has others for; slots `{...}` are left alone.

    >>> translate("A stranger came on a merry-go-round an hour ago.")
    'An outlander cam on a merry-go-round a stound ago.'
    """
    return "".join(piece if piece.startswith("{") else KNOWN.sub(_counterpart, piece) for piece in SLOT.split(text))


def _counterpart(match: re.Match[str]) -> str:
    word = WORDS[match["word"].lower()]
    if match["article"]:
        word = with_article(word)
    return word[0].upper() + word[1:] if match[0][0].isupper() else word


def reorder(template: str) -> str:
    """Return the template in the dialect's word order, its words unchanged.

    >>> reorder('"Come in," said {a}. "It is late."')
    'Said {a}: "Come in. It is late."'
    >>> reorder("{a} gave <{o}> to {b}.")
    '{o} {a} gave to {b}.'
    """
    tagged = TAGGED.fullmatch(template)
    if tagged:
        first, second = tagged["first"], tagged["second"]
        speech = (first[:-1] + "." if first.endswith(",") else first) + (f" {second}" if second else "")
        tag, comma, action = tagged["tag"].partition(", and ")
        return f'{_capital(tag)}: "{speech}"{f" And {action}." if comma else ""}{tagged["rest"] or ""}'
    chunk = CHUNK.fullmatch(template)
    if chunk:
        head, link, clause = CLAUSE.fullmatch(chunk["before"]).groups()  # type: ignore[union-attr]
        moved = chunk["chunk"] if head + link else _capital(chunk["chunk"])
        clause = clause if head + link else _small(clause)
        return f"{head}{link}{moved} {clause}".rstrip() + chunk["after"]
    return template


def in_dialect(template: str) -> str:
    """Return the form that a template has in the dialect.

    >>> in_dialect("{a} had {o.a}.")
    'Ay, {a} had {o.a}.'
    """
    spoken = translate(reorder(template))
    return spoken if spoken != base_form(template) else f"Ay, {_small(template)}"


def base_form(template: str) -> str:
    """Return the template without the marks of its chunk."""
    return template.replace("<", "").replace(">", "")


def _capital(text: str) -> str:
    return text if text.startswith("{") else text[0].upper() + text[1:]


def _small(text: str) -> str:
    return text if text.startswith(("{", "I ")) else text[:1].lower() + text[1:]
