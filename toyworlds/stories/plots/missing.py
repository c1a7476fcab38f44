"""Plot: somebody has not come home; the search goes from place to place, with a light or a bell."""

from __future__ import annotations

from toyworlds.stories.plots.between import pause
from toyworlds.stories.plots.common import COMPANIONS, OUTDOORS, outing
from toyworlds.stories.teller import Teller, whole

PHRASES = """
[little_one a c] new c
{a} was supposed to look after {c.a} named {c.n}, who was still very small.
There was {c.a} named {c.n}, who was smaller than {a} and followed {a.him!} everywhere.
{c.a} named {c.n} was like a little sister or brother to {a}.
Wherever {a} went, {c.a} named {c.n} wanted to go too.
"Keep an eye on {c.n}," people always told {a}, because that little {c.kind} liked to wander off.

[comes_along c a p] at c p
Of course {c} wanted to come along {p.to}, and {a} could not say no.
{c} came along {p.to} and held {a.s} {a.hand} all the way.
"Stay close to me {p.in}, {c.n}," said {a}.
"Take me with you {p.to}!" begged {c}, and {a} did.
{c} rode on {a.s} shoulders all the way {p.to}.

[looks_away a c]
{a} looked away for one minute only, but that was enough for {c}.
"Wait here, {c.n}," said {a}. When {a.he} came back, nobody was waiting.
{@suddenly}, it was much too quiet. "{c.n}?" called {a}.
{a} bent down to tie a lace, and when {a.he!} looked up, where was {c}?
It takes {c} no time at all to disappear, and {a} had not been watching.

[vanished c a] mood a scared; aim a find
{c} was gone, and {a} {@trembled}.
{a} called and called, but {c} did not answer.
"{c.n}! {c.n}!" {a} shouted. There was no answer.
{a} looked to the left, to the right and up into the trees. No {c}.
"{c.n}, this is not funny!" called {a}. But {c} was really gone.

[joins_search b a c] join b a; aim b help
{b} heard {a} calling for {c} and came at once.
"What has happened, {a.n}?" asked {b}. "{c.n} is gone!" {a} cried.
{a} ran to {b} and told {b.him!} about {c}.
"I cannot find {c.n}!" {a} told {b}, who dropped everything to help.
{b} was there as soon as {b.he!} heard about {c}. "We will find {c.him}, {a.n}," {b.he!} said.

[joins_new b a c] new b; join b a; aim b help
{b.a} named {b.n} heard {a} calling for {c} and came at once.
"Who is gone?" asked {b.a} named {b.n}. "{c.n} is gone!" {a} cried.
{a} ran to {b.a} named {b.n} and told {b.him!} about {c}.
"I cannot find {c.n}!" {a} told {b.a} named {b.n}, who dropped everything to help.
There was {b.a} named {b.n}, who saw {a} running about and asked about {c}.

[brings_light b o a] new o; hold o b
{b} brought <{o.a}> along and showed it to {a}.
"We shall need {o.a}," {b} told {a}, and got one.
To make the search easier for {a}, {b} took {o.a}.
"Wait, {a.n}," said {b}. "I will get {o.a}, so that we do not lose each other."
{b} thought that {o.a} might be useful and showed it to {a}.

[looks_in a b r c] at a r; at b r
{a.n} and {b.n} {@moved} to {r}, but {c} was not there.
{r.in}, {a.n} and {b.n} called for {c}, {r.nook} and everywhere.
"Let's look {r.in}," {b} said to {a}. They looked {r.nook}, but there was no sign of {c}.
Where could {c} be? {a.n} and {b.n} looked {r.in}, {r.nook}, and found nobody.
{a.n} and {b.n} tried {r}. They looked {r.nook}, but all was still, and there was no {c.n}.

[hands_light b a o] hold o a
{b} was tired, so {a} took <{o}>.
"You take {o.the}, {a.n}," said {b}. "My arm is getting tired."
Then {b} gave <{o}> to {a}.
"It is your turn to carry {o.the}, {a.n}," said {b}.
{b} wanted to climb a wall, so {b.he!} gave {o} to {a}.

[finds_sign a b x:material]
On the ground {a} found some {x} and showed it to {b}. Somebody small had been playing there!
"Look, {x}!" {a} told {b}. "Somebody was building something here."
{b} pointed at some {x} on the ground. {a} felt a little hope.
There was a little tower of {x}. "That is new," {a} told {b}.
{a.n} and {b.n} came upon a heap of {x} that somebody had left behind.

[found_one a b c r] at a r; at b r; at c r; mood a happy; mood c happy; done a; done b
{a.n} and {b.n} ran {r.to}. And there, {r.nook}, sat {c.n}, safe and sound.
{r.in}, {a.n} and {b.n} heard a giggle, and {r.nook} they found {c.n}.
"Here I am!" called {c.n} when {a.n} and {b.n} came {r.to}. "I was only playing."
"Shh!" said {b.n} to {a.n} {r.in}. And there was {c.n}, fast asleep {r.nook}.
Somebody sneezed. {a.n} and {b.n} turned around {r.in}, and {r.nook} they saw {c.n}.

[scolds a c]
"Never do that again, {c.n}," said {a}, holding {c.him} tight.
{a} did not know whether to laugh or to cry, and hugged {c}.
{a} wanted to be angry with {c}, but could not.
"I was so worried, {c.n}," said {a}.
{a} opened {a.his!} mouth to scold {c}, but nothing came out.

[light_back a b o] hold o b
{a} returned <{o}> to {b}.
"Take {o.the} home with you, {b.n}," said {a}, and {b.he} took it.
{b} got <{o}> back from {a}.
"Thank you for {o.the}, {b.n}," said {a}, and {b} took it.
{b} stretched out {b.his!} {b.hand}, and {a} gave {b.him!} {o.the}.

[lesson_missing a c]
From then on, {a} held {c.s} {c.hand} wherever they went.
{c} promised {a} to wait the next time.
{a} had learned how quickly somebody like {c} can disappear.
{c} thought it had been a wonderful game. {a} did not.
"I will never take my eyes off you again, {c.n}," said {a}.
"""


def missing(t: Teller) -> None:
    """Tell it."""
    a, c = 0, t.person("c", ("animal", 2), ("girl", 1), ("boy", 1))
    t.say("little_one", a=a, c=c)
    p = outing(t, *OUTDOORS)
    t.say("comes_along", c=c, a=a, p=p)
    pause(t)
    t.paragraph()
    t.say("looks_away", a=a, c=c)
    t.say("vanished", c=c, a=a)
    b = _helper(t, c)
    o = None
    if t.branch(("brings_light", 2), (None, 1)):
        t.say("brings_light", b=b, o=(o := t.thing("o", "music", "own")), a=a)
    t.paragraph()
    t.say("looks_in", a=a, b=b, r=t.spot("r", *OUTDOORS), c=c)
    if o is not None and t.branch(("hands_light", 2), (None, 1)):
        t.say("hands_light", b=b, a=a, o=o)
    if t.length < 250 and t.branch(("looks_in", 1), (None, 1)):
        t.say("looks_in", a=a, b=b, r=t.spot("r", *OUTDOORS), c=c)
    if t.branch(("finds_sign", 1), (None, 1)):
        t.say("finds_sign", a=a, b=b, x=t.pick("x", whole("material")))
    t.paragraph()
    t.say("found_one", a=a, b=b, c=c, r=t.spot("r", *OUTDOORS))
    t.say("scolds", a=a, c=c)
    if o is not None and t.holder(o) == a:
        t.say("light_back", a=a, b=b, o=o)
    t.say("hugs", a=a, b=b)
    if t.branch(("lesson_missing", 1), (None, 1)):
        t.say("lesson_missing", a=a, c=c)


def _helper(t: Teller, c: int) -> int:
    """Whoever hears the hero calling."""
    if t.friend < 0:
        t.friend = t.person("b", *COMPANIONS)
        t.say("joins_new", b=t.friend, a=0, c=c)
    else:
        t.say("joins_search", b=t.friend, a=0, c=c)
    return t.friend
