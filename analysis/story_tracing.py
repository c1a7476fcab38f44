"""Which sentence of a story an answer was taken from: by its stored pairs, without them, and back through the layers.

    C[s] = sum over the stored pairs whose value is a token of sentence s of the pair's contribution to the answer's
           logit, less its mean over the candidates                                                (`mosaics.trace`)
    D[s] = ln p(answer) - ln p(answer) with those pairs hidden from all memories, p among the candidates, in nats
                                                                                              (`mosaics.edit.hiding`)
    O[s] = sum over the tokens of sentence s of what they add to the answer's logit, less its mean over the candidates,
           along all paths through the layers; the end-of-text token and constants add the rest  (`mosaics.origins`)
    source = argmax_s C[s] over the story's sentences and the question;   traced: source = the sentence that states it
    needed = argmax_s D[s];                                               hidden: needed = the sentence that states it
    origin = argmax_s O[s];                                             followed: origin = the sentence that states it

A pair stored at step t has a key made of the tokens up to t and a value made of token t + 1 (and t): it counts for the
sentence of token t + 1. A pair of an attention head is made at token t and counts for its sentence. All heads of all
layers count. A pair of a later layer hands on what earlier layers put into the stream at its step, so an answer may
come from the right sentence by way of another; C counts that for the other, D for both, O for the one where it began. D
is causal, and it alone sees what a sentence does to the keys of a memory.

`rests` asks less than `traced`: that the source is among the sentences that the answer rests on, those of the prompt
and those that the solver needs; `followed_rests` asks the same of the origin. "Tom was already there" says where Tom
is, the sentence before it names the place.

From where the model took the word itself can be tried in another way, where the story holds it:

    X[s] = ln p(other) / p(answer) with the answer's word exchanged for `other` in sentence s, and there alone, less the
           same of the story as it is; nats, for the sentences that hold the word
    exchanged = argmax_s X[s];   moved: with that exchange the model answers `other`

`other` is a word that the story does not know, of the candidates for the same question in other prompts, another one
each time. Source, origin or statement can be held against `exchanged` where several sentences hold the word; chance is
1 / mentions. A name that is exchanged in one sentence has never been introduced; the story need not be sound for this.

Answers of several tokens are traced by their first; candidates that begin alike count once. Common facts have no
stating sentence and are left out. Where the answer's word stands in several sentences, `holds` tells whether the source
is one of them; `mentions` is their number. The chance level of `traced`, `hidden` and `followed` is 1 / sentences, of
`rests` and `followed_rests` support / sentences, of `holds` mentions / sentences, sentences counting the question.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.story_prompts import candidate_scores
from toyworlds.core.validate import InputError
from toyworlds.stories import solver
from toyworlds.stories.parse import parse_prompt
from toyworlds.stories.prompts import Prompt
from toyworlds.stories.surfaces import tokens_of

if TYPE_CHECKING:
    from mosaics.text.tokenizer import Tokenizer
    from mosaics.trace import Trace


@dataclass(frozen=True)
class Sources:
    """Where the logit of an answer comes from, sentence by sentence."""

    contributions: np.ndarray
    """(sentences + 1,) C of each sentence of the story, and of the question."""
    effects: np.ndarray
    """(sentences + 1,) D of the same, nats."""
    origins: np.ndarray
    """(sentences + 1,) O of the same."""
    texts: tuple[str, ...]
    """The sentences, the question last."""
    stated: int
    """Number of the sentence that states the answer."""

    @property
    def source(self) -> int:
        """Number of the sentence that adds the most."""
        return int(self.contributions.argmax())

    @property
    def needed(self) -> int:
        """Number of the sentence without whose pairs the most is lost."""
        return int(self.effects.argmax())

    @property
    def origin(self) -> int:
        """Number of the sentence whose words add the most along all paths."""
        return int(self.origins.argmax())


def sentences_of(text: str) -> list[int]:
    """Where each sentence of a prompt's story ends, in characters, and the question; the last end is the text's."""
    story, _ = parse_prompt(text)
    ends, place = [], 0
    for token in tokens_of(text):
        place = text.index(token, place) + len(token)
        ends.append(place)
    return [*(ends[sentence.end - 1] for sentence in story.sentences), len(text)]


def sources(model: Any, tokenizer: Tokenizer, prompt: Prompt) -> Sources:
    """Trace the answer of a prompt that a sentence of its story states, by a Memory Mosaic or a transformer."""
    from mosaics.origins import origins
    from mosaics.trace import exact, trace

    if not prompt.sentences:
        raise InputError("prompt: expected one that a sentence of the story answers; got a common fact")
    tokens = tokenizer.encode([prompt.text])[0].tolist()
    first = [int(row[0]) for row in tokenizer.encode([f" {candidate}" for candidate in prompt.candidates])]
    answer = first[prompt.candidates.index(prompt.answer)]
    model, text = exact(model), [tokenizer.end, *tokens]
    among = list(dict.fromkeys(first))
    found = trace(model, text, outputs=among)
    ends = sentences_of(prompt.text)
    sentences = np.searchsorted(ends, begins(tokenizer, tokens), side="right")
    valued = np.arange(len(text)) + found.peek
    # the sentence of the value of each pair; -1 for the end-of-text token, and where the value is not known yet
    of_pair = np.concatenate([[-1], sentences, np.full(found.peek, -1)])[valued]
    pairs = (found.parts["kind"] == "pair").to_numpy()
    held = of_pair[found.parts.loc[pairs, "index"]]
    sums = np.bincount(held + 1, found.contribution(answer, "mean")[pairs], len(ends) + 1)[1:]
    effects = hidden_effects(model, found, of_pair, len(ends), answer)
    followed = origins(model, text, answer, against="mean", among=among)
    began = np.bincount(sentences, followed.contributions[1:], len(ends))
    texts = tuple(prompt.text[start:end].strip() for start, end in zip([0, *ends], ends, strict=False))
    return Sources(sums, effects, began, texts, prompt.sentences[-1])


def hidden_effects(model: Any, found: Trace, of_pair: np.ndarray, count: int, answer: int) -> np.ndarray:
    """D, (count,) nats: what the token `answer` loses among the traced outputs when one sentence's pairs are hidden."""
    import torch

    from mosaics.edit import hiding

    hidden = torch.from_numpy(of_pair == np.arange(-1, count)[:, None])
    hidden[0] = False
    with torch.no_grad(), hiding(model, hidden):
        last = model.hidden_states(torch.from_numpy(found.inputs).expand(len(hidden), -1))[-1][:, -1]
        logits = model.read_out(last)[:, list(found.outputs)]
    answers = logits.log_softmax(-1)[:, found.outputs.index(answer)].numpy()
    return answers[0] - answers[1:]


def begins(tokenizer: Tokenizer, tokens: Sequence[int]) -> np.ndarray:
    """Where the letters of each token begin in the text, in characters, the blank before a word left out."""
    pieces = [tokenizer.decode([token]) for token in tokens]
    starts = np.cumsum([0, *map(len, pieces[:-1])])
    return starts + [len(piece) - len(piece.lstrip()) if piece.strip() else 0 for piece in pieces]


def exchange_effects(
    model: Any, tokenizer: Tokenizer, prompt: Prompt, other: str, places: Sequence[int]
) -> tuple[np.ndarray, bool]:
    """X of the sentences of those places, (places,), and whether the exchange of the largest moves the answer."""
    ends = [0, *sentences_of(prompt.text)]
    word = re.compile(rf"\b{re.escape(prompt.answer)}\b")
    candidates = tuple(dict.fromkeys((*prompt.candidates, other)))
    answer, stranger = candidates.index(prompt.answer), candidates.index(other)
    texts = [prompt.text] + [
        prompt.text[: ends[place]]
        + word.sub(other, prompt.text[ends[place] : ends[place + 1]])
        + prompt.text[ends[place + 1] :]
        for place in places
    ]
    scores = [candidate_scores(model, tokenizer, replace(prompt, text=text, candidates=candidates)) for text in texts]
    odds = np.array([row[stranger] - row[answer] for row in scores])
    effects = odds[1:] - odds[0]
    return effects, bool(scores[1 + int(effects.argmax())].argmax() == stranger)


def stands(word: str, text: str) -> bool:
    """Whether the word, or words, stand in the text."""
    return bool(re.search(rf"\b{re.escape(word)}\b", text))


def traced(model: Any, tokenizer: Tokenizer, asked: Sequence[Prompt]) -> pd.DataFrame:
    """Trace the prompts that a sentence answers, one line each.

    Columns: kind, question, correct (among the candidates), probability (of the answer among them), traced, hidden,
    followed, rests, followed_rests, holds, moved, support, mentions, sentences, source, needed, origin, stated,
    exchanged (it and moved None where no word can be exchanged).
    """
    kin: dict[str, list[str]] = {}
    for prompt in asked:
        kin.setdefault(prompt.question, []).extend(prompt.candidates)
    kin = {question: sorted(set(words)) for question, words in kin.items()}
    lines = []
    for number, prompt in enumerate(asked):
        if not prompt.sentences:
            continue
        scores = candidate_scores(model, tokenizer, prompt)
        right = prompt.candidates.index(prompt.answer)
        found = sources(model, tokenizer, prompt)
        support = {*prompt.sentences, *solver.answer(prompt.text)[1]}
        holding = [place for place, text in enumerate(found.texts) if stands(prompt.answer, text)]
        strangers = [word for word in kin[prompt.question] if not stands(word, prompt.text)]
        exchanged, moved = None, None
        if holding and strangers:
            other = strangers[number % len(strangers)]
            effects, moved = exchange_effects(model, tokenizer, prompt, other, holding)
            exchanged = holding[int(effects.argmax())]
        lines.append(
            {
                "kind": prompt.kind,
                "question": prompt.question,
                "correct": int(scores.argmax()) == right,
                "probability": float(np.exp(scores[right] - np.logaddexp.reduce(scores))),
                "traced": found.source == found.stated,
                "hidden": found.needed == found.stated,
                "followed": found.origin == found.stated,
                "rests": found.source in support,
                "followed_rests": found.origin in support,
                "holds": found.source in holding,
                "moved": moved,
                "support": len(support),
                "mentions": len(holding),
                "sentences": len(found.texts),
                "source": found.source,
                "needed": found.needed,
                "origin": found.origin,
                "exchanged": exchanged,
                "stated": found.stated,
            }
        )
    return pd.DataFrame(lines)
