"""Rows of documents for a language model, and the loss of every token.

    row        e t_1 .. t_n          e the end-of-text token, t_n = e the document's own end
    window     at most `context` tokens of it; a later one begins with the last token of the one before

No row holds tokens of two documents, but a packed one: windows of several documents behind each other, each a segment.
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
    row, place = np.arange(len(rows.length)), np.zeros(len(rows.length), np.int64)
    found = read_packed(tokens, rows, end, row=row, place=place, shape=(len(row), int(rows.length.max())))
    return {name: found[name] for name in ("tokens", "labels")}


def read_packed(
    tokens: Tokens, rows: Rows, end: int, *, row: np.ndarray, place: np.ndarray, shape: tuple[int, int]
) -> dict[str, Tensor]:
    """``tokens``, ``labels`` and ``segments`` (B, T) = `shape`, int64, of windows that share rows.

    Window i begins at `place` i of `row` i, which rise. The windows of a row are its segments 1, 2, .., and the padding
    (`end`, labels -1) is segment 0.
    """
    inputs, labels = np.full(shape, end, np.int64), np.full(shape, IGNORED, np.int64)
    segments = np.zeros(shape, np.int64)
    numbers = 1 + np.arange(len(row)) - np.searchsorted(row, row)
    for (document, start, length), into, first, number in zip(
        zip(*rows, strict=True), row, place, numbers, strict=True
    ):
        begin, last = tokens.offsets[document] + start, first + length
        labels[into, first:last] = tokens.values[begin : begin + length]
        inputs[into, first + 1 : last] = labels[into, first : last - 1]
        segments[into, first:last] = number
        if start:
            inputs[into, first] = tokens.values[begin - 1]
    found = {"tokens": inputs, "labels": labels, "segments": segments}
    return {name: torch.from_numpy(array) for name, array in found.items()}


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
