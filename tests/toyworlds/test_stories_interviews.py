"""Interviews: every answer against the solver, no two questions about one thing, the same from the same seed."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from toyworlds import Stories
from toyworlds.core.validate import InputError
from toyworlds.stories import solver
from toyworlds.stories.grammar import IN_FULL
from toyworlds.stories.interviews import ALIKE, TURNS, WHEREABOUTS, Interview, interviews, recall_interviews
from toyworlds.stories.lexicon import NAMES
from toyworlds.stories.parse import parse, parse_prompt
from toyworlds.stories.prompts import QUESTIONS_IN_ALL, has_full_form


def prefixes(interview: Interview) -> list[str]:
    """The text up to each answer."""
    texts, text = [], ""
    for before, answer in interview.asked:
        texts.append(text + before)
        text = f"{texts[-1]} {answer}"
    return texts


@pytest.mark.parametrize("dial", [0.0, 0.5])
def test_the_solver_agrees_with_every_answer(dial: float) -> None:
    world = Stories(dialect=dial)
    found = interviews(world, 9, 5 * len(TURNS), most=8, in_full=0.5)
    found += recall_interviews(world, 9, 3, facts=8, distance=50, in_full=0.5)
    for interview in found:
        assert len(interview.asked) == len(interview.questions)
        for text, (_, answer), question in zip(prefixes(interview), interview.asked, interview.questions, strict=True):
            assert solver.answer(text)[0] == answer, text
            assert parse_prompt(text)[1].event.name.removesuffix(IN_FULL) == question
        parse(interview.text)


def test_every_question_draws_its_language_anew() -> None:
    """At half the dial two neighbours speak alike in half of the cases; at its ends always."""
    alike = {}
    for dial in (0.0, 0.5, 1.0):
        same = [
            parse_prompt(first)[1].spoken == parse_prompt(second)[1].spoken
            for interview in interviews(Stories(dial), 12, 4 * len(TURNS), most=4)
            for first, second in itertools.pairwise(prefixes(interview))
        ]
        alike[dial] = sum(same) / len(same)
    assert alike[0.0] == alike[1.0] == 1.0
    assert 0.35 < alike[0.5] < 0.65


def test_questions_come_in_turn_and_others_follow() -> None:
    found = interviews(Stories(), 4, 3 * len(TURNS), most=5)
    assert [interview.questions[0] for interview in found] == 3 * list(TURNS)
    assert set(TURNS) == set(QUESTIONS_IN_ALL)
    assert max(len(interview.questions) for interview in found) == 5
    assert sum(len(interview.questions) for interview in found) > 3 * len(found)
    alone = interviews(Stories(), 4, 2 * len(TURNS), most=1)
    assert all(len(interview.questions) == 1 for interview in alone)


def test_no_two_questions_are_about_one_thing() -> None:
    for interview in interviews(Stories(), 6, 6 * len(QUESTIONS_IN_ALL), most=12):
        counts = Counter(interview.questions)
        assert max(counts.values()) <= ALIKE
        assert counts["ask_day"] + counts["ask_tomorrow"] <= 1
        things = []
        for text, question in zip(prefixes(interview), interview.questions, strict=True):
            if question in WHEREABOUTS:
                things.append(parse_prompt(text)[1].roles["o"])
        assert len(set(things)) == len(things)
        beginning = parse_prompt(prefixes(interview)[0])[0]
        before = {sentence.event.name for sentence in beginning.sentences}
        assert not before & set(interview.questions)  # what the story itself has asked is not asked again


def test_a_share_of_the_questions_is_in_full() -> None:
    def full(share: float) -> float:
        """Share of the questions that are, of those that can be."""
        found = interviews(Stories(), 8, 2 * len(TURNS), in_full=share) + recall_interviews(
            Stories(), 8, 8, in_full=share
        )
        asked = [
            parse_prompt(text)[1].event.name
            for interview in found
            for text, question in zip(prefixes(interview), interview.questions, strict=True)
            if has_full_form(question)
        ]
        assert len(asked) > 100
        return sum(name.endswith(IN_FULL) for name in asked) / len(asked)

    assert (full(0.0), full(1.0)) == (0.0, 1.0)
    assert full(0.5) == pytest.approx(0.5, abs=0.15)


def test_names_are_asked_for_by_turns_as_in_prompts() -> None:
    first = []
    for interview in interviews(Stories(), 4, 4 * len(TURNS), most=1):
        if interview.questions[0] == "ask_holder":
            story, question = parse_prompt(interview.asked[0][0])
            speakers = (0, question.roles["c"])
            others = [NAMES.forms[""][name] for who, name in enumerate(story.name) if who not in speakers]
            assert len(others) >= 2
            first.append(interview.asked[0][1] == next(name for name in others if " " not in name))
    assert first == [True, False] * 4


def test_every_new_color_is_asked_for_once() -> None:
    for facts in (1, 4):
        for interview in recall_interviews(Stories(), 2, 6, facts=facts, distance=80):
            assert interview.questions == ("ask_color",) * facts
            answers = [answer for _, answer in interview.asked]
            assert len(set(answers)) == facts
            assert all(f" {answer} " in interview.asked[0][0] for answer in answers)
    orders = {tuple(answer for _, answer in i.asked) for i in recall_interviews(Stories(), 2, 6, facts=4)}
    assert len(orders) == 6


def test_interviews_are_a_function_of_their_arguments_and_fewer_are_the_first_of_more() -> None:
    more = interviews(Stories(), 3, 20)
    assert interviews(Stories(), 3, 6) == more[:6]
    assert interviews(Stories(), 5, 6) != more[:6]
    assert recall_interviews(Stories(), 3, 2) == recall_interviews(Stories(), 3, 4)[:2]
    assert not {i.text for i in more} & {i.text for i in interviews(Stories(), 3, 20, split="test")}


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(InputError, match="most"):
        interviews(Stories(), 0, 1, most=0)
    with pytest.raises(InputError, match="in_full"):
        interviews(Stories(), 0, 1, in_full=1.5)
    with pytest.raises(InputError, match="split"):
        interviews(Stories(), 0, 1, split="tests")
    with pytest.raises(InputError, match="facts"):
        recall_interviews(Stories(), 0, 1, facts=9)
