"""Corpora: documents of plain text, from files that others publish or from the story world.

    form          a file holds                                           as in
    separated     documents between lines <|endoftext|>; without         TinyStories-train.txt, any folder of .txt files
                  such a line the whole file is one document
    json-lines    one JSON string a line, each a document                BabiStories (traindataset.txt, valdataset.txt)
    parquet       one document a row, in the column `text`               TinyStories on the Hugging Face hub

"auto" tells them apart: by the suffix .parquet, by a first line that is a JSON string. A folder is read file by file in
the order of the names, .txt and .parquet alike, in its subfolders too. White space around a document and a byte order
mark at the beginning of a file are cut off; a blank line among JSON strings is an empty document.

Every corpus can be read again from its beginning. The story world is a corpus of any length.

Errors: InputError for a path that does not exist or a folder without texts; DataError for bytes that are not UTF-8
(file, byte), an empty document (file, byte; ``empty="skip"`` leaves such documents out), a file that cannot be read.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from toyworlds.core.validate import DataError, choice, existing, integer, real, reject
from toyworlds.stories.world import Stories

SEPARATOR = "<|endoftext|>"
A_TEXT = "a text file or a folder of texts"
SUFFIXES = (".txt", ".parquet")
STORIES_AT_ONCE = 256
Form = Literal["auto", "separated", "json-lines", "parquet"]
FORMS = ("auto", "separated", "json-lines", "parquet")


class Corpus(Protocol):
    """Documents that can be read from the beginning any number of times."""

    def __iter__(self) -> Iterator[str]:
        """Return the documents in order."""
        ...

    def described(self) -> dict[str, Any]:
        """Return where the documents come from, as plain values."""
        ...


@dataclass(frozen=True)
class TextCorpus:
    """The documents of a file, or of all text files of a folder."""

    path: Path
    """File or folder."""
    form: Form = "auto"
    """How a file holds its documents."""
    empty: Literal["refuse", "skip"] = "refuse"
    """An empty document is an error, or is left out."""
    without: Path | None = None
    """File or folder whose texts are left out, the validation text within a folder, say."""

    def __post_init__(self) -> None:
        choice("form", self.form, FORMS)
        choice("empty", self.empty, ("refuse", "skip"))
        path = existing("path", self.path, A_TEXT)
        if not (path.is_file() or path.is_dir()):
            reject("path", A_TEXT, str(path), "it is neither; texts are read more than once")
        if not self.files():
            expected = "a folder with .txt or .parquet files" if path.is_dir() else A_TEXT
            reject("path", expected, str(path), f"{self.without} is left out" if self.without else "it has none")

    def files(self) -> list[Path]:
        """Files in the order in which they are read."""
        path = Path(self.path)
        found = sorted(file for file in path.rglob("*") if _is_text(file)) if path.is_dir() else [path]
        if self.without is None:
            return found
        without = Path(self.without).resolve()
        return [file for file in found if without not in (file.resolve(), *file.resolve().parents)]

    def __iter__(self) -> Iterator[str]:
        for file in self.files():
            form = self.form if self.form != "auto" else form_of(file)
            try:
                for place, raw in READERS[form](file):
                    document = raw.strip()
                    if document:
                        yield document
                    elif self.empty == "refuse":
                        raise DataError(f"{file}: empty document at {place}; empty='skip' leaves such documents out")
            except NotOfFormError as error:
                hint = "; its first line is one: is it plain text (form separated)?" if self.form == "auto" else ""
                raise DataError(f"{error}{hint}") from None

    def described(self) -> dict[str, Any]:
        """Return the names of the files and the SHA-256 of what they hold; where they lie is the machine's business."""
        files = self.files()
        return {"kind": "text", "files": [file.name for file in files], "form": self.form, "sha256": digest(files)}


@dataclass(frozen=True)
class StoryCorpus:
    """Stories start .. start + count - 1 of a split of the story world, or all from `start` on."""

    count: int = 0
    """Number of stories; 0 for no end."""
    split: str = "train"
    """Split of the world; no hero of one is the hero of another."""
    seed: int = 0
    """Seed of the stories."""
    start: int = 0
    """Number of the first story."""
    world: Stories = field(default_factory=Stories)
    """The world, which may be told in a second dialect."""

    def __post_init__(self) -> None:
        integer("count", self.count, 0)
        choice("split", self.split, self.world.splits())
        integer("seed", self.seed, 0)
        integer("start", self.start, 0)

    def __iter__(self) -> Iterator[str]:
        first, stop = self.start, self.start + self.count if self.count else math.inf
        while first < stop:
            count = int(min(STORIES_AT_ONCE, stop - first))
            for teller in self.world.tell(self.seed, self.split, first, count):
                yield "".join(teller.texts)
            first += count

    def described(self) -> dict[str, Any]:
        """Return world, seed, split and rows."""
        world = {"name": self.world.name, "version": self.world.version, "dialect": self.world.dialect}
        rows = {"seed": self.seed, "split": self.split, "start": self.start, "count": self.count}
        return {"kind": "stories", "world": world, **rows}


@dataclass(frozen=True)
class HeldOut:
    """The documents of a corpus whose hash falls in a share of all hashes, or the others.

    The hash is that of the normalised text, so exact duplicates fall on one side.
    """

    corpus: Corpus
    """All documents."""
    share: float
    """Expected share of the documents held out."""
    held: bool
    """The documents held out, or those left."""

    def __post_init__(self) -> None:
        if not 0.0 < real("share", self.share) < 1.0:
            reject("share", "a number between 0 and 1", self.share)

    def __iter__(self) -> Iterator[str]:
        limit = int(self.share * 2**64)
        return (document for document in self.corpus if (fingerprint(document) < limit) == self.held)

    def described(self) -> dict[str, Any]:
        """Return the corpus and the share."""
        return self.corpus.described() | {"held_out_share": self.share, "held_out": self.held}


class NotOfFormError(DataError):
    """A line is not of the form of its file."""


def _is_text(file: Path) -> bool:
    """Tell whether a file of a folder is one of its texts; a DataError for a link to nothing."""
    if file.suffix.lower() not in SUFFIXES:
        return False
    if file.is_symlink() and not file.exists():
        raise DataError(f"{file}: a link to {file.readlink()}, where there is nothing")
    return file.is_file()


def digest(files: Iterable[Path]) -> str:
    """SHA-256 of the hashes of files, in order."""
    whole = hashlib.sha256()
    for path in files:
        try:
            with path.open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    return whole.hexdigest()


def normalised(document: str) -> str:
    """Lower case, every run of white space as one blank: what two exact duplicates have in common."""
    return " ".join(document.lower().split())


def fingerprint(document: str) -> int:
    """First 64 bits of the SHA-256 of the normalised text."""
    return int.from_bytes(hashlib.sha256(normalised(document).encode()).digest()[:8], "little")


def form_of(file: Path) -> str:
    """Tell how a file holds its documents."""
    if file.suffix.lower() == ".parquet":
        return "parquet"
    first = next((text for _, text in _lines(file) if text.strip()), "").strip()
    return "json-lines" if _json_string(first) is not None else "separated"


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Lines of a UTF-8 file with the byte where each begins."""
    offset = 0
    try:
        with file.open("rb") as lines:
            offset = len(codecs.BOM_UTF8) if lines.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else 0
            lines.seek(offset)
            for line in lines:
                yield offset, line.decode("utf-8")
                offset += len(line)
    except UnicodeDecodeError as error:
        bad = error.object[error.start]
        raise DataError(f"{file}: not UTF-8 at byte {offset + error.start} (0x{bad:02x}: {error.reason})") from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None


def _separated(file: Path) -> Iterator[tuple[str, str]]:
    """Documents between separators, wherever in a line they stand; nothing behind the last one is no document."""
    parts: list[str] = []
    begin, found = 0, False
    for offset, line in _lines(file):
        pieces = line.split(SEPARATOR)
        for piece in pieces[:-1]:
            yield f"byte {begin}", "".join([*parts, piece])
            parts, found = [], True
            begin = offset + len(line.encode()) - len(pieces[-1].encode())
        parts.append(pieces[-1])
    rest = "".join(parts)
    if rest.strip() or not found:
        yield f"byte {begin}", rest


def _json_lines(file: Path) -> Iterator[tuple[str, str]]:
    for offset, line in _lines(file):
        document = _json_string(line) if line.strip() else ""
        if document is None:
            raise NotOfFormError(f"{file}: expected a JSON string at byte {offset}; got {line[:60]!r}")
        try:
            document.encode()
        except UnicodeEncodeError as error:
            half = ascii(document[error.start])
            raise DataError(f"{file}: the string at byte {offset} is not Unicode (it holds {half} alone)") from None
        yield f"byte {offset}", document


def _json_string(line: str) -> str | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, str) else None


def _parquet(file: Path) -> Iterator[tuple[str, str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(file)
        if "text" not in table.schema_arrow.names:
            raise DataError(f"{file}: expected a column 'text'; it has {', '.join(table.schema_arrow.names)}")
        kind = table.schema_arrow.field("text").type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            raise DataError(f"{file}: expected strings in the column 'text'; it holds {kind}")
        row = 0
        for batch in table.iter_batches(columns=["text"]):
            for document in batch.column(0).to_pylist():
                yield f"row {row}", document or ""
                row += 1
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{file}: not a whole Parquet file ({error})") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: row {row} or later is not UTF-8 ({error.reason} at its byte {error.start})") from None


READERS: dict[str, Callable[[Path], Iterator[tuple[str, str]]]] = {
    "separated": _separated,
    "json-lines": _json_lines,
    "parquet": _parquet,
}
"""Reader of each form: pairs of the place of a document in its file and the document."""
