"""Sentences of a prompt by hand, and contributions by sentence against the trace itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from analysis import story_tracing
from analysis.story_prompts import answered
from analysis.story_tracing import begins, exchange_effects, sentences_of, sources, stands, traced
from mosaics.baselines.transformer import TransformerConfig
from mosaics.edit import Remove, change
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.origins import origins
from mosaics.text.tokenizer import Characters, train_byte_pair
from mosaics.trace import trace
from toyworlds import Stories
from toyworlds.core.validate import InputError
from toyworlds.stories import solver
from toyworlds.stories.prompts import Prompt, prompts

SENTENCES = (
    "Once there was a brave girl called Lily.",
    "She had a friend, a boy named Tom.",
    "Lily had a shiny red kite.",
    "One sunny Monday morning, Lily walked to the park.",
    "Tom was already there, and Lily waved.",
    "When Lily came home, Mom was waiting at the gate.",
)
QUESTION = '"What color is the kite?" asked Mom. "It is'
TEXT = " ".join(SENTENCES[:3]) + "\n" + " ".join(SENTENCES[3:5]) + "\n" + SENTENCES[5] + "\n" + QUESTION
ASKED = Prompt(TEXT, "red", ("red", "blue", "green"), "factual", "ask_color", 0, (2,), (77, 103), 30, 1, 0)


def test_sentences_by_hand() -> None:
    ends = sentences_of(TEXT)
    pieces = [TEXT[start:end].strip() for start, end in zip([0, *ends], ends, strict=False)]
    assert pieces == [*SENTENCES, QUESTION]


@pytest.mark.parametrize("kind", ["characters", "byte-pair"])
def test_tokens_begin_at_their_letters(kind: str) -> None:
    tokenizer = Characters() if kind == "characters" else train_byte_pair([TEXT] * 3, 290)
    tokens = tokenizer.encode([TEXT])[0].tolist()
    starts = begins(tokenizer, tokens)
    for token, start in zip(tokens, starts, strict=True):
        letters = tokenizer.decode([token]).strip()
        assert TEXT[start : start + len(letters)] == letters
    assert (np.diff(starts) >= 0).all()


def test_contributions_are_those_of_the_trace() -> None:
    tokenizer = Characters()
    model = MemoryMosaicConfig(vocabulary=257, n_layers=2, n_heads=2, width=8).build(0).double()
    found = sources(model, tokenizer, ASKED)
    assert found.texts == (*SENTENCES, QUESTION)
    assert found.stated == 2
    tokens = [256, *TEXT.encode()]
    whole = trace(model, tokens, outputs=[ord(" ")])
    assert found.contributions.sum() == pytest.approx(0.0, abs=1e-12)  # all candidates begin with the same blank
    assert whole.parts["index"].max() == len(tokens) - 2
    byte_pairs = train_byte_pair([TEXT + " blue green"] * 3, 330)
    model = MemoryMosaicConfig(vocabulary=byte_pairs.vocabulary, n_layers=1, n_heads=2, width=8).build(1).double()
    found = sources(model, byte_pairs, ASKED)
    rows = [row.tolist() for row in byte_pairs.encode([" red", " blue", " green"])]
    tokens = [byte_pairs.end, *byte_pairs.encode([TEXT])[0].tolist()]
    whole = trace(model, tokens, outputs=sorted({row[0] for row in rows}))
    pairs = (whole.parts["kind"] == "pair").to_numpy()
    added = whole.contribution(rows[0][0], "mean")
    assert found.contributions.sum() == pytest.approx(added[pairs].sum())
    ends, expected = sentences_of(TEXT), np.zeros(7)
    for line, amount in zip(whole.parts[pairs]["index"], added[pairs], strict=True):
        value = len(byte_pairs.decode(tokens[1 : line + 2]))  # where the value's token ends
        expected[int(np.searchsorted(ends, value, side="left"))] += amount
    np.testing.assert_allclose(found.contributions, expected, atol=1e-12)
    assert found.source == int(expected.argmax())


def test_origins_are_those_of_the_words_of_each_sentence() -> None:
    tokenizer = train_byte_pair([TEXT + " blue green"] * 3, 330)
    model = MemoryMosaicConfig(vocabulary=tokenizer.vocabulary, n_layers=2, n_heads=2, width=8).build(1).double()
    found = sources(model, tokenizer, ASKED)
    first = [int(row[0]) for row in tokenizer.encode([" red", " blue", " green"])]
    tokens = [tokenizer.end, *tokenizer.encode([TEXT])[0].tolist()]
    whole = origins(model, tokens, first[0], against="mean", among=first)
    ends, expected = sentences_of(TEXT), np.zeros(7)
    for place in range(1, len(tokens)):
        end = len(tokenizer.decode(tokens[1 : place + 1]))
        expected[int(np.searchsorted(ends, end, side="left"))] += whole.contributions[place]
    np.testing.assert_allclose(found.origins, expected, atol=1e-12)
    assert found.origin == int(expected.argmax())
    logits = model(torch.tensor([tokens]))[0, -1, first].detach().numpy()
    beside = whole.contributions[0] + whole.constant  # the end-of-text token, and what no word adds
    assert found.origins.sum() + beside == pytest.approx(logits[0] - logits.mean(), abs=1e-6)


@pytest.mark.parametrize("peek", [0, 1, 2, None])
def test_sums_and_effects_are_those_of_the_pairs_of_each_sentence(peek: int | None) -> None:
    """Of mosaics, and of a transformer, whose pairs do not peek."""
    tokenizer = train_byte_pair([TEXT + " blue green"] * 3, 330)
    size = {"vocabulary": tokenizer.vocabulary, "n_layers": 2, "n_heads": 2, "width": 8}
    config = TransformerConfig(**size) if peek is None else MemoryMosaicConfig(**size, peek=peek)
    peek = peek or 0
    model = config.build(1).double()
    found = sources(model, tokenizer, ASKED)
    first = [int(row[0]) for row in tokenizer.encode([" red", " blue", " green"])]
    tokens = [tokenizer.end, *tokenizer.encode([TEXT])[0].tolist()]
    ends = [len(" ".join(SENTENCES[: number + 1])) for number in range(6)] + [len(TEXT)]
    place = [len(tokenizer.decode(tokens[1 : position + 1])) for position in range(len(tokens))]
    whole = trace(model, tokens, outputs=sorted(set(first)))
    parts = whole.parts.assign(added=whole.contribution(first[0], "mean")).query("kind == 'pair'")
    for sentence in range(7):
        start, end = [0, *ends][sentence : sentence + 2]
        pairs = [t for t in range(len(tokens) - peek) if t + peek and start < place[t + peek] <= end]
        edits = [Remove(layer, head, t) for layer in range(2) for head in range(2) for t in pairs]
        before, after = change(model, tokens, edits).probabilities
        expected = np.log(before[first[0]] / before[first].sum()) - np.log(after[first[0]] / after[first].sum())
        assert found.effects[sentence] == pytest.approx(expected, abs=1e-9)
        assert found.contributions[sentence] == pytest.approx(parts["added"][parts["index"].isin(pairs)].sum())
    assert found.needed == int(found.effects.argmax())


def test_a_word_is_exchanged_in_one_sentence_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a model that takes the friend's name from where it is told, 4 nats more sure of it where it is told twice."""
    read: list[Prompt] = []

    def scores(model: object, tokenizer: object, prompt: Prompt) -> np.ndarray:
        read.append(prompt)
        friend = prompt.text.split("named ")[1].split(".")[0]
        there = prompt.text.split(" was already")[0].split()[-1]
        return np.array([5.0 * (candidate == friend) + (candidate == there) for candidate in prompt.candidates])

    monkeypatch.setattr(story_tracing, "candidate_scores", scores)
    asked = replace(ASKED, answer="Tom", candidates=("Lily", "Tom", "Mom"))
    effects, moved = exchange_effects(None, Characters(), asked, "Ben", [1, 4])
    assert effects.tolist() == [10.0, 2.0]
    assert moved
    expected = [TEXT, TEXT.replace("named Tom", "named Ben"), TEXT.replace("Tom was", "Ben was")]
    assert [prompt.text for prompt in read] == expected
    assert {prompt.candidates for prompt in read} == {("Lily", "Tom", "Mom", "Ben")}
    effects, moved = exchange_effects(None, Characters(), asked, "Lily", [4])
    assert effects.tolist() == [2.0]
    assert not moved
    assert read[-1].candidates == asked.candidates
    assert stands("red", "A red, red kite.")
    assert not stands("red", "A redder kite.")


def test_words_are_exchanged_for_strangers_where_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[Prompt, str, list[int]]] = []

    def effects(model: object, tokenizer: object, prompt: Prompt, other: str, places: list[int]) -> Any:
        tried.append((prompt, other, places))
        return np.arange(len(places)), True

    monkeypatch.setattr(story_tracing, "exchange_effects", effects)
    model = MemoryMosaicConfig(vocabulary=257, n_layers=1, n_heads=1, width=4).build(0).double()
    asked = prompts(Stories(), 5, "consistency", 12)
    table = traced(model, Characters(), asked)
    assert [prompt for prompt, _, _ in tried] == [
        prompt for prompt, mentions in zip(asked, table["mentions"], strict=True) if mentions
    ]
    for (prompt, other, places), line in zip(tried, table[table["mentions"] > 0].itertuples(), strict=True):
        kin = {word for one in asked if one.question == prompt.question for word in one.candidates}
        assert other in kin
        assert not stands(other, prompt.text)
        assert line.exchanged == places[-1]
        assert line.mentions == len(places)
        ends = [0, *sentences_of(prompt.text)]
        assert all(stands(prompt.answer, prompt.text[ends[place] : ends[place + 1]]) for place in places)
    assert len({other for prompt, other, _ in tried if prompt.question == tried[0][0].question}) > 1


def test_a_table_of_traced_prompts() -> None:
    model = MemoryMosaicConfig(vocabulary=257, n_layers=1, n_heads=1, width=4).build(0).double()
    asked = [*prompts(Stories(), 4, "factual", 3), *prompts(Stories(), 4, "consistency", 2)]
    table = traced(model, Characters(), asked)
    assert len(table) == sum(bool(prompt.sentences) for prompt in asked)
    scored = answered(model, Characters(), [prompt for prompt in asked if prompt.sentences])
    for name in ("correct", "probability"):
        assert table[name].tolist() == pytest.approx(scored[name].tolist())
    assert (table["source"] < table["sentences"]).all()
    assert (table["traced"] == (table["source"] == table["stated"])).all()
    assert (table["hidden"] == (table["needed"] == table["stated"])).all()
    supports = [{*prompt.sentences, *solver.answer(prompt.text)[1]} for prompt in asked if prompt.sentences]
    assert table["support"].tolist() == [len(support) for support in supports]
    assert table["rests"].tolist() == [source in some for source, some in zip(table["source"], supports, strict=True)]
    assert (table["rests"] >= table["traced"]).all()
    assert (table["followed"] == (table["origin"] == table["stated"])).all()
    followed_rests = [origin in some for origin, some in zip(table["origin"], supports, strict=True)]
    assert table["followed_rests"].tolist() == followed_rests
    with pytest.raises(InputError, match="a common fact"):
        sources(model, Characters(), next(prompt for prompt in asked if not prompt.sentences))
