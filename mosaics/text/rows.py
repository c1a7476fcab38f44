"""Rows of documents for a language model, and the loss of every token.

    row        e t_1 .. t_n          e the end-of-text token, t_n = e the document's own end
    window     at most `context` tokens of it; a later one begins with the last token of the one before

No row holds tokens of two documents.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mosaics.text.stream import Tokens
from mosaics.training.placement import place

IGNORED = -1
TOKENS_AT_ONCE = 8192
"""Tokens, padding included, that an evaluation reads side by side."""


class Rows(NamedTuple):
    """Windows of documents: which document, at which token of it each begins, how many tokens it predicts."""

    document: np.ndarray
    start: np.ndarray
    length: np.ndarray

    def take(self, rows: np.ndarray) -> Rows:
        """Return some of the rows."""
        return Rows(self.document[rows], self.start[rows], self.length[rows])


def windows(tokens: Tokens, context: int) -> Rows:
    """Return the windows of `context` tokens of every document; the last of a document is shorter."""
    lengths = tokens.lengths
    counts = -(-lengths // context)
    document = np.repeat(np.arange(len(tokens)), counts)
    start = context * (np.arange(len(document)) - np.repeat(np.cumsum(counts) - counts, counts))
    return Rows(document, start, np.minimum(context, lengths[document] - start))


def read(tokens: Tokens, rows: Rows, end: int) -> dict[str, Tensor]:
    """``tokens`` and ``labels`` (B, T) int64 of rows, padded at the right with `end` and -1."""
    longest = int(rows.length.max())
    inputs = np.full((len(rows.length), longest), end, np.int64)
    labels = np.full((len(rows.length), longest), IGNORED, np.int64)
    for row, (document, start, length) in enumerate(zip(*rows, strict=True)):
        begin = tokens.offsets[document] + start
        labels[row, :length] = tokens.values[begin : begin + length]
        inputs[row, 1:length] = labels[row, : length - 1]
        if start:
            inputs[row, 0] = tokens.values[begin - 1]
    return {"tokens": torch.from_numpy(inputs), "labels": torch.from_numpy(labels)}


@torch.no_grad()
def token_losses(model: nn.Module, tokens: Tokens, end: int, context: int) -> np.ndarray:
    """Loss of every token in nats, (tokens,) float64 in the order of ``tokens.values``, read in windows of `context`.

    Token i of a document stands at position i % context of its window: it is predicted from that many tokens and from
    the one before the window (the end-of-text token for the first). The model is used as it is; put it into evaluation
    mode first.
    """
    rows = windows(tokens, context)
    losses = np.zeros(len(tokens.values))
    order = np.argsort(-rows.length, kind="stable")
    first = 0
    while first < len(order):
        count = max(TOKENS_AT_ONCE // int(rows.length[order[first]]), 1)
        some = rows.take(order[first : first + count])
        batch = place(read(tokens, some, end), model)
        logits = model(batch["tokens"]).float()
        found = functional.cross_entropy(logits.mT, batch["labels"], ignore_index=IGNORED, reduction="none")
        for row, begin, length in zip(found.double().cpu().numpy(), tokens.offsets[some.document] + some.start,
                                      some.length, strict=True):  # fmt: skip
            losses[begin : begin + length] = row[:length]
        first += count
    return losses


def bits_per_byte(nats: np.ndarray, tokens: Tokens) -> float:
    """Sum of losses in bits over the bytes of the texts and one byte for each end."""
    return float(nats.sum() / math.log(2.0) / (tokens.bytes.sum() + len(tokens)))
