"""The state of a story: who is where, how they feel, what they want, who holds what, what day it is.

The state is one row of small whole numbers, -1 for what has not been told; what is said changes it by the effects
that the grammar lists for each event, and by nothing else, so a reader who knows the events knows the state.

    place  mood  want  aim  home  rank     of each of 6 characters, in order of appearance
    holder  lies  owner                    of each of 6 objects, in order of appearance
    day  time

`want` and `aim` say what a character is after: an object, and what for. `rank` orders those who were compared
(0 the least). `holder` and `owner` are characters; `lies` is the place of an object that nobody holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from toyworlds.stories.lexicon import AIMS, DAYS, MOODS, PLACES, TIMES
from toyworlds.stories.world import CHARACTERS, OBJECTS, OF_CHARACTER, OF_OBJECT

FACTORS: dict[str, slice] = {
    name: slice(i * CHARACTERS, (i + 1) * CHARACTERS) for i, name in enumerate(OF_CHARACTER)
} | {
    name: slice(6 * CHARACTERS + i * OBJECTS, 6 * CHARACTERS + (i + 1) * OBJECTS) for i, name in enumerate(OF_OBJECT)
}
PLACE, MOOD, WANT, AIM, HOME, RANK = (FACTORS[name].start for name in OF_CHARACTER)
HOLDER, LIES, OWNER = (FACTORS[name].start for name in OF_OBJECT)
DAY = OWNER + OBJECTS
TIME = DAY + 1
SIZE = TIME + 1
HIGHEST = {"place": len(PLACES) - 1, "mood": len(MOODS) - 1, "want": OBJECTS - 1, "aim": len(AIMS) - 1}
HIGHEST |= {"home": len(PLACES) - 1, "rank": CHARACTERS - 1, "holder": CHARACTERS - 1, "lies": len(PLACES) - 1}
HIGHEST |= {"owner": CHARACTERS - 1, "day": len(DAYS) - 1, "time": len(TIMES) - 1}

Row = list[int]
Roles = Mapping[str, int]
Effect = Callable[[Row, Roles], None]


def blank() -> Row:
    """Return the state before the first sentence."""
    return [-1] * SIZE


def effect(words: tuple[str, ...]) -> Effect | None:
    """Compile one effect of the grammar; None for those that change nothing here (`new`).

    at a p        a is at place p                  join a b      a is where b is
    hold o a      a holds o                        put o p       o lies at p; nobody holds it
    drop o a      o lies where a is                gone o        nobody knows where o is
    own o a       o belongs to a                   home a p      a lives by p
    mood a happy  a feels happy                    aim a find o  a wants o in order to find it
    aim a learn   a wants to learn something       done a        a wants nothing any more
    return a      a is at home, wherever that is
    rank a 2      a comes above those of rank < 2  day x, time x it is the day, the time x
    """
    return EFFECTS[words[0]](*words[1:]) if words[0] != "new" else None


def _at(who: str, where: str) -> Effect:
    def change(row: Row, roles: Roles) -> None:
        row[PLACE + roles[who]] = roles[where]

    return change


def _join(who: str, other: str) -> Effect:
    def change(row: Row, roles: Roles) -> None:
        row[PLACE + roles[who]] = row[PLACE + roles[other]]

    return change


def _hold(what: str, who: str) -> Effect:
    def change(row: Row, roles: Roles) -> None:
        row[HOLDER + roles[what]] = roles[who]
        row[LIES + roles[what]] = -1

    return change


def _put(what: str, where: str) -> Effect:
    def change(row: Row, roles: Roles) -> None:
        row[HOLDER + roles[what]] = -1
        row[LIES + roles[what]] = roles[where]

    return change


def _drop(what: str, who: str) -> Effect:
    def change(row: Row, roles: Roles) -> None:
        row[HOLDER + roles[what]] = -1
        row[LIES + roles[what]] = row[PLACE + roles[who]]

    return change


def _gone(what: str) -> Effect:
    def change(row: Row, roles: Roles) -> None:
        row[HOLDER + roles[what]] = row[LIES + roles[what]] = -1

    return change


def _own(what: str, who: str) -> Effect:
    def change(row: Row, roles: Roles) -> None:
        row[OWNER + roles[what]] = roles[who]

    return change


def _home(who: str, where: str) -> Effect:
    def change(row: Row, roles: Roles) -> None:
        row[HOME + roles[who]] = roles[where]

    return change


def _mood(who: str, mood: str) -> Effect:
    number = MOODS.number[mood]

    def change(row: Row, roles: Roles) -> None:
        row[MOOD + roles[who]] = number

    return change


def _aim(who: str, aim: str, what: str = "") -> Effect:
    number = AIMS.number[aim]

    def change(row: Row, roles: Roles) -> None:
        row[AIM + roles[who]] = number
        row[WANT + roles[who]] = roles[what] if what else -1

    return change


def _return(who: str) -> Effect:
    def change(row: Row, roles: Roles) -> None:
        row[PLACE + roles[who]] = row[HOME + roles[who]]

    return change


def _rank(who: str, rank: str) -> Effect:
    number = int(rank)

    def change(row: Row, roles: Roles) -> None:
        row[RANK + roles[who]] = number

    return change


def _day(day: str) -> Effect:
    def change(row: Row, roles: Roles) -> None:
        row[DAY] = roles[day]

    return change


def _time(time: str) -> Effect:
    fixed = TIMES.number.get(time)

    def change(row: Row, roles: Roles) -> None:
        row[TIME] = roles[time] if fixed is None else fixed

    return change


EFFECTS: dict[str, Callable[..., Effect]] = {
    "at": _at,
    "join": _join,
    "hold": _hold,
    "put": _put,
    "drop": _drop,
    "gone": _gone,
    "own": _own,
    "home": _home,
    "mood": _mood,
    "aim": _aim,
    "done": lambda who: _aim(who, "none"),
    "return": _return,
    "rank": _rank,
    "day": _day,
    "time": _time,
}
