"""Loss by position in the context, and the position from which one model stays below another.

    l[s, d, i]     loss in nats of token i of document d (i tokens and the end-of-text token before it), seed s
    L(b)           sum over d and i in bin b of l / number of such tokens, the mean over seeds
    D(b)           L_first(b) - L_second(b)
    crossing       the position behind which D is below 0 up to the end of the range: between the last bin with D >= 0
                   and the next, where the straight line through both meets 0 (in the logarithm of the position)

Bins are even in the logarithm; a bin stands at the geometric mean of its first and last position, counted from 1.

    D  > 0  > 0  < 0  < 0      crossing between the second and the third bin
    D  < 0  < 0  < 0  < 0      below from the start: the position of the first bin
    D  < 0  < 0  < 0  > 0      no crossing in range: infinity

Intervals are percentile bootstraps over documents, the same for both models, and over the seeds of each model. A
resample without a crossing counts as infinity, so a limit may be infinite; bins that none of its documents reaches are
left out of it. One seed a side says nothing of others.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.bootstrap import LEVEL, RESAMPLES, Band, checked_level, resample_indices
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import integer, reject

if TYPE_CHECKING:
    from mosaics.text.stream import Tokens

CHUNK = 100
"""Resamples made at a time."""


@dataclass(frozen=True)
class PositionLosses:
    """Losses of the seeds of one model on one set of documents, summed within bins of positions."""

    sums: np.ndarray
    """(seeds, documents, bins) sums of losses, nats."""
    counts: np.ndarray
    """(documents, bins) tokens."""
    edges: np.ndarray
    """(bins + 1,) bin b holds positions edges[b] .. edges[b + 1] - 1, counted from 0."""

    @property
    def positions(self) -> np.ndarray:
        """Where the bins stand, (bins,): geometric mean of first and last position, counted from 1."""
        return np.sqrt((self.edges[:-1] + 1.0) * self.edges[1:])

    @property
    def curve(self) -> np.ndarray:
        """L, (bins,)."""
        return self.sums.mean(axis=0).sum(axis=0) / self.counts.sum(axis=0)

    def band(self, *, seed: int = 0, n: int = RESAMPLES, level: float = LEVEL) -> Band:
        """Return the curve between its pointwise limits."""
        [drawn] = _resampled([self], seed, integer("n", n, 1))
        tail = (1.0 - checked_level(level)) / 2.0
        low, high = np.nanquantile(drawn, [tail, 1.0 - tail], axis=0)
        return Band(self.curve, low, high, level)


def bin_edges(context: int, bins: int = 16) -> np.ndarray:
    """Edges (at most bins + 1,) of bins of 0 .. context - 1, even in the logarithm, each of at least one position.

    >>> bin_edges(16, 4).tolist()
    [0, 1, 3, 7, 16]
    """
    integer("context", context, 1)
    integer("bins", bins, 1)
    edges = np.rint(np.geomspace(1, context + 1, bins + 1)).astype(np.int64) - 1
    return np.unique(edges)


def binned(losses: Any, edges: np.ndarray) -> PositionLosses:
    """Sum losses (seeds, documents, positions), NaN behind a document's end, within bins."""
    losses = np.asarray(losses, np.float64)
    if losses.ndim != 3 or losses.size == 0 or losses.shape[2] < edges[-1]:
        reject("losses", f"(seeds, documents, at least {edges[-1]} positions)", losses.shape)
    there = ~np.isnan(losses[0])
    if (np.isnan(losses) == there).any():
        reject("losses", "the same documents for every seed", "NaN at other places")
    sums = np.add.reduceat(np.nan_to_num(losses[..., : edges[-1]]), edges[:-1], axis=2)
    counts = np.add.reduceat(there[:, : edges[-1]].astype(np.int64), edges[:-1], axis=1)
    if not counts.sum(axis=0).all():
        reject("edges", "bins that hold tokens", edges.tolist())
    return PositionLosses(sums, counts, edges)


def document_losses(model: Any, tokens: Tokens, end: int, context: int) -> np.ndarray:
    """Losses (documents, context) of the first `context` tokens of each document, NaN behind its end.

    The model is read in evaluation mode; a longer document is cut.
    """
    from mosaics.tasks.language import token_losses

    training = model.training
    model.eval()
    try:
        nats = token_losses(model, cut(tokens, context), end, context)
    finally:
        model.train(training)
    lengths = np.minimum(tokens.lengths, context)
    found = np.full((len(tokens), context), np.nan)
    found[np.arange(context) < lengths[:, None]] = nats
    return found


def cut(tokens: Tokens, context: int) -> Tokens:
    """Return the first `context` tokens of each document; the bytes are those of the whole documents."""
    from mosaics.text.stream import Tokens

    lengths = np.minimum(tokens.lengths, context)
    values = [tokens[document][:length] for document, length in enumerate(lengths)]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Tokens(np.concatenate(values), offsets, tokens.byte_offsets)


@dataclass(frozen=True)
class Crossing:
    """Position, counted from 1, behind which the first model stays below the second; infinity: none in range."""

    position: float
    low: float
    high: float
    share: float
    """Share of the resamples in which the first model is below at the end of the range."""
    level: float = LEVEL

    def __str__(self) -> str:
        if math.isinf(self.position):
            return f"no crossing in range ({self.share:.0%} of resamples have one)"
        high = "beyond the range" if math.isinf(self.high) else f"{self.high:.3g}"
        return f"{self.position:.3g} [{self.low:.3g}, {high}]"


def crossing(
    first: PositionLosses, second: PositionLosses, *, seed: int = 0, n: int = RESAMPLES, level: float = LEVEL
) -> Crossing:
    """Where `first` falls below `second` for good, both on the same documents."""
    if first.counts.shape != second.counts.shape or (first.counts != second.counts).any():
        reject("second", f"losses on the same documents and bins, {first.counts.shape}", second.counts.shape)
    curves = _resampled([first, second], seed, integer("n", n, 1))
    drawn = resampled_crossings(curves[0] - curves[1], first.positions)
    [estimate] = crossings((first.curve - second.curve)[None], first.positions)
    tail = (1.0 - checked_level(level)) / 2.0
    low, high = np.quantile(drawn, [tail, 1.0 - tail], method="inverted_cdf")
    return Crossing(float(estimate), float(low), float(high), float(np.isfinite(drawn).mean()), level)


def crossings(difference: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Crossing of each row of differences (n, bins) at the given positions."""
    above = difference >= 0.0
    bins = difference.shape[1]
    last = np.where(above.any(axis=1), bins - 1 - np.argmax(above[:, ::-1], axis=1), -1)
    before = np.clip(last, 0, bins - 2)
    rows = np.arange(len(difference))
    high, low = difference[rows, before], difference[rows, before + 1]
    share = np.divide(high, high - low, out=np.zeros_like(high), where=low < high)
    x = np.log(positions)
    between = np.exp(x[before] + np.clip(share, 0.0, 1.0) * (x[before + 1] - x[before]))
    return np.where(last < 0, positions[0], np.where(last == bins - 1, np.inf, between))


def resampled_crossings(difference: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Crossing of each row of differences (n, bins), NaN in bins that hold no token: these count as not there."""
    held = ~np.isnan(difference)
    found = crossings(difference, positions)
    for row in np.flatnonzero(~held.all(axis=1)):
        found[row] = crossings(difference[row, held[row]][None], positions[held[row]])[0]
    return found


def _resampled(models: Sequence[PositionLosses], seed: int, n: int) -> list[np.ndarray]:
    """Curves (n, bins) of each model on resampled documents, the same for all, and resampled seeds of each.

    NaN in a bin that none of the documents drawn reaches.
    """
    documents = len(models[0].counts)
    counts = np.concatenate(list(_document_weights(documents, n, seed)))
    found = []
    for number, model in enumerate(models):
        [seeds] = resample_indices([len(model.sums)], n, seed, "seeds", number)
        weights = np.stack([(seeds == index).mean(axis=1) for index in range(len(model.sums))], axis=1)
        totals = np.einsum("ns,nsb->nb", weights, np.einsum("nd,sdb->nsb", counts, model.sums, optimize=True))
        tokens = counts @ model.counts
        found.append(np.divide(totals, tokens, out=np.full_like(totals, np.nan), where=tokens > 0))
    return found


def _document_weights(documents: int, n: int, seed: int) -> Iterator[np.ndarray]:
    """Yield how often each document is drawn, (chunk, documents)."""
    stream = Stream(seed, "bootstrap", "documents")
    for start in range(0, n, CHUNK):
        size = min(CHUNK, n - start)
        drawn = stream.below(documents, start * documents, size * documents).reshape(size, documents)
        yield np.stack([np.bincount(row, minlength=documents) for row in drawn]).astype(np.float64)
