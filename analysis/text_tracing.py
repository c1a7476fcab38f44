"""Generated text, and the stored pairs that made each word of it.

    text = write(model, tokenizer, "One day, Tom", 40, temperature=0.8)
    explain(model, tokenizer, text)         one line a pair: word, layer, head, weight, contribution, where stored
    beginnings(model, tokenizer, text)      one line a word that was read: what it adds along all paths

A word is made token by token. Of each token's logit, less the mean logit of the `RIVALS` tokens that were the most
probable, every part is known (`mosaics.trace`); `explain` keeps the pairs of contextual memories and of attention. A
pair stored at step t has a key made of the tokens up to t and a value made of token t + 1 (and t): "the red -> ball" is
the pair that was stored when `ball` was read behind `the red`. Key and value of an attention head's pair are made of
token t and of what earlier layers have put into its place: "the red" is the pair of `red`. A pair's value may hold what
earlier layers had found elsewhere; `beginnings` follows that back to the words that were read (`mosaics.origins`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toyworlds.core.validate import integer, reject

if TYPE_CHECKING:
    from mosaics.text import Tokenizer

COLUMNS = (
    "word", "text", "token", "layer", "memory", "head", "where", "step", "key", "value", "weight", "contribution",
    "share",
)  # fmt: skip
BEGINNINGS = ("word", "text", "token", "from", "from_text", "contribution", "share")
RIVALS = 50
"""Most probable tokens against whose mean a token's logit is traced."""
SHOWN = 3
"""Words shown of the key of a pair."""


@dataclass(frozen=True)
class Written:
    """A text that a model has continued."""

    tokens: tuple[int, ...]
    """End-of-text token, prompt, continuation."""
    prompt: int
    """Tokens before the continuation."""
    spans: tuple[tuple[int, int], ...]
    """First token and the one behind the last of each word of the text, the end-of-text token a word of its own."""

    def continuation(self, tokenizer: Tokenizer) -> str:
        """Return what the model has written."""
        return tokenizer.decode(self.tokens[self.prompt :])

    def words(self) -> list[tuple[int, int]]:
        """Spans of the words of the continuation; a word that the prompt began counts from the continuation on."""
        return [(max(first, self.prompt), last) for first, last in self.spans if last > self.prompt]


def write(model: Any, tokenizer: Tokenizer, prompt: str, new_tokens: int, **options: Any) -> Written:
    """Continue `prompt` by at most `new_tokens` tokens, up to the end of the text; options of `mosaics.generate`."""
    from mosaics.generate import generate
    from mosaics.text.tokenizer import words

    integer("new_tokens", new_tokens, 1)
    try:
        prompt.encode()
    except UnicodeEncodeError as error:
        reject("prompt", f"Unicode text; its character {error.start} is no part of one", prompt)
    read = [tokenizer.end, *tokenizer.encode([prompt])[0].tolist()]
    limit = getattr(model.config, "context", 0)
    if limit and len(read) + new_tokens - 1 > limit:
        reject("tokens", f"a prompt and new tokens of at most {limit} tokens together", len(read) - 1 + new_tokens)
    tokens = generate(model, [read], new_tokens, **options)[0].tolist()
    ends = [place for place in range(len(read), len(tokens)) if tokens[place] == tokenizer.end]
    tokens = tokens[: ends[0] + 1] if ends else tokens
    return Written(tuple(tokens), len(read), tuple(words(tokenizer, tokens)))


def explain(model: Any, tokenizer: Tokenizer, written: Written, top: int = 3) -> pd.DataFrame:
    """Return the `top` pairs that add the most to each token of the continuation.

    Columns: word (number, from 0), text (of the word), token, layer, memory ("short" or "long", in version 2), head,
    where (module), step (t), key (the last words up to t), value (the token at t + 1 that the value peeks at; empty
    where values do not peek), weight, contribution (nats of logit), share (of what all pairs that raise the token add).
    """
    from mosaics.trace import exact

    integer("top", top, 1)
    lone = exact(model)
    lines = []
    for number, (first, last) in enumerate(written.words()):
        text = tokenizer.decode(written.tokens[first:last])
        for place in range(first, last):
            peek, pairs = pairs_of(lone, written.tokens[:place], written.tokens[place])
            raised = pairs["contribution"].clip(lower=0.0).sum()
            for _, pair in pairs.nlargest(top, "contribution").iterrows():
                step = int(pair["index"])
                lines.append({
                    "word": number, "text": text, "token": tokenizer.decode([written.tokens[place]]),
                    "layer": int(pair["layer"]), "memory": pair["memory"], "head": int(pair["head"]),
                    "where": pair["where"], "step": step,
                    "key": key_words(tokenizer, written, step),
                    "value": tokenizer.decode([written.tokens[step + peek]]) if peek else "",
                    "weight": pair["weight"], "contribution": pair["contribution"],
                    "share": pair["contribution"] / raised if raised else np.nan,
                })  # fmt: skip
    return pd.DataFrame(lines, columns=COLUMNS)


def beginnings(model: Any, tokenizer: Tokenizer, written: Written, top: int = 3) -> pd.DataFrame:
    """Return the `top` words, read or written before, that add the most to each token of the continuation.

    Columns: word (number, from 0), text (of the word), token, from (place of the word that adds, among all words of the
    text, from 0), from_text, contribution (nats of logit, along all paths through the layers), share (of what all words
    that raise the token add).
    """
    from mosaics.origins import origins
    from mosaics.trace import exact

    integer("top", top, 1)
    lone = exact(model)
    texts = [tokenizer.decode(written.tokens[first:last]) for first, last in written.spans]
    word_of = np.repeat(np.arange(len(texts)), [last - first for first, last in written.spans])
    lines = []
    for number, (first, last) in enumerate(written.words()):
        for place in range(first, last):
            read, token = written.tokens[:place], written.tokens[place]
            found = origins(lone, read, token, against="mean", among=rivals(lone, read, token))
            sums = np.bincount(word_of[:place], found.contributions)
            raised = sums.clip(min=0.0).sum()
            for source in np.argsort(-sums, kind="stable")[:top].tolist():
                lines.append({
                    "word": number, "text": tokenizer.decode(written.tokens[first:last]),
                    "token": tokenizer.decode([token]), "from": source, "from_text": texts[source],
                    "contribution": sums[source], "share": sums[source] / raised if raised else np.nan,
                })  # fmt: skip
    return pd.DataFrame(lines, columns=BEGINNINGS)


def rivals(model: Any, read: tuple[int, ...], token: int) -> list[int]:
    """Return the token and the `RIVALS` most probable ones after `read`, against whose mean it is traced."""
    import torch

    with torch.no_grad():
        likeliest = model(torch.tensor(read)[None])[0, -1].topk(min(RIVALS, model.config.vocabulary)).indices
    return sorted({token, *likeliest.tolist()})


def pairs_of(model: Any, read: tuple[int, ...], token: int) -> tuple[int, pd.DataFrame]:
    """Steps that values peek ahead, and the pairs that made the logit of `token` after `read`, with contributions."""
    from mosaics.trace import trace

    found = trace(model, read, outputs=rivals(model, read, token))
    table = found.parts.assign(contribution=found.contribution(token, "mean"))
    return found.peek, table[table["kind"] == "pair"]


def key_words(tokenizer: Tokenizer, written: Written, step: int) -> str:
    """Return the last words up to token `step`."""
    spans = [span for span in written.spans if span[0] <= step]
    first = spans[max(len(spans) - SHOWN, 0)][0]
    return tokenizer.decode(written.tokens[first : step + 1])
