"""Plot: somebody takes what is not theirs and hides it; footprints lead to it; the thief is forgiven."""

from __future__ import annotations

from toyworlds.stories.plots.between import pause
from toyworlds.stories.plots.common import company, outing
from toyworlds.stories.teller import Teller

PHRASES = """
[envied a o] new o; own o a; hold o a
Everybody envied {a} because of <{o.a}>.
{a} had something that everybody wanted, and that was <{o.a}>.
All the others talked about {o.a} that belonged to {a}.
{a} was the only one in town who had <{o.a}>.
Wherever {a} went, people turned to look at {o.a} that {a.he!} carried.

[thief c o] new c; aim c get o
Not far away lived {c.a} named {c.n}, who wanted <{o}> for {c.self}.
But {c.a} named {c.n} was jealous and wanted <{o}>.
There was also {c.a} named {c.n}, who thought about {o} day and night.
Nobody wanted <{o}> more than {c.a} named {c.n}, who lived nearby.
{c.a} named {c.n} had never wanted anything as much as {o}.

[naps a o p] put o p
{a} put <{o}> down {p.in} and fell asleep in the warm sun.
{p.in}, {a} laid {o} aside and closed {a.his} eyes for a moment.
{a} grew sleepy and left {o} lying {p.in}.
It was so warm {p.in} that {a} put {o} down and slept.
{a} used {a.his!} arm as a pillow {p.in}, with {o} by {a.his!} side.

[steals c o p] hold o c; at c p; done c
{@softly} {c} crept up, took {o} and ran away from {p}. ~ {@softly} crept {c} near, took {o} and from {p}
    fled.
Then {c} came {p.to} on tiptoe and took {o}.
{c} had been hiding {p.in}. {c.he} grabbed {o} and was gone.
A shadow moved {p.in}. It was {c}, and then {o} was no longer there.
{c} had waited for this. {c.he!} slipped {p.to}, snatched {o} and ran.

[stashes c o r] at c r; put o r
{c} {c.went} {r.to} and hid {o} there.
"Nobody will ever find {o.the} {r.in}," thought {c}, and hid it.
{r.in}, {c} buried <{o}> under some leaves.
Out of breath, {c} came {r.to} and hid {o}.
Where is a good place to hide something? {c} chose {r} for {o}.

[wakes a o] mood a angry; aim a find o
When {a} woke up, {o} was gone!
{a} opened {a.his} eyes and looked for {o}. It was gone!
"Who has taken {o.the}?" shouted {a} when {a.he} woke up.
{a} woke up, yawned and stretched. Then {a.he!} saw that {o} was gone.
"It must be a bad dream," thought {a}. But it was no dream, and {o} was gone.

[tracks b a]
"Look, {a.n}," said {b}. "There are footprints."
{b} was the first to see the footprints and showed them to {a}.
"Somebody was here," {b} told {a}, pointing at the ground.
{b} bent down. "These are footprints, {a.n}," {b.he!} said.
"A thief always leaves a trail, {a.n}," said {b}.

[follow a b c r] at a r; at b r; join c a
The footprints led {a.n} and {b.n} {r.to}, and there sat {c.n}.
{a.n} and {b.n} followed the footprints {r.to}. Who was there? It was {c.n}!
Step by step, {a.n} and {b.n} followed the trail, until they found {c.n} {r.in}.
The trail went on and on. It ended {r.in}, where {a.n} and {b.n} saw {c.n}.
{a.n} went first and {b.n} second, all the way {r.to}. There was {c.n}, looking guilty.

[accuse a c o]
"Did you take {o.the}, {c.n}?" asked {a}.
"That {o.noun} is mine, {c.n}!" cried {a}.
{a} looked straight at {c} and asked about {o}.
"Give back {o.the}, {c.n}!" said {a}.
"Have you seen {o.the}, {c.n}?" asked {a}, although {a.he!} knew the answer.

[admits c a] mood c sorry
{c} began to cry. "Yes, {a.n}, I took it," {c.he} said. "I never had anything so nice."
"I only wanted to play with it once, {a.n}," {c} sobbed.
{c} turned red and told {a} the truth.
"It was so beautiful, {a.n}," whispered {c}. "I could not help it."
{c} could not look {a} in the eye. "I am sorry," {c.he!} said.

[digs_up c a o] hold o a; mood a calm; done a
{c} dug up <{o}> and gave it back to {a}.
Without another word, {c} pulled out {o} and gave it to {a}.
"Here it is, {a.n}," said {c}, and {a} got {o.the} back.
{c} wiped the dirt off {o} and gave it to {a}.
Slowly {c} got out {o}, and {a} had it back at last.

[forgives_thief a c] mood c thankful
{a} was angry for a while, but then {a.he} forgave {c}.
"Next time, just ask me, {c.n}," said {a}.
"You could have asked, {c.n}," said {a}. "I would have shared it."
{a} thought about it. "Everybody makes mistakes, {c.n}," {a.he!} said.
"All right, {c.n}," said {a}. "But never again!"

[shares_now a c o] hold o c; mood c happy
And then {a} let {c} play with <{o}>.
"Come, {c.n}, you may have a turn," said {a}, and gave {c.him} {o.the}.
To everyone's surprise, {a} handed {o} to {c}.
"You can play with {o.the} for an hour, {c.n}," said {a}, and handed it over.
Then {a} did something nobody had expected and put {o} into {c.s} {c.hands}.

[returns_soon c a o] hold o a
This time {c} gave <{o}> back to {a} after a little while.
"Thank you, {a.n}," said {c} soon after, and {a} had {o} again.
When {c} had seen enough, {c.he} handed {o} to {a}.
{c} kept {c.his!} word and gave {o} back to {a}.
An hour later {a} had {o} again, just as {c} had promised.

[lesson_trick c a]
{c} never took anything again, and {a} gained a friend.
{a.n} and {c.n} play together to this day.
"It is better to ask than to take," {c} told {a}.
"Asking is easy," {c} says now, and {a} agrees.
It is strange how a thief like {c} can become a friend, but {a} thinks so.
"""


def trick(t: Teller) -> None:
    """Tell it."""
    a, o = 0, t.thing("o", "toy", "wear", "shine", "music")
    t.say("envied", a=a, o=o)
    c = t.person("c", ("animal", 1))
    t.say("thief", c=c, o=o)
    p = outing(t, "water", "wood", "hill", "field")
    b = company(t)
    pause(t)
    t.say("naps", a=a, o=o, p=p)
    t.paragraph()
    t.say("steals", c=c, o=o, p=p)
    r = t.spot("r", "wood", "hill", "house")
    t.say("stashes", c=c, o=o, r=r)
    t.say("wakes", a=a, o=o)
    t.say("tracks", b=b, a=a)
    t.paragraph()
    t.say("follow", a=a, b=b, c=c, r=r)
    t.say("accuse", a=a, c=c, o=o)
    t.say("admits", c=c, a=a)
    t.say("digs_up", c=c, a=a, o=o)
    t.say("forgives_thief", a=a, c=c)
    if t.branch(("shares_now", 2), (None, 1)):
        t.say("shares_now", a=a, c=c, o=o)
        if t.branch(("returns_soon", 1), (None, 1)):
            t.say("returns_soon", c=c, a=a, o=o)
    if t.branch(("lesson_trick", 1), (None, 1)):
        t.say("lesson_trick", c=c, a=a)
