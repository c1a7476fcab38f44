"""Plot: something is needed to make something; it has been lent from one neighbor to the next."""

from __future__ import annotations

from toyworlds.stories.plots.between import pause, trade
from toyworlds.stories.plots.common import OUTDOORS, outing
from toyworlds.stories.teller import Teller, whole

PHRASES = """
[plan a x:project] aim a make
{a} had a plan. {a.he} wanted to build <{x.a}>.
"I am going to build {x.a}!" said {a} one day.
{a} had dreamed of <{x.a}> for a long time, and now {a.he} wanted to build one.
What {a} wanted most of all was <{x.a}>. "I will build one," {a.he} decided.
One morning {a} woke up and knew it. {a.he!} would build <{x.a}>.
{a} drew {x.a} on a piece of paper. "That is what I shall build," {a.he!} said.

[needs_tool a o x:project] new o; aim a get o
There was only one problem. {a} needed <{o.a}> for the {x} and did not have one.
For {x.a} one needs {o.a}, and {a} looked for one in vain.
"Without {o.a} it will never be {x.a}," said {a}.
How can one build {x.a} without {o.a}? {a} could not.
{a} had everything for the {x} but {o.a}.

[asks_first a c o] new c; join c a
So {a} asked {c.n} the {c.kind} for <{o}>.
{c.n} the {c.kind} had {o.a}, as {a} knew.
There {a} met {c.n} the {c.kind} and asked for {o}.
The first person {a} met was {c.n} the {c.kind}, so {a} asked about {o}.
"Good day, {c.n}," {a} said to the {c.kind}. "Do you have {o.a}?"

[lent_on c d o r] new d; at d r; hold o d
"I have lent {o.the} to {d.n} the {d.kind}," said {c}. "You will find {d.him} {r.in}."
{c} shook {c.his!} head. "{d.n} the {d.kind} has {o.the} now, {r.in}," {c.he} said.
"What a pity," said {c}. "{d.n} the {d.kind}, {r.in}, borrowed {o.the} yesterday."
"You have come too late," said {c}. "{o.the} is with {d.n} the {d.kind}, {r.in}."
{c} had given <{o}> to {d.n} the {d.kind}, who was working {r.in}.

[goes_on a d r] at a r
So {a} {a.went} {r.to}, where {d} was hard at work.
{a} {a.went} {r.to} as fast as {a.he} could and found {d} there.
{r.in}, {a} found {d} and said hello.
It was a long way {r.to}, but there was {d}, and {a} ran up to {d.him!}.
{d} looked up in surprise when {a} came {r.to}.

[lends d a o] hold o a
"Yes, I have {o.the}," said {d}. "Take it, {a.n}, but bring it back."
{d} was just finished and gave {o} to {a}.
{d} went to get {o} and handed it to {a}.
"For you, {a.n}, always," said {d}, and gave {a.him} {o.the}.
{d} liked the plan, and so {a} got <{o}>.

[builds a x:project]
{a} worked and worked, and slowly the {x} took shape.
First {a} {@measured}, then {a.he} hammered and painted, and in the end there stood {x.a}.
All day long {a} worked on <the {x}>.
{a} {@measured}. Bit by bit the {x} grew.
Hammering and singing, {a} built {x.a}.

[from_what a x:material y:material]
{a} used {x} and {y}, and a little paint.
It was made of {x} and {y}, all of which {a} had found near home.
"Now some {x}, and then some {y}," {a} muttered.
{a} did not need much, only {x}, {y} and good ideas.
Piece by piece, {a} put {x} and {y} together.

[goes_wrong a x:project] mood a angry
But the {x} fell apart, and {a} {@stamped}.
Crash! The {x} fell over, and {a} had to begin again.
The first {x} was so crooked that {a} took it apart.
The wind blew, and the {x} was no more. {a} {@stamped}.
{a} stepped back to look. The {x} swayed, and then it came down.

[second_pair b a] join b a
{b} came by and held everything in place, so that {a} had both {a.hands} free.
"You need somebody to hold it," said {b} to {a}.
Then {b} offered to help {a}.
"Four {b.hands} are better than two," said {b}, and {a} was glad.
Lucky for {a}, {b} was good at this kind of thing and gave a {b.hand}.

[second_pair_new b a] new b; join b a
{b.a} named {b.n} came by and held everything in place, so that {a} had both {a.hands} free.
"You need somebody to hold it," {b.a} named {b.n} told {a}.
"Can I help?" asked {b.a} named {b.n}, and {a} was glad.
{b.a} named {b.n} had been watching {a} and gave a {b.hand}.

[finished a x:project] mood a proud; done a
At last the {x} was finished, and {a} {@admired}.
"Look at my {x}!" cried {a}. Everybody came running.
{a} painted {a.his!} name on the {x} and was very proud.
One last nail, and the {x} was done. {a} {@admired}.
When the {x} stood there at last, {a} {@admired}.

[brings_back a d o r] at a r; at d r; hold o d
Then {a} {a.went} {r.to} and brought <{o}> back to {d}.
{a} did not forget <{o}>. {a.he} took it {r.to} and gave it to {d}.
"Here is {o.the}, just as I promised," said {a} when {a.he} saw {d} {r.in}.
A promise is a promise. {a} {a.went} {r.to} and gave <{o}> back to {d}.
{d}, who was still {r.in}, was surprised to get {o} back from {a} so soon.

[praises d a]
"You may borrow anything from me, {a.n}," said {d}.
{d} was pleased that {a} had kept {a.his!} promise.
"Somebody who brings things back is always welcome, {a.n}," said {d}.
"I wish everyone were like you, {a.n}," said {d}.
{d} gave {a} a friendly nod. "Come again," {d.he!} said.
"""


def borrow(t: Teller) -> None:
    """Tell it."""
    a, x = 0, t.pick("x", whole("project"))
    t.say("plan", a=a, x=x)
    tool = t.thing("o", "mend", "dig", "cut", "reach", color=False)
    t.say("needs_tool", a=a, o=tool, x=x)
    outing(t, *OUTDOORS)
    pause(t)
    c = t.person("c", ("adult", 1))
    t.say("asks_first", a=a, c=c, o=tool)
    trade(t, c)
    d = t.person("d", ("adult", 1))
    r = t.spot("r", *OUTDOORS)
    t.say("lent_on", c=c, d=d, o=tool, r=r)
    t.paragraph()
    t.say("goes_on", a=a, d=d, r=r)
    if t.branch(("lent_on", 1), (None, 2)):
        e = t.person("d", ("adult", 1))
        r = t.spot("r", *OUTDOORS)
        t.say("lent_on", c=d, d=e, o=tool, r=r)
        t.say("goes_on", a=a, d=e, r=r)
        d = e
    t.say("lends", d=d, a=a, o=tool)
    t.say("thanks", a=a, c=d)
    t.paragraph()
    _build(t, x)
    t.say("brings_back", a=a, d=d, o=tool, r=r)
    if t.branch(("praises", 1), (None, 1)):
        t.say("praises", d=d, a=a)


def _build(t: Teller, x: int) -> None:
    """Make the thing, not always at the first attempt."""
    t.say("builds", a=0, x=x)
    if t.branch(("from_what", 1), (None, 1)):
        first = t.pick("x", whole("material"))
        t.say("from_what", a=0, x=first, y=t.pick("y", whole("material"), (first,)))
    if t.branch(("goes_wrong", 1), (None, 1)):
        t.say("goes_wrong", a=0, x=x)
        if t.friend < 0:
            t.friend = t.person("b", ("girl", 1), ("boy", 1), ("animal", 1))
            t.say("second_pair_new", b=t.friend, a=0)
        else:
            t.say("second_pair", b=t.friend, a=0)
    t.say("finished", a=0, x=x)
