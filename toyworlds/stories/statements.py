"""Which sentences of a story the answer to a question follows from, by the effects of its events."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from toyworlds.stories import state
from toyworlds.stories.fill import forms
from toyworlds.stories.grammar import events
from toyworlds.stories.lexicon import COLORS, NOUNS
from toyworlds.stories.teller import Teller, scripts

Roles = Mapping[str, int]
Stated = tuple[tuple[int, ...], int]
"""The numbers of the sentences, last the one that states the answer, and the steps of inference."""
COLUMNS = {
    "ask_person": ("d", "place"),
    "ask_owner": ("o", "owner"),
    "ask_home": ("d", "home"),
    "home_is": ("a", "home"),
}
"""Questions that one entry of the state answers: whose entry, of which factor."""


def settled(t: Teller, column: int) -> tuple[int, ...]:
    """The sentences that say something about an entry of the state, whether or not it changes."""
    made = [scripts()[name].changes for name in events()]
    return tuple(k for k, roles in enumerate(t.roles) if column in state.touched(roles, made[t.events[k]]))


def handed(t: Teller, thing: int) -> int:
    """How often an object changed hands after somebody first had it."""
    holders = [row[state.HOLDER + thing] for row in t.rows]
    return sum(now not in (-1, then) for then, now in zip([-1, *holders[:-1]], holders, strict=True)) - 1


def stated(t: Teller, question: str, roles: Roles) -> Stated:
    """What the answer to `question` follows from; nothing for a fact that holds for everybody."""
    if question in COLUMNS:
        role, factor = COLUMNS[question]
        return settled(t, state.FACTORS[factor].start + roles[role])[-1:], 0
    return OTHERS[question](t, roles) if question in OTHERS else ((), 0)


def _holder(t: Teller, roles: Roles) -> Stated:
    return settled(t, state.HOLDER + roles["o"])[-1:], handed(t, roles["o"])


def _where(t: Teller, roles: Roles) -> Stated:
    thing = roles["o"]
    who = t.holder(thing)
    if who < 0:
        return settled(t, state.LIES + thing)[-1:], 1
    return (settled(t, state.HOLDER + thing)[-1], settled(t, state.PLACE + who)[-1]), 2


def _most(t: Teller, roles: Roles) -> Stated:
    return tuple(sorted({k for who in range(len(t.name)) for k in settled(t, state.RANK + who)})), 2


def _kept(t: Teller, roles: Roles) -> Stated:
    return tuple(sorted({settled(t, column + roles["o"])[-1] for column in (state.OWNER, state.HOLDER)})), 0


def _name(t: Teller, roles: Roles) -> Stated:
    characters = [event.characters for event in events().values()]
    for k, told in enumerate(t.roles):
        if any(told[role] == roles["d"] for role in characters[t.events[k]]):
            return (k,), 0
    return (), 0


def _color(t: Teller, roles: Roles) -> Stated:
    """Every sentence that names the object together with its color."""
    thing = roles["o"]
    both = [
        f"{forms(COLORS, '', spoken, False)[t.color[thing]]} {forms(NOUNS, '', spoken, False)[t.noun[thing]]}"
        for spoken in (0, 1)
    ]
    return tuple(k for k, text in enumerate(t.texts) if both[t.flags[k]] in text), 0


OTHERS: dict[str, Callable[[Teller, Roles], Stated]] = {
    "ask_holder": _holder,
    "ask_where": _where,
    "ask_day": lambda t, roles: (settled(t, state.DAY)[-1:], 0),
    "ask_tomorrow": lambda t, roles: (settled(t, state.DAY)[-1:], 1),
    "ask_most": _most,
    "beside_bed": _kept,
    "ask_name": _name,
    "ask_color": _color,
}
