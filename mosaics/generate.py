"""Generation from any sequence model of tokens: one step a token, many sequences at once, reproducible.

    p = softmax(logits / temperature), cut to the k most probable tokens (top-k) and to the fewest most probable ones
        whose sum reaches p_min (top-p), rescaled to sum 1
    token = the first whose cumulative probability exceeds u;  u_i uniform, from the stream (seed, "generate", row i)

Sequence i is continued from its own random numbers, so it does not depend on what else is in the batch, nor on the
device but for the rounding of logits. Temperature 0 takes the most probable token. Where filters meet equal
probabilities, all of them stay.

The prompt is read in one pass by models that have ``prefill(inputs) -> (outputs, state)``, else step by step; with a
store of limited room (`mosaics.stores`) step by step, so that what is lost is lost from the first token on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mosaics.ends import numbers, whole
from mosaics.stack import Stack, StoreMaker
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import integer, real, reject


@torch.no_grad()
def generate(
    model: Any,
    prompts: Tensor | Sequence[Sequence[int]],
    new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    seed: int = 0,
    make_store: StoreMaker | None = None,
) -> list[Tensor]:
    """Continue each prompt, a row of tokens (at least one; lengths may differ), by `new_tokens` tokens.

    `make_store`, for instance ``CapacityConfig(64).build``, makes the stores of the model's memories.

    Returns one tensor of tokens a prompt, the prompt included, on the model's device. The model is put into
    evaluation mode while it generates.
    """
    integer("new_tokens", new_tokens, 0)
    real("temperature", temperature, 0.0)
    if top_k is not None:
        integer("top_k", top_k, 1)
    real("top_p", top_p, high=1.0, above=0.0)
    if make_store is not None and not isinstance(model, Stack):
        reject("make_store", "none for a model that holds no pairs", type(model).__name__)
    device = next(model.parameters()).device
    vocabulary = getattr(getattr(model, "config", None), "vocabulary", 0)
    rows = [_row(f"prompts[{number}]", row, vocabulary).to(device) for number, row in enumerate(prompts)]
    if not rows:
        reject("prompts", "at least one row of at least one token each", prompts)
    draws = torch.stack(
        [torch.from_numpy(Stream(seed, "generate", i).uniform(0, new_tokens)) for i in range(len(rows))]
    )
    training = model.training
    model.eval()
    try:
        return _continued(model, rows, new_tokens, draws.to(device), (temperature, top_k, top_p), make_store=make_store)
    finally:
        model.train(training)


def _row(argument: str, given: Any, vocabulary: int) -> Tensor:
    """Return a prompt as int64 (T,); `vocabulary` 0 where it is not known."""
    expected = "at least one token, whole numbers (T,)"
    row = numbers(argument, given, expected)
    if row.dim() != 1 or not len(row):
        reject(argument, expected, given)
    row = whole(argument, row)
    low, high = (int(x) for x in row.aminmax())
    if vocabulary and (low < 0 or high >= vocabulary):
        reject(argument, f"tokens from 0 to {vocabulary - 1}", low if low < 0 else high)
    return row


def _continued(
    model: Any,
    rows: list[Tensor],
    new_tokens: int,
    draws: Tensor,
    how: tuple[float, int | None, float],
    *,
    make_store: StoreMaker | None,
) -> list[Tensor]:
    lengths = torch.tensor([len(row) for row in rows], device=draws.device)
    shortest, total = int(lengths.min()), int(lengths.max()) + new_tokens
    tokens = torch.zeros(len(rows), total, dtype=torch.int64, device=draws.device)
    for index, row in enumerate(rows):
        tokens[index, : len(row)] = row
    if new_tokens:
        logits, state = _read(model, tokens[:, :shortest], make_store)
    for position in range(shortest, total if new_tokens else shortest):
        drawn = (position - lengths).clamp(0, new_tokens - 1)
        chosen = sample(logits, draws.gather(1, drawn[:, None])[:, 0], *how)
        tokens[:, position] = torch.where(position < lengths, tokens[:, position], chosen)
        if position + 1 < total:
            logits, state = model.step(tokens[:, position], state)
    return [tokens[index, : len(row) + new_tokens] for index, row in enumerate(rows)]


def _read(model: Any, prompt: Tensor, make_store: StoreMaker | None) -> tuple[Tensor, Any]:
    """Logits after the prompt, and the state."""
    if make_store is None and hasattr(model, "prefill"):
        outputs, state = model.prefill(prompt)
        return outputs[:, -1], state
    state = model.initial_state(len(prompt), *([make_store] if make_store else []))
    for position in range(prompt.shape[1]):
        logits, state = model.step(prompt[:, position], state)
    return logits, state


def sample(logits: Tensor, uniform: Tensor, temperature: float, top_k: int | None, top_p: float) -> Tensor:
    """Token of each row of logits (B, vocabulary) for one number in [0, 1) a row; see the module."""
    if temperature == 0.0:
        return logits.argmax(-1)
    below_best = logits.double() - logits.max(-1, keepdim=True).values
    probabilities = filtered(torch.softmax(below_best / temperature, -1), top_k, top_p)
    cumulative = probabilities.cumsum(-1)
    chosen = torch.searchsorted(cumulative, uniform[:, None] * cumulative[:, -1:], right=True)[:, 0]
    return chosen.clamp(max=logits.shape[-1] - 1)


def filtered(probabilities: Tensor, top_k: int | None, top_p: float) -> Tensor:
    """Probabilities (B, vocabulary), 0 for what top-k and top-p leave out, not rescaled."""
    ordered = probabilities.sort(-1, descending=True).values
    if top_k is not None:
        least = ordered[:, min(top_k, ordered.shape[-1]) - 1 :][:, :1]
        probabilities = probabilities.masked_fill(probabilities < least, 0.0)
        ordered = ordered.masked_fill(ordered < least, 0.0)
    if top_p < 1.0:
        before = ordered.cumsum(-1) - ordered
        kept = (before < top_p * ordered.sum(-1, keepdim=True)).sum(-1, keepdim=True)
        probabilities = probabilities.masked_fill(probabilities < ordered.gather(-1, kept - 1), 0.0)
    return probabilities
