"""Surface guesses by hand, and over prompts of the world."""

from __future__ import annotations

import pytest

from analysis.story_guesses import RULES, guess_scores, guesses
from toyworlds import Stories
from toyworlds.core.validate import InputError
from toyworlds.stories.lexicon import NAMES
from toyworlds.stories.parse import parse_prompt
from toyworlds.stories.prompts import Prompt, prompts

STORY = (
    "Once there was a brave girl called Lily. She had a friend, a boy named Tom. Lily had a shiny red kite.\n"
    "One sunny Monday morning, Lily walked to the park. Tom was already there, and Lily waved. "
    "Lily handed the red kite to Tom to look after. He waved and walked to the mill.\n"
    "When Lily came home, Mom was waiting at the gate.\n"
)
HOLDER = f"{STORY}Mom asked Lily who had the kite. It was with"
THIRD = HOLDER.replace("Lily handed", "Soon a girl named Mara joined Lily and Tom. Lily handed").replace(
    "He w", "Mara w"
)
WHERE = f'{STORY}"Where is the kite now?" asked Mom. "It is over at the'


def prompt(text: str, answer: str, candidates: tuple[str, ...]) -> Prompt:
    return Prompt(text, answer, candidates, "logical", "", 1, (5,), (0, 0), 30, 1, 0)


@pytest.mark.parametrize(
    ("text", "answer", "candidates", "right"),
    [
        (HOLDER, "Tom", ("Lily", "Tom", "Mom"), [0, 0, 0, 1, 1, 1, 1, 1 / 3]),
        (HOLDER, "Lily", ("Lily", "Tom", "Mom"), [1, 1, 1, 0, 0, 0, 0, 1 / 3]),
        (HOLDER, "Tom", ("Lily", "Tom", "Mom", "Jo"), [0, 0, 0, 1 / 2, 1 / 2, 1, 1, 0]),
        (HOLDER, "Jo", ("Lily", "Tom", "Mom", "Jo"), [0, 0, 0, 1 / 2, 1 / 2, 0, 0, 1]),
        (THIRD, "Tom", ("Lily", "Tom", "Mom", "Mara"), [0, 0, 0, 1 / 2, 1 / 2, 1, 0, 1 / 4]),
        (THIRD, "Mara", ("Lily", "Tom", "Mom", "Mara"), [0, 0, 0, 1 / 2, 1 / 2, 0, 1, 1 / 4]),
        (WHERE, "mill", ("park", "mill"), [0, 1, 1 / 2, 1 / 2, 1, 1, 1, 1 / 2]),
        (WHERE, "park", ("park", "mill"), [1, 0, 1 / 2, 1 / 2, 0, 0, 0, 1 / 2]),
        (WHERE, "par", ("par", "mil"), [1 / 2] * 8),
    ],
)
def test_guesses_by_hand(text: str, answer: str, candidates: tuple[str, ...], right: list[float]) -> None:
    assert guesses(prompt(text, answer, candidates)) == pytest.approx(dict(zip(RULES, right, strict=True)))


def test_a_table_of_guesses() -> None:
    asked = prompts(Stories(), 4, "logical", 12)
    table = guess_scores(asked)
    assert list(table.index) == ["ask_holder", "ask_where", "ask_tomorrow", "ask_most"]
    for question, line in table.iterrows():
        some = [guesses(one) for one in asked if one.question == question]
        for rule in RULES:
            assert line[rule] == pytest.approx(sum(one[rule] for one in some) / 3)
        assert line["best"] == max(line[rule] for rule in RULES)
    assert guess_scores(asked, "kind").loc["logical", "chance"] == pytest.approx(sum(p.chance for p in asked) / 12)
    with pytest.raises(InputError, match="asked: expected at least one prompt"):
        guess_scores([])
    with pytest.raises(InputError, match="by: expected one of question, kind; got 'questio'"):
        guess_scores(asked, "questio")


@pytest.mark.parametrize("question", ["ask_holder", "ask_owner", "ask_name"])
def test_a_name_is_not_found_by_leaving_out_who_speaks(question: str) -> None:
    kind = "logical" if question == "ask_holder" else "consistency"
    asked = [one for one in prompts(Stories(), 4, kind, 24) if one.question == question]
    assert all(guesses(one)["stranger"] <= 0.5 for one in asked)


@pytest.mark.parametrize("question", ["ask_holder", "ask_owner", "ask_name"])
def test_every_other_answer_is_the_first_who_might_have_it(question: str) -> None:
    kind = "logical" if question == "ask_holder" else "consistency"
    asked = [one for one in prompts(Stories(), 4, kind, 60) if one.question == question]
    for number, one in enumerate(asked):
        story, last = parse_prompt(one.text)
        speakers = {NAMES.forms[""][story.name[who]] for who in (0, last.roles["c"])}
        others = [name for name in one.candidates if name not in speakers]
        assert (one.answer == others[0]) == (number % 2 == 0)
