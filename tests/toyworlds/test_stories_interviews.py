"""Interviews: every answer against the solver, no two questions about one thing, the same from the same seed."""

from __future__ import annotations

from collections import Counter

import pytest

from toyworlds import Stories
from toyworlds.core.validate import InputError
from toyworlds.stories import solver
from toyworlds.stories.interviews import ALIKE, WHEREABOUTS, Interview, interviews, recall_interviews
from toyworlds.stories.parse import parse, parse_prompt
from toyworlds.stories.prompts import QUESTIONS_IN_ALL


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
    found = interviews(world, 9, 5 * len(QUESTIONS_IN_ALL), most=8)
    found += recall_interviews(world, 9, 3, facts=8, distance=50)
    for interview in found:
        assert len(interview.asked) == len(interview.questions)
        for text, (_, answer), question in zip(prefixes(interview), interview.asked, interview.questions, strict=True):
            assert solver.answer(text)[0] == answer, text
            assert parse_prompt(text)[1].event.name == question
        parse(interview.text)


def test_questions_come_in_turn_and_others_follow() -> None:
    found = interviews(Stories(), 4, 4 * len(QUESTIONS_IN_ALL), most=5)
    assert [interview.questions[0] for interview in found] == 4 * list(QUESTIONS_IN_ALL)
    assert max(len(interview.questions) for interview in found) == 5
    assert sum(len(interview.questions) for interview in found) > 3 * len(found)
    alone = interviews(Stories(), 4, 2 * len(QUESTIONS_IN_ALL), most=1)
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
    with pytest.raises(InputError, match="split"):
        interviews(Stories(), 0, 1, split="tests")
    with pytest.raises(InputError, match="facts"):
        recall_interviews(Stories(), 0, 1, facts=9)
