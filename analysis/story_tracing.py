"""Which sentence of a story an answer was taken from: the trace of a prompt's answer, summed by sentence.

    C[s] = sum over the stored pairs whose value is a token of sentence s of the pair's contribution to the answer's
           logit, less its mean over the candidates                                                (`mosaics.trace`)
    source = argmax_s C[s] over the story's sentences and the question;   traced: source = the sentence that states it

A pair stored at step t has a key made of the tokens up to t and a value made of token t + 1 (and t): it counts for the
sentence of token t + 1. All heads of all layers count. A pair of a later layer hands on what earlier layers put into
the stream at its step, so an answer may come from the right sentence by way of another; that counts as not traced.

Answers of several tokens are traced by their first; candidates that begin alike count once. Common facts have no
stating sentence and are left out. Where the answer's word stands in several sentences, `holds` tells whether the source
is one of them; `mentions` is their number. The chance level of `traced` is 1 / sentences, of `holds` mentions /
sentences, sentences counting the question.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.story_prompts import candidate_scores
from toyworlds.core.validate import InputError
from toyworlds.stories.parse import parse_prompt
from toyworlds.stories.prompts import Prompt
from toyworlds.stories.surfaces import tokens_of

if TYPE_CHECKING:
    from mosaics.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Sources:
    """Where the logit of an answer comes from, sentence by sentence."""

    contributions: np.ndarray
    """(sentences + 1,) C of each sentence of the story, and of the question."""
    texts: tuple[str, ...]
    """The sentences, the question last."""
    stated: int
    """Number of the sentence that states the answer."""

    @property
    def source(self) -> int:
        """Number of the sentence that adds the most."""
        return int(self.contributions.argmax())


def sentences_of(text: str) -> list[int]:
    """Where each sentence of a prompt's story ends, in characters, and the question; the last end is the text's."""
    story, _ = parse_prompt(text)
    ends, place = [], 0
    for token in tokens_of(text):
        place = text.index(token, place) + len(token)
        ends.append(place)
    return [*(ends[sentence.end - 1] for sentence in story.sentences), len(text)]


def sources(model: Any, tokenizer: Tokenizer, prompt: Prompt) -> Sources:
    """Trace the answer of a prompt that a sentence of its story states; the model is a Memory Mosaic."""
    from mosaics.trace import trace

    if not prompt.sentences:
        raise InputError("prompt: expected one that a sentence of the story answers; got a common fact")
    tokens = tokenizer.encode([prompt.text])[0].tolist()
    first = [int(row[0]) for row in tokenizer.encode([f" {candidate}" for candidate in prompt.candidates])]
    answer = first[prompt.candidates.index(prompt.answer)]
    found = trace(model, [tokenizer.end, *tokens], outputs=list(dict.fromkeys(first)))
    pairs = (found.parts["kind"] == "pair").to_numpy()
    added = found.contribution(answer, "mean")[pairs]
    valued = found.parts.loc[pairs, "index"].to_numpy() + found.peek
    ends = sentences_of(prompt.text)
    sentence = np.searchsorted(ends, begins(tokenizer, tokens), side="right")
    sums = np.zeros(len(ends))
    np.add.at(sums, sentence[valued - 1], added)
    texts = tuple(prompt.text[start:end].strip() for start, end in zip([0, *ends], ends, strict=False))
    return Sources(sums, texts, prompt.sentences[-1])


def begins(tokenizer: Tokenizer, tokens: Sequence[int]) -> np.ndarray:
    """Where the letters of each token begin in the text, in characters, the blank before a word left out."""
    pieces = [tokenizer.decode([token]) for token in tokens]
    starts = np.cumsum([0, *map(len, pieces[:-1])])
    return starts + [len(piece) - len(piece.lstrip()) if piece.strip() else 0 for piece in pieces]


def traced(model: Any, tokenizer: Tokenizer, asked: Sequence[Prompt]) -> pd.DataFrame:
    """Trace the prompts that a sentence answers, one line each.

    Columns: kind, question, correct (among the candidates), traced, holds, mentions, sentences, source, stated.
    """
    lines = []
    for prompt in asked:
        if not prompt.sentences:
            continue
        scores = candidate_scores(model, tokenizer, prompt)
        found = sources(model, tokenizer, prompt)
        word = re.compile(rf"\b{re.escape(prompt.answer)}\b")
        holding = [bool(word.search(text)) for text in found.texts]
        lines.append(
            {
                "kind": prompt.kind,
                "question": prompt.question,
                "correct": prompt.candidates[int(scores.argmax())] == prompt.answer,
                "traced": found.source == found.stated,
                "holds": holding[found.source],
                "mentions": sum(holding),
                "sentences": len(found.texts),
                "source": found.source,
                "stated": found.stated,
            }
        )
    return pd.DataFrame(lines)
