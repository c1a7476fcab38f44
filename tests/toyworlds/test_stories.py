"""The story world: its rows, its splits, its dial."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from toyworlds import Stories
from toyworlds.core.content import content_hash
from toyworlds.core.ragged import Ragged
from toyworlds.core.storage import open_dataset, write_dataset
from toyworlds.core.validate import InputError, from_dict
from toyworlds.stories import hero, lexicon, state
from toyworlds.stories.dialect import VOWEL_SOUND, WORDS
from toyworlds.stories.grammar import IN_FULL, events
from toyworlds.stories.plots import PLOTS
from toyworlds.world import WORLDS

GOLDEN = Path(__file__).resolve().parents[1] / "data" / "golden_stories.json"
WORD = re.compile(r"[\w'-]+")


@pytest.fixture(scope="module")
def rows() -> dict[str, np.ndarray | Ragged]:
    return Stories().generate(0, "train", 0, 300)


@pytest.fixture(scope="module")
def texts(rows: dict[str, np.ndarray | Ragged]) -> list[str]:
    return [str(text) for text in rows["text"]]


@pytest.mark.parametrize("name", json.loads(GOLDEN.read_text(encoding="utf-8")))
def test_golden_hashes_hold(name: str) -> None:
    entry = json.loads(GOLDEN.read_text(encoding="utf-8"))[name]
    world = from_dict(WORLDS[entry["world"]], entry["config"], "config")
    assert {split: content_hash(world, entry["seed"], split, n) for split, n in entry["rows"].items()} == entry[
        "sha256"
    ]


def test_stories_have_80_to_400_words_and_all_differ(texts: list[str]) -> None:
    lengths = [len(text.split()) for text in texts]
    assert min(lengths) >= 80
    assert max(lengths) <= 400
    assert len(set(texts)) == len(texts)


def test_sentences_end_where_the_column_says(rows: dict[str, np.ndarray | Ragged], texts: list[str]) -> None:
    ends = rows["sentence_end"]
    for text, row in zip(texts, ends, strict=True):
        assert row[-1] == len(text)
        cuts = [0, *row.tolist()]
        for start, end in itertools.pairwise(cuts):
            sentence = text[start:end]
            assert sentence.rstrip() == sentence
            assert sentence[-1] in '.!?"'
            assert start == 0 or sentence[0] in " \n"


@pytest.mark.parametrize("dial", [0.0, 1.0])
def test_nothing_is_left_unfilled_and_sentences_begin_with_capitals(dial: float) -> None:
    for teller in Stories(dialect=dial).tell(8, "train", 0, 300):
        text = "".join(teller.texts)
        assert not re.search(r"[{}%<>|~@]|  | [.,!?]|[,.][,.]|None", text), text
        for line in text.split("\n"):
            assert line[0] in '"' or line[0].isupper(), line
            assert line.count('"') % 2 == 0
        for begin in re.findall(r"[a-z][.!?] (\w+)", re.sub(r'"[^"]*"', "", text)):
            assert begin[0].isupper(), begin
        for begin in re.findall(r'(?:^|[.!?:]"? |\n)"(\w+)', text):
            assert begin[0].isupper(), begin


def test_articles_agree(texts: list[str]) -> None:
    silent = ("hour", "honest")
    long_u = ("uni", "uku", "use", "one")
    for article, word in re.findall(r"\b(an?) ([a-z]+)", " ".join(texts)):
        vowel = word.startswith(silent) or (word[0] in "aeiou" and not word.startswith(long_u))
        assert (article == "an") == vowel, f"{article} {word}"


def test_the_state_holds_what_the_columns_say(rows: dict[str, np.ndarray | Ragged]) -> None:
    teller = Stories().tell(0, "train", 17, 1)[0]
    told = np.asarray(teller.rows)
    for name, part in state.FACTORS.items():
        np.testing.assert_array_equal(rows[name][17], told[:, part])
    np.testing.assert_array_equal(rows["day"][17], told[:, state.DAY])
    np.testing.assert_array_equal(rows["time"][17], told[:, state.TIME])
    np.testing.assert_array_equal(rows["cost"][17], teller.nats)
    assert rows["name"][17].tolist() == teller.name + [-1] * (6 - len(teller.name))
    assert rows["noun"][17].tolist() == teller.noun + [-1] * (8 - len(teller.noun))


def test_whoever_or_whatever_is_in_the_state_has_entered(rows: dict[str, np.ndarray | Ragged]) -> None:
    for row in range(50):
        people, things = (rows["name"][row] >= 0).sum(), (rows["noun"][row] >= 0).sum()
        assert rows["place"][row][:, people:].max(initial=-1) == -1
        assert rows["holder"][row][:, things:].max(initial=-1) == -1
        assert rows["holder"][row].max() < people
        assert rows["owner"][row].max() < people
        assert rows["want"][row].max() < max(things, 1)
        held = rows["holder"][row] >= 0
        assert (rows["lies"][row][held] == -1).all()


def test_constants_name_the_numbers(rows: dict[str, np.ndarray | Ragged], texts: list[str]) -> None:
    constants = Stories().constants(0)
    for row in range(20):
        for name in rows["name"][row]:
            assert name < 0 or constants["names"][name] in texts[row]
        for noun in rows["noun"][row]:
            assert noun < 0 or constants["nouns"][noun] in texts[row]
    assert constants["events"][rows["event"][0][0]] == "open"
    assert constants["days"].tolist()[:2] == ["Monday", "Tuesday"]


def test_it_is_written_and_opened_like_any_world(tmp_path: Path) -> None:
    data = write_dataset(Stories(dialect=0.5), 3, {"train": 20, "test": 5}, tmp_path / "stories")
    again = open_dataset(tmp_path / "stories")
    assert again.verify() == {"train": 20, "test": 5}
    read = again.read("test")
    np.testing.assert_array_equal(read["text"], Stories(dialect=0.5).generate(3, "test", 0, 5)["text"])
    assert 0.2 < read["spoken"].values.mean() < 0.8
    assert data.constants()["moods"][1] == "happy"


def test_every_plot_event_and_template_is_told() -> None:
    told: Counter[tuple[int, int]] = Counter()
    for teller in Stories().tell(5, "train", 0, 2500):
        told.update(zip(teller.events, teller.templates, strict=True))
    in_stories = [event for event in events().values() if not event.name.endswith(IN_FULL)]
    for event in in_stories:
        assert any(told[event.number, k] for k in range(len(event.templates[0]))), event.name
    missing = [(e.name, k) for e in in_stories for k in range(len(e.templates[0])) if not told[e.number, k]]
    assert len(missing) <= 10, missing
    assert set(PLOTS) <= set(events())


def test_no_hero_of_one_split_is_the_hero_of_another() -> None:
    world = Stories()
    seen: dict[tuple[int, int, int], str] = {}
    for seed, split in itertools.product((0, 1), world.splits()):
        for found in hero.heroes(seed, world.name, split, 0, 400):
            key = found[:3]
            assert seen.setdefault(key, split) == split
    assert len(set(seen.values())) == 3


def test_the_split_of_a_hero_can_be_read_from_the_first_sentence() -> None:
    for split in Stories().splits():
        for teller in Stories().tell(2, split, 0, 20):
            trait = teller.roles[0]["x"]
            kind, name = (np.asarray([x], np.uint64) for x in (teller.kind[0], teller.name[0]))
            assert hero.belongs(kind, name, np.asarray([trait], np.uint64), split)[0]
            for word in (lexicon.NAMES.forms[""][teller.name[0]], lexicon.TRAITS.forms[""][trait]):
                assert word in teller.texts[0] or word.capitalize() in teller.texts[0]


def test_shares_of_the_splits_sum_to_one_and_are_what_is_drawn() -> None:
    shares = {split: hero.share(split) for split in hero.SPLITS}
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-12)
    for split, (low, high) in hero.SPLITS.items():
        assert shares[split] == pytest.approx(high - low, abs=2e-3)


def test_the_mixing_of_a_key_is_the_published_one() -> None:
    """First outputs of SplitMix64 seeded with 1234567: the finaliser of the seed plus multiples of the golden ratio."""
    steps = (1234567 + 0x9E3779B97F4A7C15 * np.arange(1, 4, dtype=object)) % 2**64
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert hero.mix(steps.astype(np.uint64)).tolist() == expected


def test_dial_at_none_speaks_no_dialect_and_at_full_nothing_else(texts: list[str]) -> None:
    dialect_words = {word.lower() for phrase in WORDS.values() for word in WORD.findall(phrase)}
    names = {word.lower() for name in lexicon.NAMES.forms[""] for word in WORD.findall(name)}
    assert not {word.lower() for text in texts for word in WORD.findall(text)} & (dialect_words - names)
    full = Stories(dialect=1.0).tell(0, "train", 0, 40)
    assert all(flag == 1 for teller in full for flag in teller.flags)
    spoken = Counter(word.lower() for teller in full for text in teller.texts for word in WORD.findall(text))
    assert sum(count for word, count in spoken.items() if word in dialect_words) > 0.2 * spoken.total()


def test_the_dial_is_the_share_of_sentences_and_leaves_the_rest_alone() -> None:
    base, some, full = (Stories(dialect=dial).tell(4, "train", 0, 200) for dial in (0.0, 0.3, 1.0))
    flags = [flag for teller in some for flag in teller.flags]
    error = (0.3 * 0.7 / len(flags)) ** 0.5
    assert abs(np.mean(flags) - 0.3) < 4 * error
    same = 0
    for one, other, whole in zip(base, some, full, strict=True):
        assert one.events == other.events == whole.events
        assert one.templates == other.templates == whole.templates
        assert (one.name, one.noun, one.color) == (other.name, other.noun, other.color)
        plain = [a == b for a, b, flag in zip(one.texts, other.texts, other.flags, strict=True) if not flag]
        same += all(plain)
        assert not any(a == b for a, b in zip(one.texts, whole.texts, strict=True))
    assert same > 190  # all but those in which a custom comes up again


def test_words_of_the_dialect_are_foreign_to_the_base_and_lose_nothing() -> None:
    tables = [lexicon.KINDS, lexicon.COLORS, lexicon.LOOKS, lexicon.NOUNS, lexicon.PLACES]
    tables += [*lexicon.TYPED.values(), *lexicon.LISTS.values()]
    base = {w.lower() for table in tables for words in table.forms.values() for x in words for w in WORD.findall(x)}
    base |= {
        w.lower() for e in events().values() for t in e.templates[0] for w in WORD.findall(t.text.replace("%s", " "))
    }
    for phrase in WORDS.values():
        assert not set(WORD.findall(phrase)) & base, phrase
    for table in tables:
        for form, words in table.forms.items():
            assert len(set(table.dialect[form])) == len(set(words)), (table.name, form)


def test_no_name_is_a_word_of_the_dialect() -> None:
    names = {word.lower() for name in lexicon.NAMES.forms[""] for word in name.split()}
    assert not names & set(WORDS.values())


@pytest.mark.parametrize("dial", [0.0, 1.0])
def test_articles_fit_the_words_behind_them(dial: float) -> None:
    found = Counter[tuple[bool, bool]]()
    for text in Stories(dial).generate(9, "train", 0, 300)["text"]:
        for article, word in re.findall(r"\b(an?) (\w+)", str(text), re.IGNORECASE):
            found[article.lower() == "an", VOWEL_SOUND.match(word) is not None] += 1
            assert (article.lower() == "an") == (VOWEL_SOUND.match(word) is not None), (article, word)
    assert len(found) == 2


def test_no_night_passes_before_the_last_sentence() -> None:
    """What day it is stays true: no sentence but those of the kind `night`, or that name a day, goes to another."""
    nights = re.compile(r"\b(that night|night before|next (morning|day)|in the morning|days went by)\b", re.IGNORECASE)
    named = {event.name for event in events().values() if any(effect[0] == "day" for effect in event.effects)}
    for event in events().values():
        if event.name not in {"night", *named}:
            assert not any(nights.search(template.text) for template in event.templates[0]), event.name


def test_a_day_that_is_named_is_today() -> None:
    for event in events().values():
        if lexicon.DAYS in dict(event.typed).values() and not event.name.startswith("ask_"):
            assert ("day", "y") in event.effects, event.name
            assert not any(re.search(r"every %s|having a birthday on", t.text, re.I) for t in event.templates[0])


def test_looks_fit_the_thing() -> None:
    sizes = set(lexicon.LOOK_POOLS["size"].ids)
    for teller in Stories().tell(5, "train", 0, 300):
        for noun, look in zip(teller.noun, teller.look, strict=True):
            assert look < 0 or look in sizes | set(lexicon.LOOK_POOLS[lexicon.LOOKS_OF[noun]].ids)
    assert lexicon.LOOKS_OF[lexicon.NOUNS.number["wheelbarrow"]] == "tool"


def test_whoever_reports_is_home_again() -> None:
    number, found = events()["reports"].number, 0
    for teller in Stories().tell(7, "train", 0, 400):
        for place, event in enumerate(teller.events):
            if event == number:
                row, roles = teller.rows[place], teller.roles[place]
                home = row[state.HOME + roles["a"]]
                assert row[state.PLACE + roles["a"]] == row[state.PLACE + roles["c"]] == home
                found += 1
    assert found > 5


def test_every_template_of_the_dialect_differs_from_every_base_template_of_its_event() -> None:
    for event in events().values():
        plain, spoken = ({(t.text, *((s.role, s.form) for s in t.slots)) for t in told} for told in event.templates)
        assert len(plain) == len(spoken) == len(event.templates[0])
        assert not plain & spoken, event.name


def test_customs_differ_between_the_languages() -> None:
    assert all(base != other for base, other in lexicon.NEED_PLACES)
    assert all(base != other for base, other in lexicon.GEAR_WORDS)
    animals = [kind for kind in lexicon.KIND_LIST if kind.group == "animal"]
    assert len(animals) > 50
    assert all(kind.home[0] != kind.home[1] and kind.food[0] != kind.food[1] for kind in animals)


@pytest.mark.parametrize("dial", [-0.1, 1.5, "much"])
def test_a_dial_that_does_not_exist_is_refused(dial: object) -> None:
    with pytest.raises(InputError, match="dialect: expected a finite number from 0 to 1"):
        Stories(dialect=dial)  # type: ignore[arg-type]


def test_a_story_stops_after_so_many_sentences() -> None:
    whole = Stories().tell(0, "train", 0, 1)[0].texts
    assert Stories().tell(0, "train", 0, 1, limit=1)[0].texts == whole[:1]
    assert Stories().tell(0, "train", 0, 1, limit=1000)[0].texts == whole
    for limit in (0, -1, "x"):
        with pytest.raises(InputError, match="limit: expected a whole number of at least 1"):
            Stories().tell(0, "train", 0, 1, limit=limit)  # type: ignore[arg-type]


def test_thousands_of_words(texts: list[str]) -> None:
    assert len({word.lower() for text in texts for word in re.findall(r"[A-Za-z]+", text)}) > 3000
