"""How a story ends: a loan or a parting, the way home, questions about what happened, night."""

from __future__ import annotations

from toyworlds.stories import state
from toyworlds.stories.draws import Option
from toyworlds.stories.lexicon import KIND_LIST, NEED_PLACES, NEEDS, Pool
from toyworlds.stories.plots.between import held, together
from toyworlds.stories.plots.common import OUTDOORS
from toyworlds.stories.questions import ask, keeps, own_home
from toyworlds.stories.teller import Teller
from toyworlds.stories.world import OBJECTS

PHRASES = """
[lends_home a b o] hold o b
{a} let {b} take <{o}> home.
"Take {o.the} with you until next time," said {a}, and gave it to {b}.
{b} asked for {o}, and {a} lent it to {b.him!}.
"Can I borrow {o.the}?" {b} asked {a}, and {b.he} could.
{a} saw how much {b} liked {o} and let {b.him!} take it home.
"You may keep {o.the} until next week," {a} told {b}, and {b} took it.

[friend_leaves b r] at b r
Then it was time for {b} to leave. {b.he} {b.went} <{r.to}>.
{b} waved and {b.went} <{r.to}>.
"I must go {r.to}," said {b}, and off {b.he} went.
{b} had to be {r.in} soon, so {b.he!} said goodbye.
"See you soon!" called {b}, and {b.went} <{r.to}>.
Somebody was waiting for {b} {r.in}, so {b.he!} hurried off.
{b} looked back once more and {b.went} <{r.to}>.

[comes_home a c] new c; return a; join c a
When {a} came home, {c.n} was waiting {@at_door}.
{c.n} was waiting {@at_door} when {a} came home.
{a} {a.went} home, where {c.n} was {@at_work}.
"I am home!" {a} called. {c.n} was {@at_work}.
It was getting late, and {a} {a.went} home to {c.n}, who was {@at_work}.
{c.n} was {@at_work} when {a} opened the door.
"There you are at last!" said {c.n}, when {a} came home.

[comes_home_to a c] return a; join c a
When {a} came home, {c} was waiting {@at_door}.
{c} was waiting {@at_door} when {a} came home.
{a} {a.went} home, where {c} was {@at_work}.
It was getting late, and {a} {a.went} home to {c}, who was {@at_work}.
"There you are at last!" said {c} when {a} came home.

[tells_all a c]
{a} told {c} everything.
"You will never guess what happened," {a} told {c}.
"Did you have a good day, {a.n}?" asked {c}. {a} nodded.
{c} wanted to hear everything, and {a} did not leave anything out.
{a} talked so fast that {c} had to laugh.
"Tell me all about it," said {c}, and {a} did.
"You look happy, {a.n}," said {c}.

[ask_color c a o]
"What color is {o.the}?" asked {c}. "It is |{o.color}," said {a}. ~ Asked {c}: "What hue hath {o.the}?" Quoth {a}:
    "It is |{o.color}."
{c} asked {a} about {o.the}. "It is |{o.color}," {a} said. ~ Of {o.the} {c} asked {a}. Quoth {a}: "It is
    |{o.color}."
{c} wanted to know what color {o.the} was. "It is |{o.color}," said {a}. ~ {c} would know the hue of {o.the}. Quoth
    {a}: "It is |{o.color}."
"Tell me, {a.n}, what color is {o.the}?" said {c}. It was |{o.color}. ~ Quoth {c}: "Tell me, {a.n}, what hue hath
    {o.the}?" It was |{o.color}.

[ask_holder c a o d]
"Who has {o.the} now?" asked {c}. "It is with |{d.n}," said {a}. ~ Asked {c}: "Who hath {o.the} now?" Quoth {a}: "It
    is with |{d.n}."
{c} asked {a} who had {o.the}. It was with |{d.n}. ~ {c} asked {a} who had {o.the} in hand. It was with |{d.n}.
"Do you know who has {o.the}, {a.n}?" asked {c}. It was with |{d.n}. ~ Asked {c}: "Knowest thou who hath {o.the},
    {a.n}?" It was with |{d.n}.
"I no longer have {o.the}," {a} told {c}. "It is now with |{d.n}." ~ {a} telt {c}: "Nae mair have I {o.the}. It is
    noo wi |{d.n}."

[ask_owner c a o d]
"Whose is {o.the}?" asked {c}. "It belongs to |{d.n}," said {a}. ~ Asked {c}: "Whose is {o.the}?" Quoth {a}: "It
    belongs to |{d.n}."
{c} asked {a} whose {o.the} was. It belonged to |{d.n}. ~ Of {a} {c} asked whose {o.the} was. It belonged to
    |{d.n}.
"{o.the} is a fine one," said {c}. {a} explained that it belonged to |{d.n}. ~ Quoth {c}: "A braw one {o.the} is."
    {a} explained that it belanged to |{d.n}.

[ask_where c a o p]
"Where is {o.the} now?" asked {c}. "It is over at the |{p.noun}," said {a}. ~ Asked {c}: "Where is {o.the} now?"
    Quoth {a}: "It is over at the |{p.noun}."
{c} asked {a} where {o.the} was. It was over at the |{p.noun}. ~ {c} asked {a} where {o.the} might be. It was over
    at the |{p.noun}.
{a} told {c} that {o.the} was over at the |{p.noun}. ~ {a} telt {c} that {o.the} was ower at the |{p.noun}.

[ask_person c a d p]
"Where is {d.n} now?" asked {c}. "Over at the |{p.noun}," said {a}. ~ Asked {c}: "Where is {d.n} now?" Quoth {a}:
    "Over at the |{p.noun}."
{c} asked {a} where {d.n} was. The answer was the |{p.noun}. ~ {c} asked {a} where {d.n} might be. The answer was
    the |{p.noun}.
{a} told {c} that {d.n} was over at the |{p.noun}. ~ {a} telt {c} that {d.n} was ower at the |{p.noun}.

[ask_name c a d]
"What is the name of the {d.kind}?" asked {c}. "The {d.kind} is called |{d.n}," said {a}. ~ Asked {c}: "What is the
    name of the {d.kind}?" Quoth {a}: "The {d.kind} is hight |{d.n}."
{c} asked {a} for the name of the {d.kind}. The name was |{d.n}. ~ {c} asked {a} how the {d.kind} was hight. The
    name was |{d.n}.
"And who is the {d.kind}?" {c} asked {a}. Everybody called the {d.kind} |{d.n}. ~ {c} speired {a}: "And wha is the
    {d.kind}?" Ilkbody byhailed the {d.kind} |{d.n}.

[ask_day c a y:day]
"What day is it today?" asked {c}. "It is |{y}," said {a}. ~ Asked {c}: "What day have we?" Quoth {a}: "It is |{y}."
{c} asked {a} what day it was. It was |{y}. ~ {c} asked {a} what day they had. It was |{y}.
"Which day of the week is it?" asked {c}. It was |{y}. {a} knew that. ~ Asked {c}: "Which of the seven days have
    we?" It was |{y}. {a} kent that.

[ask_tomorrow c a y:day]
"What day will it be tomorrow?" asked {c}. "Tomorrow is |{y}," said {a}. ~ Asked {c}: "What day cometh on the
    morrow?" Quoth {a}: "The morrow is |{y}."
"Tomorrow is |{y}," {c} reminded {a}. ~ {c} reminded {a}: "The morrow is |{y}."
"What comes after today, {a.n}?" asked {c}. "After today comes |{y}." ~ Asked {c}: "What cometh after this day,
    {a.n}? After this day cometh |{y}."

[ask_home c a d p]
"Does {d.n} live far away?" asked {c}. "{d.n} lives near the |{p.noun}," said {a}. ~ Asked {c}: "Dwelleth {d.n} far
    hence?" Quoth {a}: "{d.n} dwells near the |{p.noun}."
{c} asked {a} where {d.n} lived. It was near the |{p.noun}. ~ {c} asked {a} where {d.n} dwelt. It was near the
    |{p.noun}.

[home_is a r]
{a} looked at the stars above {a.his!} home near the |{r.noun}.
What a good place to live, thought {a}, so near the |{r.noun}.
"There is no place like home," thought {a}, looking out at the |{r.noun}.
From the window {a} could see the |{r.noun}.

[beside_bed a o]
Before going to bed, {a} put away {a.his!} |{o.noun}.
{a} still had {a.his!} |{o.noun}.
Under the pillow, {a} kept {a.his!} |{o.noun}.
When {a} looked under the bed, there was {a.his!} |{o.noun}.
And where it belonged, in {a.his!} room, {a} placed {a.his!} |{o.noun}.

[supper c a o] new o
For supper, {c} had made <{o.a}>, and {a} had two helpings.
{c} gave {a} <{o.a}> that was still warm.
"Are you hungry, {a.n}?" asked {c}, and brought {o.a}.
The whole house smelled of {o.a}. {c} gave {a} the first piece.
There was {o.a} on the table, and {c} told {a} to sit down.

[need_now a x:need r] at a r
By now {a} was {x}, so {a.he} went to the |{r.noun}.
{a} was {x} after all that, and {a.he} went to the |{r.noun}.
It had been a long day. {a} was {x} and went to the |{r.noun}.
{a} noticed how {x} {a.he!} was. Off {a.he!} went to the |{r.noun}.
"I am so {x}!" said {a}, and went to the |{r.noun}.
The day had made {a} {x}. So where did {a.he!} go? To the |{r.noun}.

[night a] time night; mood a calm
That night, {a} {@slept}.
When the stars came out, {a} {@slept}.
{a} {@slept}, and {@night_scene}.
"What a day," said {a}, and {@slept}.
{@night_scene} that night, and {a} {@slept}.
Before long {a} {@slept}.
Outside {@night_scene}, and inside {a} {@slept}.
It grew dark. {a} {@slept}.
As soon as the lamp was out, {a} {@slept}.

[happy_end a b] mood a happy
{a.n} and {b.n} {@ever_after}.
And {a.n} and {b.n} {@ever_after}.
From that day on, {a.n} and {b.n} {@ever_after}.
After that, {a.n} and {b.n} {@ever_after}.
As for {a.n} and {b.n}, they {@ever_after}.
And so {a.n} and {b.n} {@ever_after}.
Ask anyone, and you will hear that {a.n} and {b.n} {@ever_after}.

[happy_alone a] mood a happy
{a} {@smiled_end}.
And {a} {@smiled_end}.
It was the best day of {a.s} life.
In the end {a} {@smiled_end}.
When all was said and done, {a} {@smiled_end}.
"""


EVENING_NEEDS = Pool(tuple(NEEDS.number[word] for word in ("tired", "hungry", "thirsty", "cold", "dirty")))

SHORT, LONG = 95, 350
"""Up to so many words a story goes on; beyond so many it stops."""


def end_story(t: Teller) -> None:
    """Tell the end; longer when the story has been short."""
    if t.length < 290:
        t.paragraph()
        _part(t)
        _home(t)
    t.paragraph()
    _last(t)


def _part(t: Teller) -> None:
    """The friend leaves, perhaps with something."""
    b = t.friend
    if b is None or not together(t):
        return
    things = held(t, 0)
    if things and t.branch(("lends_home", 1), (None, 1)):
        t.say("lends_home", a=0, b=b, o=t.which("o", things))
    if t.branch(("friend_leaves", 1), (None, 1)):
        t.say("friend_leaves", b=b, r=t.spot("r", *OUTDOORS))


def _kin(t: Teller) -> tuple[int | None, str | None]:
    """Who is at home, if known, and the event that brings the hero there; None when they are together already."""
    kin = next((who for who, kind in enumerate(t.kind) if KIND_LIST[kind].group == "kin"), None)
    if kin is None:
        return None, "comes_home"
    return kin, None if t.row[state.PLACE + kin] == t.row[state.PLACE] else "comes_home_to"


def at_home(t: Teller) -> int:
    """Bring the hero home to somebody who can ask questions; return that somebody."""
    c, event = _kin(t)
    if c is None:
        c = t.person("c", ("kin", 1))
    if event is not None:
        t.say(event, a=0, c=c)
    return c


def _home(t: Teller) -> None:
    """Somebody at home asks questions."""
    event = _kin(t)[1]
    if event is not None and t.branch((event, 2), (None, 1)) is None:
        return
    c = at_home(t)
    if t.branch(("tells_all", 1), (None, 2)):
        t.say("tells_all", a=0, c=c)
    if len(t.noun) < OBJECTS and t.branch(("supper", 1), (None, 3)):
        t.say("supper", c=c, a=0, o=t.thing("o", "dish", "bake", color=False))
    for _ in range(3):
        if t.length > 320 or not ask(t, c, 0):
            break


def _last(t: Teller) -> None:
    """The last sentences: none where the story has been long, several where it has been short."""
    happy = "happy_alone" if t.friend < 0 else "happy_end"
    if _wanted(t, (happy, 1), (None, 1)) == "happy_end":
        t.say("happy_end", a=0, b=t.friend)
    elif t.due:
        t.say("happy_alone", a=0)
    if _wanted(t, ("need_now", 1), (None, 3)):
        need = t.pick("x", EVENING_NEEDS)
        t.say("need_now", a=0, x=need, r=NEED_PLACES[need][t.flag()])
    kept, lives = keeps(t, 0, 0), own_home(t, 0, 0)
    options = ([("beside_bed", 3)] if kept else []) + ([("home_is", 2)] if lives else [])
    event = _wanted(t, *options, (None, 2)) if options else None
    if event == "beside_bed":
        t.say("beside_bed", a=0, **next(iter(kept.values())))
    elif event == "home_is":
        t.say("home_is", a=0, **lives[0])
    if _wanted(t, ("night", 2), (None, 3)):
        t.say("night", a=0)


def _wanted(t: Teller, *options: Option) -> str | None:
    """Choose a last sentence; always one in a short story, none in a long one."""
    if t.length > LONG:
        return None
    return t.branch(*[option for option in options if t.length > SHORT or option[0] is not None])
