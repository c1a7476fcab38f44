"""Tokenizers: text to numbers and back, without loss, one end-of-text token each.

    kind          vocabulary                                      file in a data folder
    byte-pair     256 bytes, merges of them, <|endoftext|>        tokenizer.json (Hugging Face `tokenizers`)
    characters    256 bytes, <|endoftext|> = 256                  tokenizer.json {"type": "characters"}

Byte pairs are trained on the corpus, or read from GPT-2's files (`tokenizer.json`, or `vocab.json` and `merges.txt`).
Characters are the bytes of UTF-8, so no text is outside the vocabulary. In a text, the letters <|endoftext|> are
letters; the end-of-text token stands only where a document ends.

Reference: Sennrich, Haddow and Birch, Neural machine translation of rare words with subword units, ACL 2016; the
byte-level variant is that of Radford et al., 2019 (GPT-2).
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mosaics.text.corpus import SEPARATOR
from toyworlds.core.validate import DataError, InputError, integer, reject

FILE = "tokenizer.json"
BYTES = 256
SMALLEST = BYTES + 1


class Tokenizer(Protocol):
    """A tokenizer; `end` is the number of the end-of-text token."""

    kind: str
    vocabulary: int
    end: int

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the tokens of each text, int64, without an end."""
        ...

    def decode(self, tokens: Iterable[int]) -> str:
        """Return the text of tokens; the end-of-text token is written <|endoftext|>."""
        ...

    def content(self) -> str:
        """Return what the tokenizer's file holds."""
        ...


class Characters:
    """The bytes of UTF-8, and an end-of-text token.

    >>> [row.tolist() for row in Characters().encode(["Hi", ""])]
    [[72, 105], []]
    """

    kind = "characters"
    vocabulary = BYTES + 1
    end = BYTES

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the bytes of each text, int64."""
        return [np.frombuffer(text.encode(), np.uint8).astype(np.int64) for text in texts]

    def decode(self, tokens: Iterable[int]) -> str:
        """Return the text of bytes; what is not UTF-8 is shown as a replacement character."""
        pieces = [SEPARATOR.encode() if token == self.end else bytes([token]) for token in tokens]
        return b"".join(pieces).decode("utf-8", errors="replace")

    def content(self) -> str:
        """Return what the tokenizer's file holds."""
        return json.dumps({"type": self.kind}) + "\n"


class BytePair:
    """A byte-level byte-pair tokenizer of the package `tokenizers`."""

    kind = "byte-pair"

    def __init__(self, inner: Any, source: str) -> None:
        self.inner = inner
        inner.encode_special_tokens = True
        inner.no_truncation()
        inner.no_padding()
        self.vocabulary = 1 + max(inner.get_vocab(with_added_tokens=True).values(), default=0)
        end = inner.token_to_id(SEPARATOR)
        if end is None:
            raise DataError(f"{source}: expected a tokenizer with the token {SEPARATOR}; it has none")
        self.end = int(end)

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the tokens of each text, int64."""
        try:
            rows = self.inner.encode_batch_fast(list(texts), add_special_tokens=False)
        except Exception as error:
            raise DataError(f"tokenizer: it cannot write a text in its tokens ({error})") from None
        return [np.asarray(found.ids, np.int64) for found in rows]

    def decode(self, tokens: Iterable[int]) -> str:
        """Return the text of tokens."""
        text: str = self.inner.decode([int(token) for token in tokens], skip_special_tokens=False)
        return text

    def content(self) -> str:
        """Return what the tokenizer's file holds."""
        text: str = self.inner.to_str(pretty=True)
        return text


def train_byte_pair(documents: Iterable[str], vocabulary: int) -> BytePair:
    """Train a tokenizer of at most `vocabulary` tokens on `documents`; the same documents give the same tokenizer."""
    _need_tokenizers()
    from tokenizers import Tokenizer as Inner
    from tokenizers import decoders, models, pre_tokenizers, trainers

    integer("vocabulary", vocabulary, SMALLEST)
    inner = Inner(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[SEPARATOR],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    inner.train_from_iterator(documents, trainer)
    return BytePair(inner, "training")


def load_tokenizer(path: str | Path) -> Tokenizer:
    """Read a tokenizer: the file `tokenizer.json`, or a folder with it, or with GPT-2's `vocab.json`, `merges.txt`."""
    path = Path(path)
    file = path / FILE if path.is_dir() and (path / FILE).exists() else path
    if path.is_dir() and file == path:
        return _from_merges(path)
    try:
        text = file.read_text(encoding="utf-8")
        described = json.loads(text)
    except FileNotFoundError:
        reject("tokenizer", f"a file {FILE}, or a folder with one", str(path), "there is nothing of this name")
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: not the file of a tokenizer ({error})") from None
    if isinstance(described, dict) and described.get("type") == Characters.kind:
        return Characters()
    _need_tokenizers()
    from tokenizers import Tokenizer as Inner

    try:
        inner = Inner.from_str(text)
    except Exception as error:
        raise DataError(f"{file}: not the file of a tokenizer ({error})") from None
    return BytePair(inner, str(file))


def digest(tokenizer: Tokenizer) -> str:
    """SHA-256 of the tokenizer's file."""
    return hashlib.sha256(tokenizer.content().encode()).hexdigest()


def words(tokenizer: Tokenizer, tokens: Sequence[int]) -> list[tuple[int, int]]:
    """First token and the one behind the last of each word: a word begins at a blank, a line's end or a document's.

    A blank belongs to the word behind it.
    """
    starts = [0]
    pieces = [tokenizer.decode([token]) for token in tokens]
    for place in range(1, len(pieces)):
        before, piece = pieces[place - 1], pieces[place]
        ended = before[-1:] == "\n" or tokenizer.end in (tokens[place - 1], tokens[place])
        if ended or piece[:1].isspace():
            starts.append(place)
    return list(zip(starts, [*starts[1:], len(pieces)], strict=True)) if pieces else []


def have_tokenizers() -> bool:
    """Tell whether the package `tokenizers` is installed."""
    return importlib.util.find_spec("tokenizers") is not None


def _need_tokenizers() -> None:
    if not have_tokenizers():
        raise InputError(
            "tokenizer: byte pairs need the package tokenizers (pip install 'mosaicbench[text]'); "
            "characters need nothing"
        )


def _from_merges(folder: Path) -> BytePair:
    """GPT-2's tokenizer from its two files."""
    files = folder / "vocab.json", folder / "merges.txt"
    for file in files:
        if not file.exists():
            reject("tokenizer", f"a folder with {FILE}, or with vocab.json and merges.txt", str(folder))
    _need_tokenizers()
    from tokenizers import Tokenizer as Inner
    from tokenizers import decoders, models, pre_tokenizers

    try:
        inner = Inner(models.BPE.from_file(*map(str, files)))
    except Exception as error:
        raise DataError(f"{folder}: not the files of a byte-pair tokenizer ({error})") from None
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens([SEPARATOR])
    return BytePair(inner, str(folder))
