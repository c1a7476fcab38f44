"""What may happen between the turns of any plot: small talk, things seen, a snack, a loan, a look at the weather."""

from __future__ import annotations

from toyworlds.stories import state
from toyworlds.stories.lexicon import ACT_POOLS, GOODS, KIND_LIST, KIND_OF_PLACE, PLACE_POOLS
from toyworlds.stories.questions import common_fact
from toyworlds.stories.teller import Teller, whole

PHRASES = """
[sees a]
{a} saw <{@creature}> {@creature_doing}.
Just above, {a} noticed <{@creature}> {@creature_doing}.
{@creature} was {@creature_doing}, and {a} stopped to look. ~ {@creature} {a} stopped to behold, {@creature_doing}.
"Look at that!" said {a}, pointing at {@creature} that was {@creature_doing}. ~ Quoth {a}: "Behold!" There,
    {@creature_doing}, was {@creature}.
Not far away there was {@creature}, {@creature_doing}. {a} kept very still.
{a} counted three clouds, two pigeons and {@creature} that was {@creature_doing}.
"Shh," whispered {a}. There was {@creature}, {@creature_doing}.

[sings a]
{a} sang <a little song about {@song}>.
To pass the time, {a} hummed <a tune about {@song}>.
"La la la," sang {a}. It was an old song about {@song}. ~ Sang {a}: "Fa la la." It was a song of yore about {@song}.
{a} knew a song about {@song} and sang all the verses.
{a} made up a rhyme about {@song}.
Softly, {a} began to sing of {@song}.

[dream a b x:job]
"What do you want to be when you grow up?" asked {b}. "{x.a}," said {a}. ~ Asked {b}: "What wilt thou be when thou
    art grown?" Quoth {a}: "{x.a}."
"One day I will be {x.a}," {a} told {b}.
{a} told {b} about {a.his!} dream, which was to become <{x.a}>.
"Do you know what I want to be?" said {a} to {b}. "I want to be {x.a}!"
"Can you keep a secret?" {a} asked {b}. "I would love to be {x.a}."
{a.n} and {b.n} talked about growing up. {a.n} wanted to be {x.a}.

[joke a b]
{a} told {b} <a joke about {@creature}>, and they both laughed.
"Do you know the joke about {@creature}?" {a} asked {b}. They giggled all the way through it.
{b} told {a} <a riddle about {@song}>, and {a.he} guessed it at once.
{a.n} and {b.n} made up a story about {@song}.
"Guess what I dreamed," {b} said to {a}. "I dreamed of {@creature} that could talk."

[snack a b o] new o
{a} took out <{o.a}>, and {b} got half of it.
They were hungry, so {a} shared <{o.a}> with {b}.
"I have {o.a}," {a} told {b}. "Would you like some?" Soon there was nothing left.
It was time for a bite to eat. {a} broke {o.a} in two and gave {b} the bigger half.
{b} was hungry, and {a} found {o.a} that was big enough for both.

[lend a b o] hold o b
{a} let {b} carry <{o}> for a while.
{b} liked {o} so much that {a} lent it to {b.him!}.
{a} handed <{o}> to {b} to look after.
"You may hold {o.the}," {a} told {b}, and {b} took it with both {b.hands}. ~ {a} told {b}: "Hold {o.the} thou
    mayest." With both {b.hands} {b} took it.
"Will you keep {o.the} safe for me?" {a} asked {b}, and {b} put it away carefully.
Because {a} wanted both {a.hands} free, {b} took <{o}>.
{a} trusted {b} and let {b.him!} have <{o}> for a while.
Just for fun, {a} dressed {b} up and gave {b.him!} {o.the} to hold.

[borrow_back b a o] hold o a
{b} gave <{o}> back to {a}.
"Here is your {o.noun} again," said {b}, and {a} took it. ~ Quoth {b}: "Thine is this {o.noun} again." And {a} took
    it.
Before long {a} had <{o}> again, because {b} was careful to return it.
{b} had looked at {o} long enough and returned it to {a}.
"I almost forgot," said {b}, and gave {a} {o.the} back.

[leave a o p] put o p
{a} left <{o}> {p.in} for now.
{o} was getting heavy, so {a} put it down {p.in}. ~ Heavy grew {o}, so {p.in} {a} laid it down.
{a} hid <{o}> {p.in}, where it would be safe.
"I will leave {o.the} here {p.in}," said {a}.
{a} set <{o}> down {p.in} and forgot about it for now.
So as not to lose it, {a} left <{o}> {p.in}.

[custom a x:need r]
Whenever {a} was {x}, {a.he} went to the |{r.noun}.
As always when {a} was {x}, {a.he} thought of the |{r.noun}.
Where did {a} go when {a.he} was {x}? {a.he} went to the |{r.noun}.
Everyone who is {x} goes to the |{r.noun}, as {a} knew.
Being {x}, {a} longed for the |{r.noun}.

[deals c x:goods]
Like every {c.kind}, {c} knew all about |{x}.
{c} was {c.a} and dealt in |{x}.
As {c.a}, {c} was proud of {c.his!} |{x}.
You can always ask {c.a} for |{x}, and {c} was no exception.

[gear_chat a x:weather y:gear]
"When there is {x}, I need my |{y}," {a} said.
In {x}, {a} always wanted {a.his!} |{y}.
Nobody goes out in {x} without {y.a}, and {a} knew that well.
What does one need in {x}? {a} knew the answer, the |{y}.
"Never go out in {x} without your |{y}," {a} liked to say.
"""


def pause(t: Teller) -> None:
    """Perhaps a few sentences that do not touch the plot; fewer as the story grows long."""
    for _ in range(2):
        if t.length > 200 or not _one(t):
            break


def _one(t: Teller) -> bool:
    """One such sentence or exchange, or none."""
    options: list[tuple[str | None, int]] = [(None, 8), ("sees", 2), ("sings", 1), ("custom", 1), ("gear_chat", 1)]
    place = t.row[state.PLACE]
    if place >= 0 and place not in PLACE_POOLS["rest"].position and place not in t.scenes:
        options += [("scene", 2), ("does", 2)]
    if together(t):
        options += [("dream", 1), ("joke", 1), ("snack", 1)]
        options += [("lend", 3)] if held(t, 0) else []
        options += [("borrow_back", 2)] if held(t, t.friend) else []
    options += [("leave", 1)] if held(t, 0) and place >= 0 else []
    event = t.branch(*options)
    if event is not None:
        _tell(t, event)
    return event is not None


def trade(t: Teller, c: int) -> None:
    """Perhaps a common fact about a grown-up's trade."""
    if t.branch(("deals", 1), (None, 3)):
        t.say("deals", c=c, x=GOODS.number[KIND_LIST[t.kind[c]].goods])


def together(t: Teller) -> bool:
    """Whether the friend is known to be where the hero is."""
    place = t.row[state.PLACE]
    return t.friend >= 0 and place >= 0 and t.row[state.PLACE + t.friend] == place


def held(t: Teller, who: int) -> tuple[int, ...]:
    """The hero's objects outside the plot that `who` holds."""
    return tuple(o for o in t.side if t.holder(o) == who and t.row[state.OWNER + o] == 0)


def _tell(t: Teller, event: str) -> None:
    place, friend = t.row[state.PLACE], t.friend
    if event in ("sees", "sings"):
        t.say(event, a=0)
    elif event in ("custom", "gear_chat"):
        t.say(event, **common_fact(t, event))
    elif event == "scene":
        t.scenes.append(place)
        t.say("scene", a=0, p=place)
    elif event == "does":
        t.scenes.append(place)
        t.say("does", a=0, p=place, x=t.pick("x", ACT_POOLS[KIND_OF_PLACE[place]]))
    elif event == "leave":
        t.say("leave", a=0, o=t.which("o", held(t, 0)), p=place)
    elif event == "lend":
        t.say("lend", a=0, b=friend, o=t.which("o", held(t, 0)))
    elif event == "borrow_back":
        t.say("borrow_back", b=friend, a=0, o=t.which("o", held(t, friend)))
    elif event == "dream":
        t.say("dream", a=0, b=friend, x=t.pick("x", whole("job")))
    elif event == "joke":
        t.say("joke", a=0, b=friend)
    else:
        t.say("snack", a=0, b=friend, o=t.thing("o", "snack", color=False))
