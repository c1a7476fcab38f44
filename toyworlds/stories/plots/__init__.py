"""The plots of the story world, and what stands before, between and after their turns.

One plot is one file: its sentences (the notation of :mod:`toyworlds.stories.grammar`), then the function that tells
it. A plot begins with an event of its own, its hook, so the text shows which plot was chosen.
"""

from __future__ import annotations

from collections.abc import Callable

from toyworlds.stories.plots import (
    between,
    borrow,
    broken,
    common,
    ending,
    errand,
    fear,
    gift,
    hungry,
    hunt,
    in_full,
    learn,
    lost,
    missing,
    newcomer,
    opening,
    quarrel,
    rescue,
    storm,
    stuck,
    tallest,
    trick,
)
from toyworlds.stories.teller import Teller

_FILES = (opening, common, between, borrow, broken, errand, fear, gift, hungry, hunt, learn, lost, missing, newcomer)
PHRASES = [file.PHRASES for file in (*_FILES, quarrel, rescue, storm, stuck, tallest, trick, ending, in_full)]
"""The grammar's sentences, in the order that numbers the events."""

PLOTS: dict[str, Callable[[Teller], None]] = {
    "treasure": lost.lost,
    "new_toy": stuck.stuck,
    "dull_day": quarrel.quarrel,
    "birthday": gift.gift,
    "birthday_new": gift.gift,
    "borrows": broken.broken,
    "borrows_new": broken.broken,
    "afraid": fear.fear,
    "sends": errand.errand,
    "quiet_path": hungry.hungry,
    "hero_day": rescue.rescue,
    "contest_day": tallest.tallest,
    "plan": borrow.borrow,
    "wants_skill": learn.learn,
    "envied": trick.trick,
    "news": newcomer.newcomer,
    "little_one": missing.missing,
    "picnic_plan": storm.storm,
    "game": hunt.hunt,
}
"""Every plot by its hook."""
NEED_FRIEND = ("birthday", "borrows")
NEED_NONE = ("birthday_new", "borrows_new", "quiet_path", "news")
