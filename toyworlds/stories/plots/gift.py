"""Plot: a birthday present is won by one swap after the other; what is given away is never what comes back."""

from __future__ import annotations

from toyworlds.stories.plots.common import COMPANIONS, OUTDOORS
from toyworlds.stories.teller import Teller, whole

PHRASES = """
[birthday a b y:day] day y
It was {y}, {b.s} birthday, and {a} had no present yet.
It was {y}, the day of {b.s} birthday party, and {a} still had nothing to give.
"Today is {y}!" cried {a}. "It is {b.s} birthday, and I have no present!"
On {y}, {a} remembered that it was {b.s} birthday.
{b} had talked of nothing but {b.his!} birthday, and now it was {y}, and {a} had no present!
What day was it? {y}! {a} turned pale. It was {b.s} birthday.

[birthday_new a b y:day] new b; day y
It was {y}, the birthday of {b.n}, {b.a} {a} liked very much, and {a.n} had no present yet.
It was {y}, and {a} was invited to the birthday of {b.a} named {b.n}.
"Today is {y}!" cried {a}. It was the birthday of {b.a} named {b.n}, and {a.n} had no present.
A card came for {a}. It was {y}, and {b.a} named {b.n} was having a birthday.
What day was it? {y}! {a} turned pale, because {b.a} named {b.n} was having a birthday party.

[wants_gift a b] mood a worried; aim a give
{a} wanted to give {b} something special.
"What would make {b.n} happy?" {a} wondered.
{a} had no money, but {a.he} wanted {b} to have the best present of all.
"{b.n} has always been so good to me," thought {a}. "I must find something."
"It must be something {b.n} does not have yet," thought {a}.
{a} thought and thought, but what do you give to somebody like {b}?

[has_spare a o] new o; own o a; hold o a
All that {a} had was <{o.a}>, and that was not the right thing.
{a} looked in every drawer and found only <{o.a}>.
The only thing that {a} could spare was <{o.a}>.
"I have only {o.a}," thought {a}. "That is not a present for a friend."
{a} turned {a.his!} room upside down, and all that came to light was <{o.a}>.
There was <{o.a}> that {a} no longer played with, but that would not do.

[meets_owner c a p q] new c; at a p; at c p; new q; own q c; hold q c
{a} {a.went} {p.to}. There {c.a} named {c.n} was sitting with {q.a}.
{p.in}, {a} met {c.a} named {c.n}, who had {q.a}.
On the way {p.to}, {a} met {c.a} named {c.n}, who was carrying {q.a}.
{a} {a.went} {p.to} to think. {c.a} named {c.n} was there with {q.a}.
{a} had hardly come {p.to} when {a.he!} saw {c.a} named {c.n} with {q.a}.
"Good day!" called {c.a} named {c.n}, when {a} came {p.to}. In {c.his!} {c.hand} was {q.a}.

[admires a q]
{a} could not take {a.his!} eyes off {q}.
"What a wonderful {q.noun}!" said {a}.
{a} had never seen such a fine {q.noun}.
"Where did you get that {q.noun}?" asked {a}.
{q} was so fine that {a} stood still.

[offers c a o q]
"I have always wanted {o.a}," said {c}. "Will you swap it for {q.the}, {a.n}?"
{c} looked at {o} and said, "I will give you {q.the} for it, {a.n}."
"That {o.noun} is just what I need," {c} told {a}. "You may have {q.the} in return."
"What do you want for {o.the}, {a.n}?" asked {c}. "I can offer you {q.the}."
"Let's trade, {a.n}," said {c}, pointing at {o}. "You get {q.the}."

[swap a c o q] hold o c; own o c; hold q a; own q a
{a} gave {o} to {c}, and {c} gave {q} to {a}.
So they swapped. {c} took {o}, and {a} took {q}.
They shook on it, and then {a} walked off with {q}, while {c} kept {o}.
"It is a deal," said {a}. {c} got {o}, and {a} got {q}.
{c} took <{o}> and gave {a} {q.the}.
One, two, three, and {c} had {o}, and {a} had {q}.

[not_yet a q]
But was {q.a} right for a birthday? {a} was not sure.
{a} looked at {q} and thought that there might be something even better.
"{q.a} is nice," thought {a}, "but it is not quite right yet."
"Would I like {q.a} for my birthday?" {a} asked {a.self}. {a.he!} shook {a.his!} head.
{a} walked on with {q}, but something told {a.him!} to keep looking.

[just_right a q] mood a hopeful
{q.a} was just the thing, and {a} knew it.
Nobody else would bring <{q.a}>, and {a} knew it.
"This {q.noun} is perfect," said {a}.
{a} tied {@ribbon.a} ribbon around <{q}>.
"Yes!" said {a}. "{q.a} it shall be."
{a} wrapped {q} in paper and drew a star on it.

[party a b r] at a r; at b r
The party was {r.in}, and {a} {a.went} there as fast as {a.he} could. {b} opened the gate.
When {a} came {r.to}, {b} was already blowing out the candles.
{b} was waiting for the guests {r.in}, and {a} was the last to arrive.
There was music {r.in}, and {b} {@greeted_guest} {a}.
Paper lanterns hung {r.in} when {a} came, and {b} was {@waiting}.
"You came, {a.n}!" cried {b}. Everybody was {r.in} already.

[presents a b q] hold q b; own q b; mood b surprised; done a
"Happy birthday, {b.n}!" said {a}, and gave {b.him} {q.the}.
{a} gave <{q}> to {b}, and everyone watched.
With both hands, {a} held out {q} to {b}, who took it and unwrapped it.
{a} hid {q} behind {a.his!} back. "Guess what I have!" {a.he} said, and then {b} got it.
"I hope you like it, {b.n}," said {a}, and handed over {q.the}.
{a} handed over the parcel, and {b} tore off the paper. "{q.a}!" cried everyone.

[delighted b a q] mood b happy; mood a happy
"{q.a}!" cried {b}. "How did you know, {a.n}?"
{b} loved {q} and hugged {a}.
"Oh, {a.n}, it is the best present of all," said {b}, looking at {q.the}.
{b} danced around the room with {q}, and {a} laughed.
{b} was speechless. Then {b.he!} pressed {q} to {b.his!} heart and thanked {a}.
"I will keep {q.the} for good, {a.n}," said {b}.

[lesson_gift a b]
When {a} saw {b} smile, {a.he!} knew that it had been worth the trouble.
"It took a whole day," {a} told {b}, "but it was worth it."
{b} never knew how many swaps {a} had made that day.
{a} went home without a present of {a.his!} own, but with {b.s} laughter in {a.his!} ears.
"Giving is more fun than getting," {a} said to {b}.
"""


def gift(t: Teller) -> None:
    """Tell it."""
    a = 0
    if t.friend < 0:
        b = t.friend = t.person("b", *COMPANIONS)
        t.say("birthday_new", a=a, b=b, y=t.pick("y", whole("day")))
    else:
        b = t.friend
        t.say("birthday", a=a, b=b, y=t.pick("y", whole("day")))
    t.say("wants_gift", a=a, b=b)
    o = t.thing("o", "keepsake")
    t.say("has_spare", a=a, o=o)
    o = _swap(t, o)
    if t.length < 190 and t.branch(("not_yet", 1), (None, 1)):
        t.say("not_yet", a=a, q=o)
        o = _swap(t, o)
    t.say("just_right", a=a, q=o)
    t.paragraph()
    t.say("party", a=a, b=b, r=t.spot("r", "field", "village", "house"))
    t.say("presents", a=a, b=b, q=o)
    t.say("delighted", b=b, a=a, q=o)
    if t.branch(("lesson_gift", 1), (None, 1)):
        t.say("lesson_gift", a=a, b=b)


def _swap(t: Teller, o: int) -> int:
    """Meet somebody and swap `o` for something else; return that."""
    t.paragraph()
    c = t.person("c", *COMPANIONS, ("adult", 4))
    p = t.spot("p", *OUTDOORS)
    q = t.thing("q", "keepsake")
    t.say("meets_owner", c=c, a=0, p=p, q=q)
    if t.branch(("admires", 1), (None, 1)):
        t.say("admires", a=0, q=q)
    t.say("offers", c=c, a=0, o=o, q=q)
    t.say("swap", a=0, c=c, o=o, q=q)
    return q
