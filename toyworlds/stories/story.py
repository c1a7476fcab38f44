"""A whole story: opening, plot, ending."""

from __future__ import annotations

from toyworlds.stories.plots import NEED_FRIEND, NEED_NONE, PLOTS
from toyworlds.stories.plots.ending import end_story
from toyworlds.stories.plots.opening import open_story
from toyworlds.stories.teller import Teller

WITH_FRIEND = tuple((hook, 1) for hook in PLOTS if hook not in NEED_NONE)
ALONE = tuple((hook, 1) for hook in PLOTS if hook not in NEED_FRIEND)


def tell(t: Teller) -> Teller:
    """Tell a story to its end."""
    open_story(t, t.draws.hero())
    t.paragraph()
    hook = t.branch(*(ALONE if t.friend < 0 else WITH_FRIEND))
    PLOTS[str(hook)](t)
    end_story(t)
    t.nats[-1] += t.draws.nats
    return t
