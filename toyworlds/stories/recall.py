"""Storage of new facts: so many facts are stated, something else is told, and one of the facts is asked for.

Jasmine had a blue drum. She also had a red kite. ...    `facts` sentences, each with its own thing and color
... so many words about other things ...                 until `distance` words lie between fact and answer
"What color is the drum?" asked Mom. "It is              answer blue, candidates all colors
"""

from __future__ import annotations

from collections.abc import Iterator

from toyworlds.core.seeds import Stream
from toyworlds.core.validate import choice, integer
from toyworlds.stories import state
from toyworlds.stories.draws import SLOTS, Draws
from toyworlds.stories.hero import heroes
from toyworlds.stories.lexicon import ACT_POOLS, KIND_OF_PLACE
from toyworlds.stories.plots.common import DAYTIME, OUTDOORS
from toyworlds.stories.prompts import Prompt, Wanted, make_prompt
from toyworlds.stories.questions import common_fact
from toyworlds.stories.teller import Teller, whole
from toyworlds.stories.world import OBJECTS, Stories

PLAN, SENTENCES = 1024, 256
WORDS_PER_PROMPT = PLAN + SLOTS * SENTENCES + SENTENCES
"""Random words set aside for a prompt: its plan, the slots of its sentences, and which are in the dialect."""
QUESTION = 25
"""About so many words lead from the filling to the answer."""
LONGEST = 1500
FILLING = (("goes", 3), ("scene", 3), ("does", 3), ("sees", 2), ("sings", 2), ("custom", 1), ("gear_chat", 1))


def recall_prompts(
    world: Stories,
    seed: int,
    count: int,
    *,
    facts: int = 1,
    distance: int = 100,
    split: str = "test",
    in_full: bool = False,
) -> list[Prompt]:
    """Return `count` prompts that state `facts` colors and ask for one of them about `distance` words later.

    Which one is drawn evenly, so when the later facts fill more than `distance` words, the distance is longer;
    each prompt says what it is. At most 8 facts and 1500 words. `in_full` as in
    :func:`toyworlds.stories.prompts.prompts`.
    """
    found = []
    for number, (teller, asked) in enumerate(
        recalled(world, "recall", seed, count, facts=facts, distance=distance, split=split)
    ):
        prompt = make_prompt(teller, Wanted("ask_color", "factual", asked, facts, in_full=in_full), number)
        if prompt is None:
            raise RuntimeError("a stated color can always be asked for")
        found.append(prompt)
    return found


def recalled(
    world: Stories, name: str, seed: int, count: int, *, facts: int, distance: int, split: str
) -> Iterator[tuple[Teller, int]]:
    """Tell `count` beginnings, and which fact stands `distance` words before an answer; `name` is of their stream."""
    choice("split", split, world.splits())
    integer("count", count, 0)
    integer("facts", facts, 1, OBJECTS)
    integer("distance", distance, 0, LONGEST)
    stream = Stream(seed, world.name, name, split, facts, distance)
    for number, hero in enumerate(heroes(seed, f"{world.name} recall {facts} {distance}", split, 0, count)):
        words = stream.words(number * WORDS_PER_PROMPT, WORDS_PER_PROMPT).tolist()
        teller = Teller(Draws(words[:-SENTENCES], hero, world.dialect, words[-SENTENCES:], PLAN))
        yield teller, _told(teller, facts, distance)


def _told(t: Teller, facts: int, distance: int) -> int:
    """Tell one beginning; return which fact is asked for."""
    hero = t.draws.hero()
    t.enter(hero.kind, hero.name)
    t.say("open", a=0, x=hero.trait)
    ends = []
    for fact in range(facts):
        t.say("has_also" if fact else "has", a=0, o=t.own("o", color=True))
        ends.append(t.words)
    asked = t.which("o", range(facts))
    t.paragraph()
    place = t.spot("p", *OUTDOORS)
    t.say("day", a=0, p=place, y=t.pick("y", whole("day")), z=t.pick("z", DAYTIME))
    last = "day"
    while t.words - ends[asked] < distance - QUESTION:
        options = [(event, weight) for event, weight in FILLING if event != last]
        last = str(t.branch(*options))
        _fill(t, last)
    return asked


def _fill(t: Teller, event: str) -> None:
    """A sentence that has nothing to do with the facts."""
    place = t.row[state.PLACE]
    if event == "goes":
        t.paragraph()
        t.say("goes", a=0, p=t.spot("p", *OUTDOORS))
    elif event == "does":
        t.say("does", a=0, p=place, x=t.pick("x", ACT_POOLS[KIND_OF_PLACE[place]]))
    elif event == "scene":
        t.say("scene", a=0, p=place)
    elif event in ("custom", "gear_chat"):
        t.say(event, **common_fact(t, event))
    else:
        t.say(event, a=0)
