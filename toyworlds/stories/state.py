"""The state of a story: who is where, how they feel, what they want, who holds what, what day it is.

The state is one row of small whole numbers, -1 for what has not been told; what is said changes it by the effects
that the grammar lists for each event, and by nothing else, so a reader who knows the events knows the state.

    place  mood  want  aim  home  rank     of each of 6 characters, in order of appearance
    holder  lies  owner                    of each of 8 objects, in order of appearance
    day  time

`want` and `aim` say what a character is after: an object, and what for. `rank` orders those who were compared
(0 the least). `holder` and `owner` are characters; `lies` is the place of an object that nobody holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from toyworlds.stories.lexicon import AIMS, MOODS, TIMES
from toyworlds.stories.world import CHARACTERS, OBJECTS, OF_CHARACTER, OF_OBJECT

Row = list[int]
Roles = Mapping[str, int]
Source = int | str | tuple[int, str]
"""A new value: a constant, the entity of a role, or an entry of the state (first column of a factor, role)."""
Change = tuple[int, str, Source]
"""First column of a factor, the role whose entry changes ("" for day and time), and the new value."""

_WIDTHS = [(name, CHARACTERS) for name in OF_CHARACTER] + [(name, OBJECTS) for name in OF_OBJECT]
FACTORS: dict[str, slice] = {}
for _name, _width in _WIDTHS:
    _start = max((part.stop for part in FACTORS.values()), default=0)
    FACTORS[_name] = slice(_start, _start + _width)
PLACE, MOOD, WANT, AIM, HOME, RANK = (FACTORS[name].start for name in OF_CHARACTER)
HOLDER, LIES, OWNER = (FACTORS[name].start for name in OF_OBJECT)
DAY = FACTORS["owner"].stop
TIME = DAY + 1
SIZE = TIME + 1


def blank() -> Row:
    """Return the state before the first sentence."""
    return [-1] * SIZE


def changes(effect: tuple[str, ...]) -> list[Change]:
    """Compile one effect of the grammar.

    at a p        a is at place p                  join a b      a is where b is
    return a      a is at home                     home a p      a lives near p
    hold o a      a holds o                        put o p       o lies at p; nobody holds it
    gone o        nobody knows where o is          own o a       o belongs to a
    mood a happy  a feels happy                    rank a 2      a comes above those of rank < 2
    aim a find o  a wants o in order to find it    aim a learn   a wants to learn something
    done a        a wants nothing any more         new a         a enters the story: nothing changes here
    day x         it is the day x                  time x        it is the time x, or the time so named
    """
    name, who, *rest = effect
    what = rest[0] if rest else ""
    if name == "aim":
        return [(AIM, who, AIMS.number[what]), (WANT, who, rest[1] if len(rest) > 1 else -1)]
    made: dict[str, list[Change]] = {
        "at": [(PLACE, who, what)],
        "join": [(PLACE, who, (PLACE, what))],
        "return": [(PLACE, who, (HOME, who))],
        "home": [(HOME, who, what)],
        "hold": [(HOLDER, who, what), (LIES, who, -1)],
        "put": [(HOLDER, who, -1), (LIES, who, what)],
        "gone": [(HOLDER, who, -1), (LIES, who, -1)],
        "own": [(OWNER, who, what)],
        "mood": [(MOOD, who, MOODS.number.get(what, -1))],
        "rank": [(RANK, who, int(what) if what.isdigit() else -1)],
        "done": [(AIM, who, AIMS.number["none"]), (WANT, who, -1)],
        "new": [],
        "day": [(DAY, "", who)],
        "time": [(TIME, "", TIMES.number.get(who, who))],
    }
    return made[name]


def change(row: Row, roles: Roles, made: list[Change]) -> None:
    """Change the state."""
    for start, role, source in made:
        if isinstance(source, int):
            value = source
        elif isinstance(source, str):
            value = roles[source]
        else:
            value = row[source[0] + roles[source[1]]]
        row[start + roles[role] if role else start] = value


def touched(roles: Roles, made: list[Change]) -> Iterator[int]:
    """Yield the columns that an event settles, whether or not they change."""
    for start, role, _ in made:
        yield start + roles[role] if role else start
