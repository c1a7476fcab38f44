"""Plot: something is carried to a relative far away, past an obstacle, and something else comes back."""

from __future__ import annotations

from toyworlds.stories.plots.between import pause
from toyworlds.stories.plots.common import COMPANIONS, OUTDOORS
from toyworlds.stories.teller import Teller, whole

PHRASES = """
[sends c a o y:day] new c; new o; hold o a; day y; mood a proud; aim a deliver o
On {y}, {c.n} gave {a} <{o.a}> and said, "You are big enough for an errand now."
{y} was the day of {a.s} first errand. {c.n} gave {a.him} {o.a} to deliver.
"Today is {y}, and you may do something important," said {c.n}, and put {o.a} into {a.s} {a.hands}.
"You know the way," {c.n} told {a} on {y}, and gave {a.him!} {o.a}.
Somebody was needed for an errand on {y}. {c.n} looked at {a}, and {a.he} was given {o.a}.

[to_whom c a o d r] new d; home d r; at d r
"Take {o.the} to {d.n}, who lives near {r}," said {c}, and {a} nodded.
{a} was to take {o} to {d.n}, who lived near {r}. "Be careful," {c} added.
"{d.n} lives near {r}," said {c}. "Bring {d.him} {o.the}, {a.n}, and do not dawdle."
{c} pointed down the road. "{d.n} lives near {r}," {c.he!} told {a}. "{d.he!} is waiting for {o.the}."
It was {d.n} who needed {o}. {c} told {a} to go to {r}, for that was where {d.n} lived.

[road a p o] at a p
The road led past {p}, and {a} carried {o} {@carrying}.
{a} {a.went} {p.to} first, with {o} {@carrying}.
With {o} {@carrying}, {a} came <{p.to}>.
It was a long walk. By noon {a} was {p.in}, with {o} {@carrying}.
{a} sang to {o} on the way {p.to}.

[barrier a]
But {@barrier}. How was {a} to get across?
There {a} had to stop, because {@barrier}.
{a} could not go on, for {@barrier}.
And then? {@barrier}, and {a} could not take another step.
{a} stared, because {@barrier}.

[sits_down a] mood a worried
{a} sat down on a stone and thought.
"What now?" said {a}. There was nobody to ask.
{a} looked left and right, but there was no other way.
{a} counted to one hundred, but no idea came.
"I must not turn back," said {a}, "but I cannot go on either."

[guide b a] new b; join b a
{b.a} named {b.n} saw {a} and came closer. "I know a way around," {b.he} said.
"Are you lost?" asked {b.a} named {b.n}. {a} shook {a.his!} head and pointed at the road.
{a} called for help, and {b.a} named {b.n} came running.
Up the road came {b.a} named {b.n}, who asked {a}, "Why are you standing here?"
Something rustled, and out came {b.a} named {b.n}. "Follow me," {b.he!} told {a}.

[guide_friend b a] join b a
Luckily {b} came by at that moment. "I know a way around, {a.n}," {b.he} said.
"{a.n}! What are you doing here?" called {b}, who happened to pass by.
And who came up the road, whistling? It was {b}, and {a} had never been so glad to see {b.him!}.
"Do you need me, {a.n}?" asked {b}, coming around the corner.

[tells_errand a b o d]
"I must take {o.the} to {d.n}," {a} told {b}.
{a} told {b} that {o} was for {d.n}.
"Who is {o.the} for?" asked {b}. "For {d.n}," said {a}.
{b} asked what {a} was carrying, and {a.he!} said that {o} was for {d.n}.
"{d.n} is waiting for {o.the}," {a} explained to {b}.

[carries b a o] hold o b
"Let me carry {o.the}, {a.n}," said {b}, and took it on one shoulder.
{a} was tired by now, so {b} took <{o}>.
{b} offered to carry {o}, and {a} was glad to hand it over.
"You look tired, {a.n}," said {b}. "Give me {o.the}."
{a} let {b} take <{o}> for a while.

[across b a]
{b} showed {a} {@way_across}.
{b} knew {@way_across} and led {a} by the hand.
With {b} in front and {a} behind, they found {@way_across}.
"This way, {a.n}," said {b}, and there was {@way_across}.
If {b} had not known {@way_across}, {a} would still be standing there.

[takes_back a b o] hold o a
On the other side {b} gave <{o}> back to {a}.
When they were safe, {a} took <{o}> again. "Thank you, {b.n}," {a.he} said.
"Now it is your turn again, {a.n}," said {b}, and handed back {o}.
{b} put {o} into {a.s} {a.hands} again. "It is your errand," {b.he!} said.
Safe and dry, {o} went back from {b} to {a}.

[arrives a d r] at a r
{a} saw the house of {d.n} near {r} and knocked at the door.
At last {a} reached {r}, and there stood {d.n} at the gate.
"Come in, come in!" called {d.n} when {a} came to {r}.
There was smoke above a roof near {r}. {d.n} was at home, and {a} ran the last few steps.
{a} knew the house near {r} at once. {d.n} was standing in the doorway.

[delivers a d o] hold o d; own o d; mood d happy; mood a proud; done a
{a} put <{o}> down in front of {d}.
"This is for you, {d.n}," said {a}, and handed over {o}.
{d} was delighted when {a} unpacked <{o}>.
"For me?" said {d}. {a} nodded, and {d.he} took {o} with a smile.
{a} was so proud to hand {o} to {d} that {a.he!} blushed.
{d} took <{o}> and kissed {a} on the cheek.

[rests a d x:need]
"You must be {x} after such a long way," said {d}, and {a} nodded.
{d} could see that {a} was {x} and looked after {a.him!}.
"Are you {x}, {a.n}?" asked {d}. {a} was, and {d} took care of it.
{d} only had to look at {a} to know that {a.he!} was {x}.

[reward d a q] new q; hold q a; own q a; mood a happy
Before {a} left, {d} gave {a.him!} <{q.a}>.
"And this is for your trouble, {a.n}," said {d}. It was {q.a}.
{d} opened a drawer and took out {q.a}. "Keep it, {a.n}," {d.he} said.
{d} did not let {a} go without a present. It was <{q.a}>.
"Every courier must be paid, {a.n}," said {d}, and gave {a.him} {q.a}.

[reports a c d] return a; join c a
When {a} was back, {c} wanted to know everything about {d}.
"Well done, {a.n}," said {c}. "{d.n} will be happy for days."
{c} was so proud of {a} that {c.he!} told all the neighbors about {d}.
{c} had been waiting at the window. {a} told {c.him!} how {d} was.
"Greetings from {d.n}!" {a} called to {c}.

[lesson_errand a]
From then on, {a} was sent on errands all the time.
All at once {a} felt as tall as a tree.
"I can do big things," thought {a}.
Who else can say that the first errand went so well? {a} can.
"When may I go again?" asked {a}.
"""


def errand(t: Teller) -> None:
    """Tell it."""
    a = 0
    c = t.person("c", ("kin", 1))
    o = t.thing("o", "bake", "goods", color=False)
    t.say("sends", c=c, a=a, o=o, y=t.pick("y", whole("day")))
    d = t.person("d", ("kin", 1))
    r = t.spot("r", *OUTDOORS)
    t.say("to_whom", c=c, a=a, o=o, d=d, r=r)
    t.paragraph()
    t.say("road", a=a, p=t.spot("p", "water", "wood", "hill", "field"), o=o)
    pause(t)
    t.say("barrier", a=a)
    if t.branch(("sits_down", 1), (None, 1)):
        t.say("sits_down", a=a)
    b = _helper(t)
    t.say("tells_errand", a=a, b=b, o=o, d=d)
    carried = t.branch(("carries", 1), (None, 1))
    if carried:
        t.say("carries", b=b, a=a, o=o)
    t.say("across", b=b, a=a)
    if carried:
        t.say("takes_back", a=a, b=b, o=o)
    else:
        t.say("thanks", a=a, c=b)
    t.paragraph()
    t.say("arrives", a=a, d=d, r=r)
    t.say("delivers", a=a, d=d, o=o)
    if t.branch(("rests", 1), (None, 2)):
        t.say("rests", a=a, d=d, x=t.pick("x", whole("need")))
    if t.branch(("reward", 2), (None, 1)):
        t.say("reward", d=d, a=a, q=t.thing("q", "shine", "wear", "toy"))
    if t.branch(("reports", 1), (None, 1)):
        t.say("reports", a=a, c=c, d=d)
    if t.branch(("lesson_errand", 1), (None, 1)):
        t.say("lesson_errand", a=a)


def _helper(t: Teller) -> int:
    """Somebody who knows the way."""
    if t.friend < 0:
        t.friend = t.person("b", *COMPANIONS)
        t.say("guide", b=t.friend, a=0)
    else:
        t.say("guide_friend", b=t.friend, a=0)
    return t.friend
