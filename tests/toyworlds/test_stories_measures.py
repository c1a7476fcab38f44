"""Entropy and text statistics of stories."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from toyworlds import Stories
from toyworlds.core.validate import InputError
from toyworlds.stories import lexicon
from toyworlds.stories.draws import LOG, Draws, Hero, weights
from toyworlds.stories.entropy import entropy
from toyworlds.stories.grammar import compile_template, events, parse_event
from toyworlds.stories.hero import priced
from toyworlds.stories.statistics import text_statistics
from toyworlds.stories.story import ALONE
from toyworlds.stories.teller import Teller, scripts
from toyworlds.stories.words import groups

DOCS = Path(__file__).resolve().parents[2] / "docs" / "stories.md"


def test_logs_are_right() -> None:
    assert LOG[1:5000] == pytest.approx([math.log(n) for n in range(1, 5000)], rel=1e-15, abs=1e-15)


def test_probabilities_of_any_weighted_choice_sum_to_one() -> None:
    for values in ((1,), (1, 2), (3, 3, 4), tuple(weight for _, weight in ALONE)):
        assert math.fsum(math.exp(-cost) for cost in weights(values).costs) == pytest.approx(1.0, abs=1e-12)


def test_the_cost_of_the_first_sentence_worked_by_hand() -> None:
    """A girl: 3 of 10, one of the girls' names, one of the traits; then one of the opening's templates."""
    teller = next(t for t in Stories().tell(0, "train", 0, 30) if t.kind[0] == lexicon.KINDS.number["girl"])
    probability = 0.3 / len(lexicon.NAME_POOLS["girl"]) / len(lexicon.TRAITS)
    template = scripts()["open"].event.templates[0][teller.templates[0]]
    lists = [len(slot.table) for slot in template.slots if slot.sort == "list" and slot.table is not None]
    expected = -math.log(probability) + math.log(len(events()["open"].templates[0])) + sum(map(math.log, lists))
    assert teller.nats[0] == pytest.approx(expected, rel=1e-12)


def test_draws_follow_their_weights() -> None:
    words = np.random.Generator(np.random.Philox(3)).integers(0, 2**64, 30_000, np.uint64).tolist()
    draws = Draws(words, Hero(0, 0, 0, 0.0))
    counts = np.bincount([int(draws.branch((("0", 1), ("1", 2), ("2", 7))) or 0) for _ in range(30_000)], minlength=3)
    expected = np.asarray([3_000, 6_000, 21_000])
    assert ((counts - expected) ** 2 / expected).sum() < 13.8  # chi-square, 2 degrees of freedom, p = 0.001


def test_skipping_never_draws_what_is_taken_and_reaches_the_rest() -> None:
    draws = Draws([k << 54 for k in range(1024)], Hero(0, 0, 0, 0.0))
    assert {draws.template(7, [0, 3, 6]) for _ in range(1000)} == {1, 2, 4, 5}


def test_entropy_is_the_mean_cost_given_the_split() -> None:
    world = Stories()
    found = entropy(world, 0, "validation", 50)
    costs = [math.fsum(teller.nats) for teller in world.tell(0, "validation", 0, 50)]
    words = sum(len("".join(teller.texts).split()) for teller in world.tell(0, "validation", 0, 50))
    share = 0.04965
    assert found.per_story == pytest.approx(np.mean(costs) + math.log(share), abs=0.01)
    assert found.per_word == pytest.approx(found.per_story * 50 / words)
    assert found.standard_error == pytest.approx(np.std(costs, ddof=1) / math.sqrt(50))
    with pytest.raises(InputError, match="count"):
        entropy(world, 0, "train", 1)


def test_the_dial_adds_the_entropy_of_its_coin_to_a_sentence() -> None:
    base, half = (Stories(dialect=dial).tell(0, "train", 0, 100) for dial in (0.0, 0.5))
    per_sentence = [sum(map(sum, (t.nats for t in told))) / sum(len(t.nats) for t in told) for told in (base, half)]
    assert per_sentence[1] - per_sentence[0] == pytest.approx(math.log(2), abs=0.25)


def test_the_hero_of_a_story_costs_what_the_split_says() -> None:
    fox, boy = lexicon.KINDS.number["fox"], lexicon.KINDS.number["boy"]
    animals, names = len(lexicon.KIND_POOLS["animal"]), len(lexicon.NAME_POOLS["animal"])
    assert priced(fox, 0, 0).nats == pytest.approx(-math.log(0.4 / animals / names / len(lexicon.TRAITS)))
    assert priced(boy, 0, 0).nats < priced(fox, 0, 0).nats


def test_statistics_worked_by_hand() -> None:
    found = text_statistics(['"Run, Tom!" said Mia. Tom ran.', "Mia's dog ran home."])
    assert (found["stories"], found["words"], found["types"]) == (2, 10, 8)
    assert found["words_a_sentence"] == pytest.approx(10 / 4)
    assert found["stories_with_speech"] == 0.5
    assert found["types_seen_once"] == 6
    assert found["words_a_story"] == 5
    assert found["distinct_runs"]["2"] == 1.0
    for texts in ([], [""], ["1 2 3", "?"]):
        with pytest.raises(InputError, match="texts: expected at least one text with a word"):
            text_statistics(texts)


def test_a_slot_knows_whether_it_can_be_a_subject_and_who_was_named_before() -> None:
    template = compile_template("{a} met {b}, and {a.he} told {b.him} that {a} was late.", {})
    assert [slot.subject for slot in template.slots] == [True, False, False, False, False]
    assert [slot.rivals for slot in template.slots] == [(), ("a",), ("b",), ("a",), ("b",)]
    assert [slot.capital for slot in template.slots] == [True, False, False, False, False]


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("give a b", "expected .event roles. effects"),
        ("[give a b o]\n{a} gave {o} away.", "does not show exactly the roles"),
        ("[sees a]\n{a.him.her} saw.", "does not show"),
        ("[sees a]\n{a.size} saw.", "unknown form 'size' of a character"),
    ],
)
def test_a_faulty_event_is_refused(block: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_event(block, 0)


def test_every_word_list_is_drawn_from() -> None:
    slots = [slot for event in events().values() for template in event.templates[0] for slot in template.slots]
    used = {slot.role for slot in slots if slot.sort == "list"}
    used |= {f"{slot.form}-{kind}" for slot in slots if slot.sort == "place" for kind in lexicon.KIND_OF_PLACE}
    used |= {f"went-{kind.moves}" for kind in lexicon.KIND_LIST}
    assert not set(lexicon.LISTS) - used
    assert {slot.table.name for slot in slots if slot.sort == "table" and slot.table} == set(lexicon.TYPED)


def test_a_word_list_that_is_written_wrong_is_refused() -> None:
    assert groups("one: a; b\n     c\ntwo: d e") == [("one", "a; b; c"), ("two", "d e")]
    for text in ("one: a\nb; c: d", "one:", "a; b"):
        with pytest.raises(ValueError, match="word list: expected head: rest"):
            groups(text)


def test_telling_something_just_decided_against_is_refused() -> None:
    teller = Teller(Draws([2**63] * 50, priced(0, 0, 0)))
    teller.enter(0, 0)
    teller.say("open", a=0, x=0)
    assert teller.branch(("sees", 1), (None, 9)) is None
    with pytest.raises(RuntimeError, match="would not show in the text"):
        teller.say("sees", a=0)


def test_examples_of_the_document_run() -> None:
    blocks = [part.partition("```")[0] for part in DOCS.read_text(encoding="utf-8").split("```python\n")[1:]]
    assert len(blocks) > 2
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "stories.md", "exec"), names)


def test_the_stories_of_the_document_are_those_of_the_world() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for story in Stories().generate(7, "train", 0, 3)["text"]:
        assert "\n>\n".join(f"> {paragraph}" for paragraph in story.split("\n")) in text
