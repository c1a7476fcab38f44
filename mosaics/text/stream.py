"""Token streams: the documents of each split as one row of tokens on disk, read through memory maps.

    my_text/
        manifest.json          schema, corpora, tokenizer (kind, vocabulary, end, SHA-256 of its file), duplicates,
                               splits: documents, tokens, bytes, dtype, SHA-256 of each file
        tokenizer.json         see mosaics.text.tokenizer
        train.bin              tokens, little-endian uint16 or uint32; an end-of-text token behind each document
        train.documents.bin    (documents + 1, 2) little-endian int64: where each document begins, in tokens and in
                               bytes of its text, and the totals
        validation.bin, validation.documents.bin

The folder is written beside its place and renamed. Opening it checks the length of every file and the SHA-256 of the
tokenizer; `verify` reads and checks everything.

Errors: DataError for a truncated or damaged file, a tokenizer that is not the one that made the stream or does not give
every text back, a foreign folder; InputError for a split that is not there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from os.path import commonpath
from pathlib import Path
from typing import Any

import numpy as np

from mosaics.text import tokenizer as tokenizers
from mosaics.text.tokenizer import Tokenizer, load_tokenizer
from toyworlds.core import folders
from toyworlds.core.validate import DataError, choice, reject

SCHEMA = 1
MANIFEST = "manifest.json"
AT_ONCE = 1000
"""Documents encoded at a time."""


@dataclass(frozen=True)
class Tokens:
    """The tokens of one split."""

    values: np.ndarray
    """(tokens,) uint16 or uint32, each document with its end-of-text token."""
    offsets: np.ndarray
    """(documents + 1,) int64, where each document begins."""
    byte_offsets: np.ndarray
    """(documents + 1,) int64, bytes of the texts before each document."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, document: int) -> np.ndarray:
        document = range(len(self))[document]
        return self.values[self.offsets[document] : self.offsets[document + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each document, its end included."""
        return np.diff(self.offsets)

    @property
    def bytes(self) -> np.ndarray:
        """Bytes of each document's text in UTF-8."""
        return np.diff(self.byte_offsets)

    def first(self, count: int) -> Tokens:
        """Return the first `count` documents, all when `count` is 0 or there are fewer."""
        count = min(count or len(self), len(self))
        values = self.values[: self.offsets[count]]
        return Tokens(values, self.offsets[: count + 1], self.byte_offsets[: count + 1])


@dataclass(frozen=True)
class TextData:
    """A folder of token streams."""

    path: Path
    manifest: dict[str, Any]

    @property
    def splits(self) -> list[str]:
        """Names of the splits."""
        return list(self.manifest["splits"])

    @property
    def vocabulary(self) -> int:
        """Number of tokens that the tokenizer knows."""
        return int(self.manifest["tokenizer"]["vocabulary"])

    @property
    def end(self) -> int:
        """Number of the end-of-text token."""
        return int(self.manifest["tokenizer"]["end"])

    @property
    def lowercase(self) -> bool:
        """Tell whether the training text was put into lower case."""
        return bool(self.manifest["corpora"]["train"].get("lowercase", False))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what the folder holds: tokenizer and streams, not where they came from."""
        files = [entry["files"] for entry in self.manifest["splits"].values()]
        content = json.dumps([self.manifest["tokenizer"]["sha256"], self.splits, files], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that made the streams."""
        return load_tokenizer(self.path)

    def tokens(self, split: str) -> Tokens:
        """Return the tokens of a split, mapped, not read."""
        choice("split", split, self.splits)
        entry = self.manifest["splits"][split]
        if not entry["documents"]:
            reject("split", "a split with documents", split)
        values = np.memmap(self.path / f"{split}.bin", np.dtype(entry["dtype"]), "r")
        table = np.memmap(self.path / f"{split}.documents.bin", np.dtype("<i8"), "r").reshape(-1, 2)
        return Tokens(values, np.array(table[:, 0]), np.array(table[:, 1]))

    def documents(self, split: str) -> Iterator[str]:
        """Return the texts of a split, decoded."""
        tokens = self.tokens(split)
        return (self.tokenizer.decode(tokens[document][:-1].tolist()) for document in range(len(tokens)))

    def verify(self) -> dict[str, int]:
        """Recompute the hashes of all files; return the tokens of each split. A DataError names what differs."""
        for split, entry in self.manifest["splits"].items():
            for name, expected in entry["files"].items():
                with (self.path / name).open("rb") as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()
                if found != expected["sha256"]:
                    raise DataError(f"{self.path / name}: damaged; expected SHA-256 {expected['sha256']}; got {found}")
            largest = int(self.tokens(split).values.max())
            if largest >= self.vocabulary:
                raise DataError(f"{self.path}: token {largest} of {split} is outside the vocabulary {self.vocabulary}")
        return {split: entry["tokens"] for split, entry in self.manifest["splits"].items()}


def open_text(path: str | Path) -> TextData:
    """Open a folder of token streams; see the module for what is checked."""
    path = Path(path)
    file = path / MANIFEST
    manifest = folders.read_json(file, "the manifest of a token stream")
    try:
        schema, described, splits = manifest["schema"], manifest["tokenizer"], manifest["splits"]
        manifest["corpora"]["train"].get("lowercase")
        _ = int(described["vocabulary"]), int(described["end"]), described["kind"], described["sha256"]
        for entry in splits.values():
            _ = int(entry["documents"]), int(entry["tokens"]), int(entry["bytes"]), np.dtype(entry["dtype"])
        expected = {name: part for entry in splits.values() for name, part in entry["files"].items()}
        sizes = {name: (int(part["bytes"]), str(part["sha256"])) for name, part in expected.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{file}: not the manifest of a token stream ({error} is missing or wrong)") from None
    if schema != SCHEMA:
        raise DataError(f"{file}: expected schema {SCHEMA}; got {schema}")
    for name, (size, _) in sizes.items():
        found = (path / name).stat().st_size if (path / name).exists() else None
        if found != size:
            got = "no such file" if found is None else f"{found:,} bytes"
            raise DataError(f"{path / name}: truncated or damaged; expected {size:,} bytes; got {got}")
    data = TextData(path, manifest)
    check_tokenizer(data, described)
    return data


def check_tokenizer(data: TextData, described: dict[str, Any]) -> None:
    """Raise a DataError where the folder's tokenizer is not the one that made its streams."""
    file = data.path / tokenizers.FILE
    try:
        found = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}); the streams need their tokenizer") from None
    if found != described["sha256"]:
        raise DataError(
            f"{file}: not the tokenizer that made these streams; expected {described['kind']} with SHA-256 "
            f"{described['sha256']}; got {found}"
        )


def write_split(folder: Path, split: str, documents: Iterable[str], tokenizer: Tokenizer) -> dict[str, Any]:
    """Encode `documents` into the files of a split; return its entry in the manifest."""
    dtype = np.dtype("<u2" if tokenizer.vocabulary <= 2**16 else "<u4")
    path, table = folder / f"{split}.bin", [np.zeros((1, 2), np.int64)]
    place, remaining = np.zeros(2, np.int64), iter(documents)
    with path.open("wb") as file:
        while texts := list(islice(remaining, AT_ONCE)):
            rows = [np.append(row, tokenizer.end) for row in tokenizer.encode(texts)]
            for text, row in zip(texts, rows, strict=True):
                _check_whole(text, tokenizer.decode(row[:-1]), split)
            file.write(np.concatenate(rows).astype(dtype).tobytes())
            sizes = np.array([[len(row), len(text.encode())] for row, text in zip(rows, texts, strict=True)])
            table.append(place + np.cumsum(sizes, axis=0))
            place = table[-1][-1]
    ends = np.concatenate(table)
    (folder / f"{split}.documents.bin").write_bytes(ends.astype("<i8").tobytes())
    files = {}
    for name in (f"{split}.bin", f"{split}.documents.bin"):
        with (folder / name).open("rb") as written:
            found = hashlib.file_digest(written, "sha256").hexdigest()
        files[name] = {"bytes": (folder / name).stat().st_size, "sha256": found}
    entry = {"documents": len(ends) - 1, "tokens": int(ends[-1, 0]), "bytes": int(ends[-1, 1])}
    return entry | {"dtype": dtype.str, "files": files}


def _check_whole(text: str, found: str, split: str) -> None:
    """Raise a DataError where a text does not come back from its tokens."""
    if found != text:
        place = len(commonpath([text, found]))
        raise DataError(
            f"tokenizer: expected one that gives every text back unchanged; in {split}, "
            f"{text[max(place - 20, 0) : place + 20]!r} comes back as {found[max(place - 20, 0) : place + 20]!r}"
        )


def tokens_of(texts: Iterable[str], tokenizer: Tokenizer) -> Tokens:
    """Encode texts, each with its end-of-text token, into memory."""
    texts = list(texts)
    rows = [np.append(row, tokenizer.end) for row in tokenizer.encode(texts)]
    sizes = np.array([[len(row), len(text.encode())] for row, text in zip(rows, texts, strict=True)]).reshape(-1, 2)
    ends = np.concatenate([np.zeros((1, 2), np.int64), np.cumsum(sizes, axis=0)]).astype(np.int64)
    values = np.concatenate(rows) if rows else np.zeros(0, np.int64)
    return Tokens(values, ends[:, 0], ends[:, 1])
