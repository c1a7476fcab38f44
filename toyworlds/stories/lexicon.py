"""The words of the story world as numbered tables: entry i of a table is the number i in every state column.

A table holds each entry in one or more forms ("garden" as "the garden", "in the garden", "to the garden"), each in
the base language and in the dialect (:mod:`toyworlds.stories.dialect`).

>>> PLACES.forms["in"][PLACES.number["garden"]]
'in the garden'
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from toyworlds.stories.dialect import translate, with_article
from toyworlds.stories.words import entries, groups, kinds, lists, names, pairs, places, things, traits

HE, SHE = 0, 1


@dataclass(frozen=True)
class Table:
    """Numbered entries in several forms, each in the base language and the dialect; the form "" is the plain one."""

    name: str
    forms: dict[str, tuple[str, ...]]
    same: tuple[str, ...] = ()
    """Entries that the dialect leaves alone: words that mean something else elsewhere."""
    dialect: dict[str, tuple[str, ...]] = field(init=False)
    number: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        plain = self.forms[""]
        if len(set(plain)) != len(plain):
            twice = sorted({entry for entry in plain if plain.count(entry) > 1})
            raise ValueError(f"table {self.name}: {', '.join(twice)} twice")
        spoken = {
            form: tuple(entry if entry in self.same else translate(entry) for entry in words)
            for form, words in self.forms.items()
        }
        for forms in (self.forms, spoken):
            forms.setdefault("a", tuple(with_article(entry) for entry in forms[""]))
        object.__setattr__(self, "dialect", spoken)
        object.__setattr__(self, "number", {entry: i for i, entry in enumerate(plain)})

    def __len__(self) -> int:
        return len(self.forms[""])


@dataclass(frozen=True)
class Pool:
    """The entries of a table that a choice may fall on, and the place of each among them."""

    ids: tuple[int, ...]
    position: dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "position", {number: i for i, number in enumerate(self.ids)})

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Kind:
    """What is known of a kind of character; home and food are (base, dialect) words."""

    word: str
    group: str
    moves: str = "walk"
    home: tuple[str, str] = ("", "")
    food: tuple[str, str] = ("", "")
    goods: str = ""

    @property
    def hand(self) -> str:
        """What a character of this kind takes things with."""
        if self.group != "animal":
            return "hand"
        for limb, words in kinds.LIMBS.items():
            if self.word in words.split():
                return limb
        return "wing" if self.moves == "fly" else "paw"

    @property
    def hands(self) -> str:
        """Plural of :attr:`hand`."""
        return "hooves" if self.hand == "hoof" else self.hand + "s"


def plain(name: str, words: Sequence[str], same: tuple[str, ...] = ()) -> Table:
    """Table of `words` in one form."""
    return Table(name, {"": tuple(words)}, same)


def verbs(name: str, phrases: Sequence[str]) -> Table:
    """Table of phrases ``verb:verb-ing rest`` in the forms "" and "ing"."""
    split = [phrase.partition(":") for phrase in phrases]
    base = [head + tail.removeprefix(tail.split(" ")[0]) for head, _, tail in split]
    return Table(name, {"": tuple(base), "ing": tuple(tail for _, _, tail in split)})


def _numbered(table: Table, grouped: list[tuple[str, list[str]]]) -> dict[str, Pool]:
    """Pools of `table` by group; groups of one name are joined."""
    pools: dict[str, tuple[int, ...]] = {}
    for group, words in grouped:
        pools[group] = pools.get(group, ()) + tuple(table.number[word] for word in words)
    return {group: Pool(ids) for group, ids in pools.items()}


def _animal(word: str, rest: str) -> Kind:
    (moves, *base), other = (half.split(", ") for half in rest.split("; "))
    return Kind(word, "animal", moves, (base[0], other[0]), (base[1], other[1]))


_KIN = [(kind, words.split()) for kind, words in groups(names.KIN)]
KIND_LIST = (
    [Kind("girl", "girl"), Kind("boy", "boy")]
    + [_animal(word, rest) for word, rest in groups(kinds.ANIMALS)]
    + [Kind(kind, "kin") for kind, _ in _KIN]
    + [Kind(word, "adult", goods=goods) for word, goods in pairs(kinds.ADULTS)]
)
KINDS = plain("kind", [kind.word for kind in KIND_LIST])
KIND_POOLS = _numbered(KINDS, [(kind.group, [kind.word]) for kind in KIND_LIST])

_PEOPLE = (
    [(name, SHE, "girl") for name in names.GIRLS.split()]
    + [(name, HE, "boy") for name in names.BOYS.split()]
    + [(name, SHE, "animal") for name in names.ANIMALS_SHE.split()]
    + [(name, HE, "animal") for name in names.ANIMALS_HE.split()]
    + [(name, SHE if "mother" in kind else HE, "kin") for kind, words in _KIN for name in words]
    + [(f"Miss {name}", SHE, "adult") for name in names.SURNAMES.split()]
    + [(f"Mister {name}", HE, "adult") for name in names.SURNAMES.split()]
)
NAMES = plain("name", [name for name, _, _ in _PEOPLE])
NAMES.dialect.update(NAMES.forms)
GENDER = tuple(gender for _, gender, _ in _PEOPLE)
NAME_POOLS = _numbered(NAMES, [(group, [name]) for name, _, group in _PEOPLE])
KIND_OF_KIN = {NAMES.number[name]: KINDS.number[kind] for kind, words in _KIN for name in words}

COLORS = plain("color", things.COLORS.split())
_LOOKS = [(group, words.split()) for group, words in groups(things.LOOKS)]
LOOKS = plain("look", [word for _, words in _LOOKS for word in words])
LOOK_POOLS = _numbered(LOOKS, _LOOKS)

_THINGS = [(group, words.split()) for group, words in groups(things.THINGS)]
_GOODS = [(group, words.split()) for group, words in groups(things.GOODS)]
_FOODS = [(group, words.split()) for group, words in groups(things.FOODS)]
NOUNS = plain("noun", [word for _, words in [*_THINGS, *_GOODS, *_FOODS] for word in words], ("saw",))
NOUN_POOLS = _numbered(NOUNS, [*_THINGS, *_GOODS, *_FOODS, ("keepsake", [w for _, words in _THINGS for w in words])])
LOOKS_OF = {
    NOUNS.number[word]: look
    for look, grouped in (("thing", _THINGS), ("tool", _GOODS), ("food", _FOODS))
    for _, words in grouped
    for word in words
}
"""The group of words for the look of each noun, beside the sizes."""

_SPOTS = [(*head.split(), word) for head, words in groups(places.PLACES) for word in words.split()]
PLACES = Table(
    "place",
    {
        "": tuple(f"the {word}" for *_, word in _SPOTS),
        "in": tuple(f"{where} the {word}" for _, where, word in _SPOTS),
        "to": tuple(f"to the {word}" for *_, word in _SPOTS),
        "noun": tuple(word for *_, word in _SPOTS),
    },
)
PLACES.number.update({word: i for i, (*_, word) in enumerate(_SPOTS)})
PLACE_POOLS = _numbered(PLACES, [(group, [word]) for group, _, word in _SPOTS])
KIND_OF_PLACE = tuple(group for group, _, _ in _SPOTS)

_ACTS = [(group, entries(text)) for group, text in groups(places.ACTS)]
ACTS = verbs("act", [phrase for _, phrases in _ACTS for phrase in phrases])
_ACT_OF = {phrase: ACTS.forms[""][i] for i, phrase in enumerate(phrase for _, p in _ACTS for phrase in p)}
ACT_POOLS = _numbered(ACTS, [(group, [_ACT_OF[phrase] for phrase in phrases]) for group, phrases in _ACTS])

TRAITS = Table(
    "trait",
    {
        "": tuple(word for word, _ in pairs(traits.TRAITS)),
        "line": tuple(line for _, line in pairs(traits.TRAITS)),
    },
)
MOODS = plain("mood", traits.MOODS.split())
AIMS = plain("aim", traits.AIMS.split())
DAYS = plain("day", traits.DAYS.split())
TIMES = plain("time", traits.TIMES.split())
NEEDS = plain("need", [word for word, _ in pairs(traits.NEEDS)])
NEED_PLACES = tuple(tuple(PLACES.number[word] for word in rest.split()) for _, rest in pairs(traits.NEEDS))
WEATHERS = plain("weather", [word for word, _ in pairs(traits.GEAR)])
GEAR_WORDS = tuple(tuple(rest.split()) for _, rest in pairs(traits.GEAR))
GEAR = plain("gear", list(dict.fromkeys(word for words in GEAR_WORDS for word in words)))
FEARS = plain("fear", entries(traits.FEARS))
SKILLS = verbs("skill", entries(traits.SKILLS))
PROJECTS = plain("project", entries(traits.PROJECTS))
_CONTESTS = [(word, *forms.split()) for word, forms in pairs(traits.CONTESTS)]
CONTESTS = Table(
    "contest", {form: tuple(words[i] for words in _CONTESTS) for i, form in enumerate(("", "more", "most"))}
)
JOBS = plain("job", [kind.word for kind in KIND_LIST if kind.group == "adult"])
MATERIALS = plain("material", things.MATERIALS.split(), ("felt",))
HOMES = plain("den", list(dict.fromkeys(word for kind in KIND_LIST for word in kind.home if word)))
EATEN = plain("eaten", list(dict.fromkeys(word for kind in KIND_LIST for word in kind.food if word)))
GOODS = plain("goods", list(dict.fromkeys(kind.goods for kind in KIND_LIST if kind.goods)))

_TYPED = [TRAITS, ACTS, DAYS, TIMES, NEEDS, WEATHERS, GEAR, FEARS, SKILLS, PROJECTS, CONTESTS, JOBS]
TYPED = {table.name: table for table in [*_TYPED, MATERIALS, HOMES, EATEN, GOODS]}
"""Tables that an argument of an event may come from, by name."""
LISTS = {name: plain(f"@{name}", entries(words)) for name, words in groups(lists.LISTS)}
LISTS |= {f"went-{way}": plain(f"@went-{way}", entries(words)) for way, words in groups(kinds.MOVES)}
"""Word lists that a template draws from, by name."""
