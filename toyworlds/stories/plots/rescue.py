"""Plot: somebody small is trapped; it takes several to pull."""

from __future__ import annotations

from toyworlds.stories.plots.between import pause
from toyworlds.stories.plots.common import COMPANIONS, company, outing
from toyworlds.stories.teller import Teller

PHRASES = """
[hero_day a]
This is how {a} became a hero.
Nobody expected {a} to become a hero, {a} least of all.
Some days begin like all others and end like no other, as {a} found out.
Would you think that somebody like {a} could save a life?
"Me, a hero?" {a} would have said that morning. "Never!"
Heroes are not always big, and {a} is the proof.

[cry a p] mood a worried
"Help! Help!" A voice was calling {p.in}, and {a} ran to see.
{a} stopped. Was somebody calling for help {p.in}?
All at once {a} heard <a thin little voice> {p.in}. It was calling for help.
The wind carried a cry to {a}. It came from somewhere {p.in}.
"Is anybody there?" a voice called {p.in}. {a} ran as fast as {a.he!} could.

[trapped c a p] new c; at c p; mood c scared
{c.a} named {c.n} {@trapped} {p.in}. "Please get me out!" {c.he} begged {a}.
{a} saw {c.a} {@trapped_who} {p.in}. {c.his!} name was {c.n}.
There, {p.in}, was {c.a} named {c.n}, who {@trapped}. {a} felt sorry for {c.him}.
{a} came closer. {c.a} {@trapped} {p.in}. It was {c.n}, and {c.he!} could not move.
It was {c.a} named {c.n}. {c.he!} {@trapped} {p.in} and stretched out {c.his!} arms to {a}.

[calms a c]
"Don't be afraid, {c.n}," said {a}. "I will get you out."
{a} talked to {c} {@softly}, so that {c.he!} would not be so afraid.
"What happened?" asked {a}. "I was not looking where I was going," said {c}.
"Keep still, {c.n}," said {a}. "I am here."
{a} sang something to {c}, because that helps against fear.

[pulls_alone a c]
{a} took hold of {c} and pulled with all {a.his!} might, but nothing moved.
{a} pulled and pulled, but {c} only sank in deeper.
"One, two, three!" said {a}, and pulled {c} by the arm. It was no use.
{a} got hold of {c} and leaned back. Nothing moved, nothing at all.
"Hold on to me, {c.n}!" said {a}. But {a} was not strong enough.

[too_weak a] mood a sad
"I am not strong enough," said {a}.
{a} was out of breath. Alone it could not be done.
{a} had to think of something else, and quickly.
{a} sat down to think. It had to be done with brains.
"We need more {a.hands}," said {a}.

[fetch_tool a d q] new d; join d a; new q; own q d; hold q a
{a} ran to {d.n} the {d.kind}, who came along at once and gave {a.him!} {q.a}.
"Take this!" shouted {d.n} the {d.kind}, who had heard everything, and threw {a} {q.a}.
Luckily {d.n} the {d.kind} lived close by. {d.he} gave {a} {q.a} and came along.
Not far away {d.n} the {d.kind} was at work. {a} called, and {d.he} brought {q.a} and gave it to {a.him}.
"Will {q.a} do?" asked {d.n} the {d.kind}, coming along and handing it to {a}.

[ties a c q] hold q c
{a} held out {q}, and {c} grabbed it.
"Hold on to {q.the}!" called {a}, and {c} took it.
{c} caught one end of {q} that {a} had thrown.
{a} pushed {q} over to {c}, who held it with all {c.his!} might.
It took three tries, but then {c} had {q} that {a} was holding out.

[pull_two a b c]
Then {a.n} and {b.n} pulled together, and slowly, inch by inch, {c.n} came free.
"Heave!" shouted {a.n}. "Ho!" shouted {b.n}. With a pop, {c.n} was free.
{a.n} pulled, {b.n} pulled, and {c.n} kicked, until {c.he} was out at last.
"All together!" said {b.n}. {a.n} pulled too, and little by little {c.n} came out.
{a.n} and {b.n} pulled until their {a.hands} hurt. Then {c.n} flew out like a cork.

[free c a] mood c happy; mood a proud; done a
{c} fell into {a.s} arms, laughing and crying.
{c} was muddy from head to toe, but safe. {a} wiped {c.his} face.
"I am free!" cried {c}, and hugged {a}.
{c} shook {c.self} and then {c.he!} laughed. "Thank you, {a.n}," {c.he!} said.
For a while {c} could only cling to {a}.

[returns_tool c d q] hold q d
{c} did not forget to give {d} <{q}> back.
"This is yours, I think," said {c}, and handed {q} to {d}.
{d} got {q} back from {c}, wet but whole.
{c} still had {q} and gave it to {d}.
"Without {q.the} I would still be in there," {c} told {d}, and handed it back.

[thank_gift c a o] new o; own o a; hold o a; mood a thankful
{c} had something for {a}. It was <{o.a}>.
"You saved my life, {a.n}," said {c}. "Please take this." It was {o.a}.
A little later {c} came up to {a} and brought <{o.a}>.
{c} ran home and came back with {o.a} for {a}.
"I want you to have {o.a}, {a.n}," said {c}.

[hero_now a b]
Everyone called {a} a hero, but {a} only said, "It was {b.n} and I together."
"We make a good team," {a} told {b}.
The story of {a.n} and {b.n} was told for years.
"Heroes like us must stick together," said {b} to {a}.
{a} shook {b.s} {b.hand}. "I could not have done it without you," {a.he!} said.
"""


def rescue(t: Teller) -> None:
    """Tell it."""
    a = 0
    t.say("hero_day", a=a)
    p = outing(t, "water", "wood", "hill", "field")
    b = company(t)
    pause(t)
    t.paragraph()
    t.say("cry", a=a, p=p)
    c = t.person("c", *COMPANIONS)
    t.say("trapped", c=c, a=a, p=p)
    t.say("calms", a=a, c=c)
    t.say("pulls_alone", a=a, c=c)
    if t.branch(("too_weak", 2), (None, 1)):
        t.say("too_weak", a=a)
    t.paragraph()
    if t.branch(("fetch_tool", 2), (None, 1)):
        d = t.person("d", ("adult", 1))
        t.say("fetch_tool", a=a, d=d, q=(q := t.thing("q", "reach", color=False)))
        t.say("ties", a=a, c=c, q=q)
        t.say("pull_two", a=a, b=d, c=c)
        t.say("free", c=c, a=a)
        t.say("returns_tool", c=c, d=d, q=q)
        team = d
    else:
        t.say("pull_two", a=a, b=b, c=c)
        t.say("free", c=c, a=a)
        team = b
    if t.branch(("thank_gift", 1), (None, 1)):
        t.say("thank_gift", c=c, a=a, o=t.thing("o", "keepsake"))
    t.say("hero_now", a=a, b=team)
