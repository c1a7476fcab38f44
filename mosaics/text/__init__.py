"""Text for language models: corpora, tokenizers, token streams on disk, duplicates between splits."""

from mosaics.text.corpus import Corpus, HeldOut, StoryCorpus, TextCorpus
from mosaics.text.prepare import PrepareConfig, prepare_text
from mosaics.text.stream import TextData, open_text
from mosaics.text.tokenizer import Tokenizer, load_tokenizer

__all__ = [
    "Corpus",
    "HeldOut",
    "PrepareConfig",
    "StoryCorpus",
    "TextCorpus",
    "TextData",
    "Tokenizer",
    "load_tokenizer",
    "open_text",
    "prepare_text",
]
