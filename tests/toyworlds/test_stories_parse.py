"""Reading stories back: entities, state and choices from the text alone."""

from __future__ import annotations

import math
from typing import Any

import pytest

from toyworlds import Stories
from toyworlds.core.validate import DataError, InputError
from toyworlds.stories import lexicon, state
from toyworlds.stories.parse import Story, parse
from toyworlds.stories.reading import retell
from toyworlds.stories.teller import Teller

BY_HAND = (
    "Once there was a brave girl called Lily. She had a friend, a boy named Tom. Lily had a shiny red kite.\n"
    "One sunny Monday morning, Lily walked to the park. Tom was already there, and Lily waved. "
    "Lily handed the red kite to Tom to look after. He waved and walked to the mill."
)


def check(teller: Teller, story: Story) -> None:
    assert [sentence.row for sentence in story.sentences] == teller.rows
    assert [sentence.event.number for sentence in story.sentences] == teller.events
    assert [sentence.template for sentence in story.sentences] == teller.templates
    assert [sentence.spoken for sentence in story.sentences] == teller.flags
    assert (story.name, story.kind) == (teller.name, teller.kind)
    assert (story.noun, story.color, story.look) == (teller.noun, teller.color, teller.look)


def test_a_story_read_by_hand() -> None:
    story = parse(BY_HAND)
    assert [lexicon.NAMES.forms[""][name] for name in story.name] == ["Lily", "Tom"]
    assert [lexicon.KINDS.forms[""][kind] for kind in story.kind] == ["girl", "boy"]
    assert lexicon.NOUNS.forms[""][story.noun[0]] == "kite"
    assert lexicon.COLORS.forms[""][story.color[0]] == "red"
    names = ["open", "friend", "has", "day", "friend_there", "lend", "friend_leaves"]
    assert [sentence.event.name for sentence in story.sentences] == names
    park, mill = (lexicon.PLACES.number[word] for word in ("park", "mill"))
    expected = {  # after sentence 3, 4, 5, 6
        ("place", 0): [park, park, park, park],
        ("place", 1): [-1, park, park, mill],
        ("holder", 0): [0, 0, 1, 1],
        ("owner", 0): [0, 0, 0, 0],
    }
    for (factor, entity), values in expected.items():
        column = state.FACTORS[factor].start + entity
        assert [story.sentences[k].row[column] for k in (3, 4, 5, 6)] == values, factor
    assert story.sentences[3].row[state.DAY] == lexicon.DAYS.number["Monday"]
    assert story.sentences[2].row[state.DAY] == -1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Tom was already", "Ben was already"),  # somebody who was never introduced
        ("red kite to Tom", "blue kite to Tom"),  # the kite is red
        ("walked to the park", "flew to the park"),  # girls do not fly
        ("to look after", "to look at"),  # no such template
        ("Lily. She", "Lily.\nShe"),  # a paragraph does not begin with a pronoun
    ],
)
def test_a_text_that_is_not_of_the_grammar_is_refused(old: str, new: str) -> None:
    assert old in BY_HAND
    with pytest.raises(DataError, match="no reading after"):
        parse(BY_HAND.replace(old, new))


def test_a_pronoun_means_the_only_one_of_its_gender_in_the_sentence_before() -> None:
    he, she = (parse(text).sentences[-1] for text in (BY_HAND, BY_HAND.replace("He waved", "She waved")))
    assert (he.roles["b"], she.roles["b"]) == (1, 0)


@pytest.mark.parametrize(("dial", "count"), [(0.0, 150), (0.5, 60), (1.0, 60)])
def test_stories_parse_back_to_their_state(dial: float, count: int) -> None:
    for teller in Stories(dialect=dial).tell(11, "test", 0, count):
        check(teller, parse("".join(teller.texts)))


@pytest.mark.parametrize(("dial", "count"), [(0.0, 60), (0.4, 40), (1.0, 20)])
def test_a_story_told_again_from_its_text_costs_the_same_to_the_bit(dial: float, count: int) -> None:
    for teller in Stories(dialect=dial).tell(12, "validation", 0, count):
        again = retell("".join(teller.texts), dial)
        assert again.nats == teller.nats
        assert again.texts == teller.texts


def test_both_languages_draw_the_same_words_from_their_lists() -> None:
    for base, full in zip(*(Stories(dialect=dial).tell(14, "train", 0, 30) for dial in (0.0, 1.0)), strict=True):
        stories = (parse("".join(teller.texts)) for teller in (base, full))
        for one, other in zip(*(story.sentences for story in stories), strict=True):
            slots = [template.slots for template in (one.event.templates[k][one.template] for k in (0, 1))]
            lists = [{slot.draw for slot in part if slot.sort == "list"} for part in slots]
            for draw in lists[0] & lists[1]:
                assert one.drawn[draw] == other.drawn[draw]


def test_what_the_grammar_cannot_tell_is_refused_when_told_again() -> None:
    with pytest.raises(DataError, match=r"cannot go on after|comes out differently"):
        retell(BY_HAND)
    with pytest.raises(DataError, match="no reading after"):
        retell("It was a dark and stormy night.")


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_a_text_without_words_is_no_story(text: str) -> None:
    with pytest.raises(DataError, match="text: "):
        parse(text)


def test_a_story_of_a_language_that_the_dial_never_tells_is_refused() -> None:
    base, mixed, full = ("".join(Stories(dialect=d).tell(3, "train", 0, 1)[0].texts) for d in (0.0, 0.5, 1.0))
    assert sum(retell(full, 0.25).nats) - sum(retell(full, 0.5).nats) == pytest.approx(
        len(retell(full, 0.5).nats) * math.log(2)
    )
    for text, dial, language in (
        (base, 1.0, "base language"),
        (mixed, 1.0, "base language"),
        (mixed, 0.0, "dialect"),
        (full, 0.0, "dialect"),
    ):
        with pytest.raises(DataError, match=f"at dial {dial:g} no sentence is in the {language}"):
            retell(text, dial)
    wrong: list[Any] = [2.0, -0.1, math.nan, "1"]
    for dial in wrong:
        with pytest.raises(InputError, match="dial: expected a finite number from 0 to 1"):
            retell(base, dial)


@pytest.mark.slow
@pytest.mark.parametrize(("dial", "count"), [(0.0, 10_000), (0.5, 2_000), (1.0, 2_000)])
def test_a_large_sample_parses_back(dial: float, count: int) -> None:
    for start in range(0, count, 500):
        for teller in Stories(dialect=dial).tell(13, "train", start, 500):
            text = "".join(teller.texts)
            check(teller, parse(text))
            assert retell(text, dial).nats == teller.nats
