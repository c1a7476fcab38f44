"""The probability of a story from its text: the teller runs again, its choices answered by the text.

    text -> parse -> the choice that each draw must have made -> the same story -> -log P(story)

If the story told again is the same text, letter by letter, the choices have been recovered from the text alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from toyworlds.core.validate import DataError, real
from toyworlds.stories import hero
from toyworlds.stories.draws import LOG, Hero, Option, Weights, dial_costs, weights
from toyworlds.stories.lexicon import KIND_LIST, KIND_OF_KIN, Pool
from toyworlds.stories.parse import Sentence, Story, parse
from toyworlds.stories.story import tell
from toyworlds.stories.teller import Teller


class Readings:
    """Answers a teller's choices from a story as read; the counterpart of `draws.Draws`."""

    def __init__(self, story: Story, dial: float = 0.0) -> None:
        self.sentences, self.place = story.sentences, 0
        self.nats = 0.0
        self.dial, self.costs = real("dial", dial, 0.0, 1.0), dial_costs(dial)

    @property
    def now(self) -> Sentence:
        """The sentence that is told next."""
        return self.sentences[self.place]

    def hero(self) -> Hero:
        """Kind, name and trait, as the first sentence shows them."""
        entered = self.now.entered
        found = hero.priced(entered["a.kind"], entered["a.name"], self.now.roles["x"])
        self.nats += found.nats
        return found

    def flag(self) -> int:
        """Whether the sentence is in the dialect; a ValueError where the dial is at the end that never tells it so."""
        spoken = self.now.spoken
        if self.dial == 1.0 - spoken:
            raise ValueError(f"at dial {self.dial:g} no sentence is in the {'dialect' if spoken else 'base language'}")
        self.nats += self.costs[spoken]
        return spoken

    def below(self, high: int, label: int) -> int:
        """The entry that slot `label` shows."""
        self.nats += LOG[high]
        return self.now.drawn[label]

    def weighted(self, table: Weights, label: int) -> int:
        """The option that slot `label` shows."""
        self.nats += table.costs[self.now.drawn[label]]
        return self.now.drawn[label]

    def branch(self, options: tuple[Option, ...]) -> str | None:
        """The event of the sentence if it is among the options, else None."""
        events = [event for event, _ in options]
        ahead = self.now.event.name if self.place < len(self.sentences) else None
        chosen = events.index(ahead if ahead in events else None)
        self.nats += weights(tuple([weight for _, weight in options])).costs[chosen]
        return events[chosen]

    def group(self, role: str, groups: tuple[tuple[str, int], ...]) -> str:
        """The group that the new character belongs to."""
        if self.now.entered[f"{role}.name"] in KIND_OF_KIN:
            group = "kin"
        else:
            group = KIND_LIST[self.now.entered[f"{role}.kind"]].group
        if len(groups) > 1:
            table = weights(tuple([weight for _, weight in groups]))
            self.nats += table.costs[[name for name, _ in groups].index(group)]
        return group

    def has(self, label: str, table: Weights) -> bool:
        """Whether the new object shows the attribute."""
        has = self.now.entered[label] >= 0
        self.nats += table.costs[has]
        return has

    def template(self, count: int, told: list[int]) -> int:
        """The template of the sentence."""
        self.nats += LOG[count - len(told)]
        return self.now.template

    def pick(self, label: str, pool: Pool, taken: list[int]) -> int:
        """The position of the entry that the sentence shows."""
        self.nats += LOG[len(pool) - len(taken)]
        known = self.now.entered if "." in label else self.now.roles
        return pool.position[known[label]]

    def which(self, role: str, candidates: Sequence[int]) -> int:
        """The place of the entity that the sentence shows."""
        self.nats += LOG[len(candidates)]
        return candidates.index(self.now.roles[role])


class Reteller(Teller):
    """A teller whose choices are read; it goes on to the next sentence of the text after each that it tells."""

    def __init__(self, readings: Readings) -> None:
        super().__init__(readings)
        self.readings = readings

    def say(self, name: str, **roles: int) -> None:
        """Tell the event, and turn to the next sentence."""
        super().say(name, **roles)
        self.readings.place += 1


def retell(text: str, dial: float = 0.0) -> Teller:
    """Tell the story `text` again from its own choices; a DataError says where it cannot be told by the grammar.

    `dial` is that of the dialect in the world whose story it is: at 0 no sentence of the dialect can be told, at 1 none
    of the base language.

    >>> retell(text).nats[0] > 0                                     # doctest: +SKIP
    True
    """
    story = parse(text)
    teller = Reteller(Readings(story, dial))
    try:
        tell(teller)
    except (KeyError, ValueError, IndexError, RuntimeError) as error:
        told = "".join(teller.texts)[-60:]
        raise DataError(f"text: the grammar cannot go on after {told!r} ({type(error).__name__}: {error})") from None
    if "".join(teller.texts) != text:
        raise DataError("text: told again from its choices, it comes out differently")
    return teller
