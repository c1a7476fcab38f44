"""Plot: something borrowed breaks, the truth is told, and it is mended."""

from __future__ import annotations

from toyworlds.stories.lexicon import ACT_POOLS, KIND_OF_PLACE
from toyworlds.stories.plots.between import pause, trade
from toyworlds.stories.plots.common import COMPANIONS, OUTDOORS, outing
from toyworlds.stories.teller import Teller

PHRASES = """
[borrows a b o] new o; own o b; hold o a; mood a happy
One day {b} lent {a} <{o.a}>.
{b} had <{o.a}>, and {a} was allowed to borrow it.
"You may have my {o.noun} until tomorrow," said {b}, and gave {a} {o.a}.
{a} begged and begged, until {b} lent {a.him!} <{o.a}>.
For a whole week {a} had asked {b} for {o.a}, and now {a.he!} was allowed to take it.
{a} admired {o.a} so much that {b} lent it to {a.him!}.

[borrows_new a b o] new b; new o; own o b; hold o a; mood a happy
{b.a} named {b.n} lived nearby and lent {a} <{o.a}>.
One day {b.a} named {b.n} let {a} borrow <{o.a}>.
{a} asked {b.a} named {b.n} for something to play with, and {b.n} lent {a.him} <{o.a}>.
Next door lived {b.a} named {b.n}, who owned {o.a}. One day {a} was allowed to borrow it.
Because {a} had been so kind, {b.a} named {b.n} lent {a.him!} <{o.a}>.

[promise a b o]
"I will be very careful with {o.the}," {a} promised {b}.
"Please don't break {o.the}," said {b}. {a} promised not to.
{a} promised {b} to bring back {o} in one piece.
"Nothing will happen to {o.the}, {b.n}," said {a}. "I promise."
{a} put {a.his!} {a.hand} on {a.his!} heart and promised {b} to look after {o}.

[breaks a o p] mood a scared
{@suddenly}, {a} tripped over {@obstacle} {p.in}. Crack! {o} was broken.
{p.in}, {o} slipped out of {a.s} {a.hands} and broke.
{a} wanted to show off {p.in} and swung {o} through the air. It hit {@obstacle} and broke.
Nobody knew how it happened, but {p.in} {o} fell, and when {a} picked it up, it was broken.
{a} turned around too quickly {p.in}. There was a crash, and {o} was broken.
One moment {a} was laughing {p.in}, and the next {o} lay there, broken.

[hides_it a o r] at a r; put o r
{a} was so scared that {a.he} hid {o} {r.in}.
"Nobody must see {o.the}," thought {a}, and hid it {r.in}.
Without thinking, {a} ran {r.to} and hid {o} there.
{a} looked around. Then {a.he!} carried {o} {r.to} and hid it.

[conscience a b] mood a worried
{a} could think of nothing else. What would {b} say?
{a} thought of {b}, and {a.his!} stomach hurt.
Every time {a} thought of {b}, {a.he!} felt worse.
"I should have told {b.n} the truth," thought {a}.
{a} wanted to eat, but nothing tasted good. How would {a.he!} ever tell {b}?
Whenever somebody laughed, {a} thought that it must be {b}, who knew everything.

[fetches_it a o r] hold o a
At last {a} fetched <{o}> from {r}.
{a} took a deep breath and got <{o}> out of its hiding place {r.in}.
So {a} went back {r.to} and picked up <{o}>.
{a} could not bear it any longer and took {o} out of its hiding place {r.in}.
There it still was, {r.in}. {a} picked up <{o}> and held it tight.

[goes_to a b p] at a p; at b p
{a} {a.went} {p.to}, where {b} was {@waiting}.
{a} found {b} <{p.in}>.
{b} was {p.in} when {a} came up slowly.
"There you are, {a.n}," said {b} when {a} came {p.to}.
{a} looked for {b} and found {b.him!} <{p.in}>.

[confesses a b o] mood a sorry
"I broke {o.the}," said {a}. "I am so sorry, {b.n}."
{a} showed {o} to {b} and told {b.him!} everything.
"{b.n}, I have to tell you something," said {a}, and showed {b.him} {o.the}. "I broke it."
With tears running down, {a} told {b} what had happened to {o}.
"This is all that is left of {o.the}, {b.n}," said {a}. "It was my fault."
At first {a} could not speak. Then {a.he!} held out {o} to {b} and told the truth.

[forgives b a o] mood b sad
{b} looked at {o} for a long time. "Thank you for telling me, {a.n}," {b.he} said.
"I am sad about {o.the}," said {b}, "but I am glad you told me, {a.n}."
{b} swallowed. "It was only {o.a}," {b.he} said to {a}. "You are more important."
"It could have happened to me too, {a.n}," said {b}, turning {o} over.
{b} took a deep breath. "I was fond of {o.the}, {a.n}," {b.he!} said, "but I am fonder of you."
"Oh," said {b}. {b.he!} touched {o}. "It took courage to tell me, {a.n}."

[mender c a b o q] new c; join c a; new q; own q c; hold q c
{c.n} the {c.kind} looked at {o}. "That can be mended," {c.he} told {a.n} and {b.n}, and got out {q.a}.
They took {o} to {c.n} the {c.kind}, who had {q.a} and told {a.n} and {b.n} to sit down.
"Bring me {o.the}," {c.n} the {c.kind} called to {a.n} and {b.n}. "I have {q.a}."
Who could mend {o.a}? {a.n} and {b.n} asked {c.n} the {c.kind}, who fetched {q.a}.
{c.n} the {c.kind} already had {q.a} in {c.his!} {c.hand} when {a.n} and {b.n} showed up with {o}.

[mend_self b a o q] new q; hold q b; own q b
{b} had an idea. {b.he} fetched {q.a}, and {a} held {o} still.
"Let's mend {o.the} together, {a.n}," said {b}, and brought {q.a}.
There was {q.a} on a shelf, and {b} took it. "Hold {o.the}, {a.n}!"
"We can do it ourselves, {a.n}," said {b}, took {q.a} and looked at {o}.
{b} owned {q.a}, and {a} was good with knots. They put {o} between them.

[gives_to_mend a c o] hold o c
{a} gave <{o}> to {c} to look at.
Carefully {a} laid {o} in {c.s} {c.hands}.
"Please be careful with {o.the}," said {a}, and {c} took it.
{a} held out {o}, and {c} took it.
"Can you save {o.the}?" asked {a}, and {c} took it to the window.

[mends c o q]
{c} worked with {q} for an hour, and then {o} was as good as new.
Tap, tap, went {q}, and {c} did not look up until {o} was whole again.
With {q} and a lot of patience, {c} fixed {o}.
{c} hummed while {c.he!} worked with {q}, and at last {o} looked like new.
Who would have thought that {q.a} could do that? {c} had mended {o}.

[mend_both a b o q] hold o b
{a.n} and {b.n} worked with {q} all afternoon. When {o} was whole again, {b.n} held it up to the light.
{a} held on tight, {b} used {q}, and at last {b.n} lifted up {o}, as good as new.
It took {q}, some string and a lot of patience, but {a.n} and {b.n} fixed {o}, and {b.n} took it.
It was slow work with {q}, but {a.n} and {b.n} did not stop until {o} was whole. {b.n} carried it to the table.
{a.n} counted the pieces, {b.n} took {q}, and before supper {b.n} held {o} in {b.his!} {b.hands}, whole again.

[returned c b o] hold o b; mood b happy
At last {c} gave <{o}> to {b}.
"Good as new," said {c}, and handed {o} to {b}.
{c} blew off the dust and passed {o} to {b}.
{c} polished {o} and gave it to {b}.
"This one has nine lives," said {c}, and {b} got {o.the} back.

[friends_still b a] mood b happy; mood a happy; done a
"Look, {a.n}," said {b}. "You can hardly see the crack."
{b} smiled at {a}, and everything was all right again.
"Let's play, {a.n}!" said {b}, as if nothing had happened.
"I will lend it to you again, {a.n}," said {b}.
{b} laughed, and then {a} laughed too.

[lesson_broken a]
{a} felt much lighter after telling the truth.
{a} had learned that the truth is hard to tell, but a secret is harder to keep.
"I will always tell the truth," {a} said to {a.self}.
Since then {a} has broken many things, but never a promise.
{a} had not been so happy for a long time.
"""


def broken(t: Teller) -> None:
    """Tell it."""
    a = 0
    if t.friend < 0:
        b = t.friend = t.person("b", *COMPANIONS)
        t.say("borrows_new", a=a, b=b, o=(o := t.thing("o", "keepsake")))
    else:
        b = t.friend
        t.say("borrows", a=a, b=b, o=(o := t.thing("o", "keepsake")))
    t.say("promise", a=a, b=b, o=o)
    p = outing(t, *OUTDOORS)
    if t.branch(("does", 1), (None, 1)):
        t.say("does", a=a, p=p, x=t.pick("x", ACT_POOLS[KIND_OF_PLACE[p]]))
    pause(t)
    t.say("breaks", a=a, o=o, p=p)
    if t.branch(("hides_it", 1), (None, 1)):
        r = t.spot("r", "house", "wood")
        t.say("hides_it", a=a, o=o, r=r)
        t.say("conscience", a=a, b=b)
        t.paragraph()
        t.say("fetches_it", a=a, o=o, r=r)
    else:
        t.say("conscience", a=a, b=b)
        t.paragraph()
    t.say("goes_to", a=a, b=b, p=t.spot("p", *OUTDOORS))
    t.say("confesses", a=a, b=b, o=o)
    t.say("forgives", b=b, a=a, o=o)
    _mend(t, b, o)
    t.say("friends_still", b=b, a=a)
    if t.branch(("lesson_broken", 1), (None, 1)):
        t.say("lesson_broken", a=a)


def _mend(t: Teller, b: int, o: int) -> None:
    """Mend the object, alone or with the help of a grown-up."""
    t.paragraph()
    if t.branch(("mender", 1), ("mend_self", 1)) == "mender":
        c = t.person("c", ("adult", 1))
        t.say("mender", c=c, a=0, b=b, o=o, q=(q := t.thing("q", "mend", color=False)))
        trade(t, c)
        t.say("gives_to_mend", a=0, c=c, o=o)
        t.say("mends", c=c, o=o, q=q)
        t.say("returned", c=c, b=b, o=o)
    else:
        t.say("mend_self", b=b, a=0, o=o, q=(q := t.thing("q", "mend", color=False)))
        t.say("mend_both", a=0, b=b, o=o, q=q)
