"""Prompts and the solver that answers them from the text."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from typing import Any

import pytest

from toyworlds import Stories
from toyworlds.core.validate import DataError, InputError
from toyworlds.stories import solver
from toyworlds.stories.lexicon import NAMES, NOUN_POOLS, NOUNS
from toyworlds.stories.parse import parse, parse_prompt
from toyworlds.stories.prompts import KINDS, Prompt, has_full_form, prompts
from toyworlds.stories.recall import recall_prompts

STORY = (
    "Once there was a brave girl called Lily. She had a friend, a boy named Tom. Lily had a shiny red kite.\n"
    "One sunny Monday morning, Lily walked to the park. Tom was already there, and Lily waved. "
    "Lily handed the red kite to Tom to look after. He waved and walked to the mill.\n"
    "When Lily came home, Mom was waiting at the gate."
)
ANSWER_ROLE = {
    "ask_holder": "d", "ask_owner": "d", "ask_where": "p", "ask_person": "p", "ask_home": "p", "home_is": "r",
    "ask_day": "y", "ask_tomorrow": "y", "ask_most": "d", "ask_name": "d", "beside_bed": "o", "custom": "r",
    "need_now": "r", "gear_chat": "y", "den": "x", "eats": "x", "likes_food": "x", "deals": "x",
}  # fmt: skip


@pytest.mark.parametrize(
    ("question", "answer", "sentences"),
    [
        ('"What color is the kite?" asked Mom. "It is', "red", (2,)),
        ('"Who has the kite now?" asked Mom. "It is with', "Tom", (5,)),
        ('"Where is the kite now?" asked Mom. "It is over at the', "mill", (5, 6)),
        ('"Where is Tom now?" asked Mom. "Over at the', "mill", (6,)),
        ('"What day is it today?" asked Mom. "It is', "Monday", (3,)),
        ('"What day will it be tomorrow?" asked Mom. "Tomorrow is', "Tuesday", (3,)),
        ("Whenever Lily was tired, she went to the", "bedroom", ()),
        ("In rain, Lily always wanted her", "umbrella", ()),
    ],
)
def test_answers_worked_by_hand(question: str, answer: str, sentences: tuple[int, ...]) -> None:
    assert solver.answer(f"{STORY}\n{question}") == (answer, sentences)


def test_the_solver_says_when_the_story_does_not_tell() -> None:
    with pytest.raises(solver.NoAnswer):
        solver.answer(f"{STORY.replace('One sunny Monday morning, Lily walked', 'So Lily walked')}\n"
               '"What day is it today?" asked Mom. "It is')  # fmt: skip
    with pytest.raises(DataError, match="0 readings"):
        parse_prompt(f"{STORY}\nHow old is Lily? She is")


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("dial", [0.0, 0.5])
def test_the_solver_agrees_with_every_prompt(kind: str, dial: float) -> None:
    found = prompts(Stories(dialect=dial), 7, kind, 5 * len(KINDS[kind]))
    assert Counter(prompt.question for prompt in found) == dict.fromkeys(KINDS[kind], 5)
    for prompt in found:
        word, sentences = solver.answer(prompt.text)
        assert word == prompt.answer, prompt.text
        assert not prompt.sentences or prompt.question == "ask_color" or prompt.sentences[-1] in sentences
        well_formed(prompt)


def well_formed(prompt: Prompt) -> None:
    assert prompt.answer in prompt.candidates
    assert len(set(prompt.candidates)) == len(prompt.candidates) >= 3
    assert all(" " not in candidate for candidate in prompt.candidates)
    assert prompt.chance == 1 / len(prompt.candidates)
    assert prompt.text == prompt.text.rstrip()
    assert prompt.text[-1].isalpha()
    if prompt.sentences:
        start, end = prompt.span
        story = parse(prompt.text.rpartition("\n")[0])
        assert prompt.sentences[-1] < len(story.sentences)
        assert prompt.distance == len(prompt.text[end:].split())
        assert prompt.text[start:end][-1] in '.!?"'
        assert prompt.text[start] != " "


def test_the_hero_keeps_one_thing_only_where_that_is_asked() -> None:
    found = prompts(Stories(), 5, "consistency", 4 * len(KINDS["consistency"]))
    for prompt in (one for one in found if one.question == "beside_bed"):
        story = parse(prompt.text.rpartition("\n")[0])
        held = []
        for thing, noun in enumerate(story.noun):
            with contextlib.suppress(solver.NoAnswer):
                if solver.holder(story, thing, len(story.sentences)).answer == 0:
                    held.append(NOUNS.forms[""][noun])
        treasures = {NOUNS.forms[""][number] for number in NOUN_POOLS["keepsake"].ids}
        assert [noun for noun in held if noun in treasures] == [prompt.answer]


def test_logical_prompts_need_steps_and_their_answer_is_not_in_the_last_statement_alone() -> None:
    found = prompts(Stories(), 8, "logical", 40)
    assert all(prompt.steps >= 1 for prompt in found)
    where = [prompt for prompt in found if prompt.question == "ask_where" and prompt.steps == 2]
    assert where
    assert all(len(prompt.sentences) == 2 for prompt in where)


@pytest.mark.parametrize("kind", list(KINDS))
def test_no_sentence_of_the_story_answers_the_question(kind: str) -> None:
    for prompt in prompts(Stories(), 9, kind, 8 * len(KINDS[kind])):
        story, question = parse_prompt(prompt.text)
        told = {sentence.event.name for sentence in story.sentences}
        days = {"ask_day", "ask_tomorrow"}
        assert not told & (days if prompt.question in days else {prompt.question}), prompt.text
        assert len(story.sentences) >= 4
        if prompt.question in ("ask_holder", "ask_owner", "ask_name"):
            speakers = {NAMES.forms[""][story.name[who]] for who in (0, question.roles["c"])}  # the hero is asked
            assert prompt.answer not in speakers
            assert len(set(prompt.candidates) - speakers) >= 2


def test_prompts_are_a_function_of_their_arguments_and_fewer_are_the_first_of_more() -> None:
    some, more = prompts(Stories(), 3, "consistency", 8), prompts(Stories(), 3, "consistency", 12)
    assert more[:8] == some
    assert prompts(Stories(), 4, "consistency", 8) != some


@pytest.mark.parametrize("kind", list(KINDS))
def test_in_full_the_same_is_asked_and_the_answer_names_its_subject(kind: str) -> None:
    count = 4 * len(KINDS[kind])
    for plain, full in zip(
        prompts(Stories(), 9, kind, count), prompts(Stories(), 9, kind, count, in_full=True), strict=True
    ):
        assert (full.answer, full.candidates, full.sentences) == (plain.answer, plain.candidates, plain.sentences)
        assert full.question == plain.question
        assert solver.answer(full.text)[0] == full.answer
        story, question = parse_prompt(full.text)
        said = re.split(r"[.?] ", full.text)[-1]
        if not has_full_form(full.question):
            assert full.text == plain.text
        elif full.question == "ask_person":
            assert NAMES.forms[""][story.name[question.roles["d"]]] in said
        else:
            assert f"The {NOUNS.forms[''][story.noun[question.roles['o']]]}" in said


def test_recall_asks_in_full_too() -> None:
    for prompt in recall_prompts(Stories(), 6, 5, facts=2, in_full=True):
        assert solver.answer(prompt.text)[0] == prompt.answer
        assert re.search(r"The [\w-]+( [\w-]+)? (is|was)$", prompt.text)


def test_distance_is_kept_within_its_bounds() -> None:
    for low, high in ((0, 40), (120, 400)):
        found = prompts(Stories(), 5, "logical", 8, distance=(low, high))
        assert all(low <= prompt.distance <= high for prompt in found)


@pytest.mark.parametrize(("facts", "distance"), [(1, 50), (3, 120), (8, 300)])
def test_recall_states_so_many_facts_and_asks_so_much_later(facts: int, distance: int) -> None:
    found = recall_prompts(Stories(), 6, 12, facts=facts, distance=distance)
    for prompt in found:
        assert solver.answer(prompt.text)[0] == prompt.answer
        story, _ = parse_prompt(prompt.text)
        assert len(story.noun) == facts == prompt.facts
        assert len(set(story.color)) == facts
        assert abs(prompt.distance - distance) <= 35
        well_formed(prompt)
    assert len({prompt.sentences[-1] for prompt in found}) > (facts > 1)


def test_arguments_are_checked() -> None:
    with pytest.raises(InputError, match="kind: expected one of factual, logical, consistency"):
        prompts(Stories(), 0, "logic", 1)
    with pytest.raises(InputError, match="facts: expected a whole number from 1 to 8"):
        recall_prompts(Stories(), 0, 1, facts=9)
    wrong: list[Any] = [(50, 20), 50, (1, 2, 3), "ab"]
    for distance in wrong:
        with pytest.raises(InputError, match="distance: expected"):
            prompts(Stories(), 0, "logical", 1, distance=distance)
    with pytest.raises(InputError, match="split: expected one of train, validation, test; got 'dev'"):
        recall_prompts(Stories(), 0, 1, split="dev")


@pytest.mark.parametrize("kind", ["logical", "consistency"])
def test_bounds_that_no_prompt_meets_are_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toyworlds.stories.prompts.TRIES", 100)  # the question alone has more than 3 words
    with pytest.raises(InputError, match=r"distance: expected bounds that .* in 100 stories; got \(0, 3\)"):
        prompts(Stories(), 0, kind, 6, distance=(0, 3))


def test_bounds_of_a_distance_leave_out_common_facts() -> None:
    found = prompts(Stories(), 0, "factual", 7, distance=(0, 30))
    assert [bool(prompt.sentences) for prompt in found] == [True, False, True, False, False, False, False]
    assert all(prompt.distance <= 30 for prompt in found)


def questions_hold(dial: float, count: int) -> Counter[str]:
    """Check every question that the stories themselves ask and answer."""
    asked: Counter[str] = Counter()
    for teller in Stories(dialect=dial).tell(21, "train", 0, count):
        story = parse("".join(teller.texts))
        for place, sentence in enumerate(story.sentences):
            event = sentence.event.name
            if event in ANSWER_ROLE:
                asked[event] += 1
                assert solver.solve(story, sentence, place).answer == sentence.roles[ANSWER_ROLE[event]], teller.texts[
                    place
                ]
    return asked


def test_questions_within_stories_are_answered_truly() -> None:
    assert set(questions_hold(0.0, 250)) == set(ANSWER_ROLE)
    questions_hold(0.6, 60)


@pytest.mark.slow
def test_questions_within_many_stories_are_answered_truly() -> None:
    assert min(questions_hold(0.0, 5000).values()) > 20
