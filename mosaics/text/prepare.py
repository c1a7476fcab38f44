"""A corpus made into token streams: held-out documents, tokenizer, encoding, check for duplicates, in one call.

    prepare_text(PrepareConfig(train="TinyStories-train.txt", validation="TinyStories-valid.txt"), "data/tiny")
    prepare_text(PrepareConfig(stories=20_000), "data/world")             the story world

What the folder holds is said in `mosaics.text.stream`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from mosaics.text import tokenizer as tokenizers
from mosaics.text.corpus import A_TEXT, FORMS, Corpus, Form, HeldOut, StoryCorpus, TextCorpus
from mosaics.text.duplicates import Known
from mosaics.text.stream import MANIFEST, SCHEMA, TextData, open_text, write_split
from mosaics.text.tokenizer import Characters, Tokenizer, load_tokenizer, train_byte_pair
from toyworlds.core import folders
from toyworlds.core.validate import DataError, choice, existing, integer, real, reject
from toyworlds.stories.world import Stories

KINDS = ("auto", "byte-pair", "characters")


@dataclass(frozen=True)
class PrepareConfig:
    """Which texts, which tokenizer."""

    train: str = ""
    """Training text: a file or a folder, less the validation text where that lies within. Empty: the story world."""
    validation: str = ""
    """Validation text. Empty: a share of the training documents is held out."""
    form: Form = "auto"
    """How a file holds its documents; auto: by its suffix and first line."""
    empty: Literal["refuse", "skip"] = "refuse"
    """An empty document is an error, or is left out."""
    held_out: float = 0.01
    """Share of the training documents held out where no validation text is given."""
    stories: int = 0
    """Training stories of the story world, where no text is given."""
    validation_stories: int = 0
    """Validation stories of the story world, whose heroes are in no training story; 0: a tenth of `stories`, at most
    1000."""
    world: Stories = field(default_factory=Stories)
    """The story world."""
    seed: int = 0
    """Seed of the story world."""
    tokenizer: str = "auto"
    """byte-pair (trained on the training text), characters (bytes), or the path of a tokenizer's file or folder; auto:
    byte-pair where the package tokenizers is installed, else characters."""
    vocabulary: int = 4096
    """Most tokens of a byte-pair tokenizer that is trained."""
    tokenizer_documents: int = 200_000
    """Documents that a byte-pair tokenizer is trained on."""
    lowercase: bool = False
    """Write all texts in lower case."""

    def __post_init__(self) -> None:
        choice("form", self.form, FORMS)
        choice("empty", self.empty, ("refuse", "skip"))
        if not 0.0 < real("held_out", self.held_out) < 1.0:
            reject("held_out", "a number between 0 and 1", self.held_out)
        for name in ("stories", "validation_stories", "seed"):
            integer(name, getattr(self, name), 0)
        integer("tokenizer_documents", self.tokenizer_documents, 1)
        integer("vocabulary", self.vocabulary, tokenizers.SMALLEST)
        if bool(self.train) == bool(self.stories):
            reject("train, stories", "either a training text or a number of stories", (self.train, self.stories))
        if self.validation and not self.train:
            reject("validation", "none with the story world, which has its own", self.validation)

    def corpora(self) -> dict[str, Corpus]:
        """Return the corpus of each split."""
        if not self.train:
            known = {"seed": self.seed, "world": self.world}
            count = self.validation_stories or min(max(self.stories // 10, 1), 1000)
            validation = StoryCorpus(count, "validation", **known)  # type: ignore[arg-type]
            return {"train": StoryCorpus(self.stories, "train", **known), "validation": validation}  # type: ignore[arg-type]
        for name in ("train", "validation"):
            if getattr(self, name):
                existing(name, getattr(self, name), A_TEXT)
        if self.validation:
            held = Path(self.validation)
            without = None if held.resolve() == Path(self.train).resolve() else held
            train = TextCorpus(Path(self.train), self.form, self.empty, without)
            return {"train": train, "validation": TextCorpus(held, self.form, self.empty)}
        whole = TextCorpus(Path(self.train), self.form, self.empty)
        return {"train": HeldOut(whole, self.held_out, False), "validation": HeldOut(whole, self.held_out, True)}

    def tokenize(self, documents: Iterable[str]) -> Tokenizer:
        """Return the tokenizer, trained on `documents` where it is to be trained."""
        kind = self.tokenizer
        if kind == "auto":
            kind = "byte-pair" if tokenizers.have_tokenizers() else "characters"
        if kind == "characters":
            return Characters()
        if kind == "byte-pair":
            return train_byte_pair(islice(documents, self.tokenizer_documents), self.vocabulary)
        if not Path(kind).exists():
            reject("tokenizer", f"one of {', '.join(KINDS)}, or the path of a tokenizer", kind)
        return load_tokenizer(kind)


@dataclass(frozen=True)
class _Lowered:
    """A corpus in lower case."""

    corpus: Corpus

    def __iter__(self) -> Iterator[str]:
        return (document.lower() for document in self.corpus)

    def described(self) -> dict[str, Any]:
        return self.corpus.described() | {"lowercase": True}


def prepare_text(config: PrepareConfig, out: str | Path) -> TextData:
    """Write the token streams of `config` into the new folder `out`; see `mosaics.text.stream` for what it holds."""
    corpora = config.corpora()
    if config.lowercase:
        corpora = {split: _Lowered(corpus) for split, corpus in corpora.items()}
    with folders.written_aside(out) as aside:
        tokenizer = config.tokenize(corpora["train"])
        (aside / tokenizers.FILE).write_text(tokenizer.content(), encoding="utf-8")
        known = Known()
        splits = {
            "train": write_split(aside, "train", _noted(corpora["train"], known), tokenizer),
            "validation": write_split(aside, "validation", corpora["validation"], tokenizer),
        }
        _check_documents(config, {split: entry["documents"] for split, entry in splits.items()})
        manifest = {
            "schema": SCHEMA,
            "corpora": {split: corpus.described() for split, corpus in corpora.items()},
            "tokenizer": {
                "kind": tokenizer.kind, "vocabulary": tokenizer.vocabulary, "end": tokenizer.end,
                "sha256": tokenizers.digest(tokenizer),
            },
            "duplicates": known.compare(corpora["validation"]).described(),
            "splits": splits,
        }  # fmt: skip
        folders.write_json(aside / MANIFEST, manifest)
    return open_text(out)


def _check_documents(config: PrepareConfig, documents: dict[str, int]) -> None:
    """Raise the error of a split without documents."""
    for split, count in documents.items():
        both = sum(documents.values())
        if both and not count and not config.validation:
            expected = f"a share that leaves each split a document; {split} gets none of {both}"
            reject("held_out", expected, config.held_out, "or name a validation text")
        if not count:
            raise DataError(f"{getattr(config, split) or config.train}: expected at least one document; found none")


def _noted(documents: Iterable[str], known: Known) -> Iterator[str]:
    for document in documents:
        known.add(document)
        yield document
