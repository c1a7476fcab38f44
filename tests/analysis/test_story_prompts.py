"""Prompt scores of models whose answers are known, and of a small mosaic against its plain forward pass."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from analysis.story_prompts import (
    FACTORS,
    answered,
    candidate_scores,
    fact_storage,
    factor_of,
    prompt_scores,
    story_prompts,
    summary,
)
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.text.tokenizer import Characters
from toyworlds import Stories
from toyworlds.core.validate import InputError
from toyworlds.stories.prompts import KINDS, QUESTIONS_IN_ALL, Prompt

BYTES = Characters()


def prompt(text: str, answer: str, candidates: tuple[str, ...], kind: str = "factual") -> Prompt:
    return Prompt(text, answer, candidates, kind, "ask_color", 0, (), (0, 0), 0, 1, 0)


class Scripted(nn.Module):
    """Goes on with a known text with probability 0.9 a byte where it knows one, else evenly."""

    def __init__(self, continuations: dict[str, str]) -> None:
        super().__init__()
        self.parameter = nn.Parameter(torch.zeros(1))
        self.continuations = {BYTES.encode([text])[0].tobytes(): known for text, known in continuations.items()}

    def initial_state(self, batch: int) -> list[int]:
        return []

    def step(self, token: Tensor, state: list[int]) -> tuple[Tensor, list[int]]:
        state = [*state, int(token)]
        logits = torch.zeros(1, BYTES.vocabulary)
        for text, known in self.continuations.items():
            read, whole = state[1:], np.frombuffer(text, np.int64).tolist()
            rest = read[len(whole) :]
            known_bytes = list(known.encode())
            if read[: len(whole)] == whole and rest == known_bytes[: len(rest)] and len(rest) < len(known_bytes):
                logits[0, known_bytes[len(rest)]] = math.log(0.9 / (0.1 / (BYTES.vocabulary - 1)))
        return logits, state


def test_log_likelihoods_by_hand() -> None:
    asked = prompt("It is", "red", ("red", "blue", "re"))
    even = candidate_scores(Scripted({}), BYTES, asked)
    unread = math.log(1 - 1 / 257)  # "re" not followed by "d"
    np.testing.assert_allclose(even, [-4 * math.log(257), -5 * math.log(257), -3 * math.log(257) + unread])
    known = candidate_scores(Scripted({"It is": " red"}), BYTES, asked)
    other = math.log(0.1 / 256)
    np.testing.assert_allclose(known[0], 4 * math.log(0.9), rtol=1e-6)
    np.testing.assert_allclose(known[1], math.log(0.9) + other - 3 * math.log(257), rtol=1e-6)
    np.testing.assert_allclose(known[2], 3 * math.log(0.9) + math.log(0.1), rtol=1e-6)


class Syllables:
    """A tokenizer of a few pieces of words; each candidate is the pieces between its hyphens."""

    pieces = ("Who?", " Sam", "uel", "son", "s", " Tom")
    end = 6

    def encode(self, texts: list[str]) -> list[np.ndarray]:
        return [np.array([self.pieces.index(piece) for piece in text.split("-")]) for text in texts]


class Table(nn.Module):
    """Gives the probabilities of the next piece by the last one."""

    def __init__(self, rows: dict[int, list[float]]) -> None:
        super().__init__()
        self.parameter, self.rows = nn.Parameter(torch.zeros(1)), rows

    def initial_state(self, batch: int) -> None:
        return None

    def step(self, token: Tensor, state: None) -> tuple[Tensor, None]:
        return torch.tensor([self.rows.get(int(token), [1 / 7] * 7)], dtype=torch.float64).log(), None


def test_a_candidate_that_begins_another_counts_only_where_the_text_does_not_go_on_so() -> None:
    model = Table({
        0: [0.05, 0.6, 0.05, 0.05, 0.05, 0.15, 0.05],  # after "Who?": Sam 0.6, Tom 0.15
        1: [0.01, 0.01, 0.7, 0.2, 0.01, 0.01, 0.06],  # after " Sam": uel 0.7, son 0.2
        2: [0.1, 0.1, 0.1, 0.1, 0.5, 0.05, 0.05],  # after "uel": s 0.5
    })  # fmt: skip

    def scores(*candidates: str) -> list[float]:
        return np.exp(candidate_scores(model, Syllables(), prompt("Who?", "Sam", candidates))).tolist()  # type: ignore[arg-type]

    assert scores("Sam", "Tom") == pytest.approx([0.6, 0.15])
    assert scores("Sam", "Sam-uel", "Tom") == pytest.approx([0.6 * 0.3, 0.6 * 0.7, 0.15])
    assert scores("Sam-son", "Tom", "Sam", "Sam-uel") == pytest.approx([0.12, 0.15, 0.6 * 0.1, 0.42])
    assert scores("Sam", "Sam-uel", "Sam-uel-s") == pytest.approx([0.18, 0.21, 0.21])  # 0.42 in all begin with Samuel
    assert scores("Sam", "Sam-uel-s") == pytest.approx([0.6 - 0.21, 0.21])
    certain = Table({0: [0, 1, 0, 0, 0, 0, 0], 1: [0, 0, 1, 0, 0, 0, 0]})
    found = candidate_scores(certain, Syllables(), prompt("Who?", "Sam", ("Sam", "Sam-uel")))  # type: ignore[arg-type]
    assert found[0] == pytest.approx(-36.04, abs=0.01)
    assert found[1] == 0.0


def test_a_model_that_knows_and_one_that_does_not() -> None:
    asked = [prompt(f"{number} is", "red", ("red", "tan", "sky", "jet")) for number in range(6)]
    right = answered(Scripted({p.text: " red" for p in asked}), BYTES, asked)
    assert right["correct"].all()
    assert (right["probability"] > 0.999).all()
    wrong = answered(Scripted({p.text: " sky" for p in asked[:5]} | {asked[5].text: " red"}), BYTES, asked)
    assert wrong["predicted"].tolist() == ["sky"] * 5 + ["red"]
    score = prompt_scores(wrong)["factual"]
    assert (score.prompts, score.chance, score.accuracy.estimate) == (6, 0.25, pytest.approx(1 / 6))
    assert score.above_chance.estimate == pytest.approx(1 / 6 - 1 / 4)
    assert score.times_chance.estimate == pytest.approx(4 / 6)
    assert summary({"factual": score})[0][:2] == ["factual", 6]
    blind = answered(Scripted({}), BYTES, asked)
    np.testing.assert_allclose(blind["probability"], 0.25)


def test_the_tree_of_candidates_gives_what_whole_passes_give() -> None:
    model = MemoryMosaicConfig(vocabulary=257, n_layers=2, n_heads=2, width=16).build(3).double().train()
    asked = prompt("Tom had a kite. It is", "red", ("red", "rose", "roses", "blue"))
    found = candidate_scores(model, BYTES, asked)
    assert model.training
    whole = {}
    for candidate in asked.candidates:
        row = [BYTES.end, *asked.text.encode(), *f" {candidate}".encode()]
        with torch.no_grad():
            logits = model.eval()(torch.tensor([row]))[0].log_softmax(-1)
        first = 1 + len(asked.text)
        whole[candidate] = sum(float(logits[place - 1, row[place]]) for place in range(first, len(row)))
    whole["rose"] = math.log(math.exp(whole["rose"]) - math.exp(whole["roses"]))
    np.testing.assert_allclose(found, [whole[candidate] for candidate in asked.candidates], atol=1e-9)


def test_scores_by_factor_and_by_question() -> None:
    lines = pd.DataFrame(
        {
            "kind": ["logical"] * 4,
            "question": ["ask_holder", "ask_holder", "ask_where", "ask_where"],
            "correct": [True, True, False, True],
            "chance": [0.5, 0.25, 0.5, 0.5],
            "probability": [0.9, 0.8, 0.1, 0.6],
            "facts": 1,
        }
    )
    who = prompt_scores(lines, "factor")["who"]
    assert who.accuracy.estimate == 1.0
    assert who.accuracy.low == pytest.approx(2 / (2 + 1.959964**2))  # Wilson's, 2 of 2
    assert who.chance == 0.375
    assert prompt_scores(lines, "question")["ask_where"].accuracy.estimate == 0.5
    assert prompt_scores(lines)["logical"].above_chance.estimate == pytest.approx(0.75 - 0.4375)
    with pytest.raises(InputError, match="by: expected one of"):
        prompt_scores(lines, "kinds")


def test_the_interval_is_over_prompts() -> None:
    lines = pd.DataFrame({"kind": "x", "correct": [1, 0] * 200, "chance": 0.25, "probability": 0.5})
    accuracy = prompt_scores(lines)["x"].accuracy
    assert accuracy.low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.01)
    assert accuracy.high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.01)


def test_every_question_has_one_factor() -> None:
    assert sorted(q for questions in FACTORS.values() for q in questions) == sorted(QUESTIONS_IN_ALL)
    assert factor_of("ask_most") == "who"
    with pytest.raises(InputError, match=r"question: expected one of ask_holder, .*did you mean 'ask_most'"):
        factor_of("ask_mos")


def test_prompts_of_the_world_and_facts_stated_anew() -> None:
    asked = story_prompts(Stories(), 3, 4)
    assert [p.kind for p in asked] == [kind for kind in KINDS for _ in range(4)]

    class Even(Scripted):
        def step(self, token: Tensor, state: list[int]) -> tuple[Tensor, list[int]]:
            return torch.zeros(1, BYTES.vocabulary), state

    table = fact_storage(Even({}), BYTES, facts=(1, 3), distances=(40,), count=3)
    assert table["facts"].tolist() == [1, 1, 1, 3, 3, 3]
    assert (table["asked_distance"] == 40).all()
    assert (table["predicted"].str.len() == 3).all()  # evenly likely letters: a shortest color
    with pytest.raises(InputError, match="asked: expected at least one prompt"):
        answered(Even({}), BYTES, [])
    wrong: list[tuple[str, Any]] = [("facts", ()), ("distances", []), ("count", 0), ("split", "dev")]
    for name, value in wrong:
        with pytest.raises(InputError, match=f"{name}: expected"):
            fact_storage(Even({}), BYTES, **{name: value})
