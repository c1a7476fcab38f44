"""Plot: a thing has been hidden for a game; hints lead from place to place, and it changes hands."""

from __future__ import annotations

from toyworlds.stories.plots.between import pause
from toyworlds.stories.plots.common import OUTDOORS, company
from toyworlds.stories.teller import Teller, whole

PHRASES = """
[game c a y:day] new c; day y
On {y}, {c.n} thought of a new game for {a}.
"It is {y}, so let's play a game, {a.n}," said {c.n}.
On {y}, {c.n} had a surprise for {a}.
{c.n} had been planning something for {a}, and on {y} the time had come.
"Are you bored, {a.n}?" asked {c.n} on {y}. "Then I know what to do."

[rules c a o] new o; own o c; aim a find o
"I have hidden {o.a}," {c} told {a}. "Find it, and you may choose what we eat tonight."
The game was to find <{o.a}> that {c} had hidden, and {a} could not wait to begin.
{c} had hidden <{o.a}>, and {a} was to find it.
"Whoever brings me {o.a} wins," said {c}. "It is well hidden, {a.n}."
{a} was to look for {o.a} that {c} had put in a secret place.

[hint c a p]
"The first hint is {p.in}, {a.n}," said {c}.
{c} winked and told {a} to begin {p.in}.
"If I were you, {a.n}, I would go {p.to} first," said {c}.
{c} said only one thing. "{p}, {a.n}."
"Where would you begin, {a.n}?" asked {c}, looking in the direction of {p}.

[note a b p r]
{p.in}, {p.nook}, {a} found a note and read it to {b}. It said, "Go {r.to}!"
"Here is a note!" said {b}. {a} had to read it twice. They had come {p.to} only to be sent {r.to}.
{a.n} and {b.n} found a riddle {p.nook} {p.in}, and the answer was {r}.
{p.in}, {b} pulled a piece of paper out of a crack. {a} read the word, and it was {r}.
A note was waiting {p.in}, {p.nook}. {a} handed it to {b}, who read it out. It said, "Look for me {r.in}!"

[guesses b a r]
"I think I know," said {b}. "It must be {r}, {a.n}."
{b} whispered to {a} that it could only be {r}.
"What else could it be but {r}, {a.n}?" said {b}.
{b} jumped up. "I know it, {a.n}! {r}!"
"Think, {a.n}," said {b}. "It can only be {r}."

[finds_prize d o r] at d r; hold o d; mood d excited
{d} looked {r.nook} {r.in} and pulled out {o}!
And there, {r.nook}, {d} saw {o} {r.in} and picked it up.
"I have it!" shouted {d} {r.in}, holding up {o.the}.
Something was sticking out, {r.nook}. {d} took a closer look {r.in}, and it was {o}! {d.he!} picked it up.
{r.in}, {d} put {d.his!} {d.hand} {r.nook} and felt something. It was {o}!

[both_arrive a b r] at a r; at b r
{a.n} and {b.n} ran {r.to} as fast as they could.
A minute later {a.n} and {b.n} stood {r.in}, quite out of breath.
{a.n} won the race {r.to}, but {b.n} was close behind.
{a.n} and {b.n} did not stop running until they were {r.in}.
So {a.n} and {b.n} {@moved} to {r}.

[lets_hold a b o] hold o b
"You found it with me, {b.n}," said {a}, and gave {b.him} {o.the}.
{a} let {b} carry <{o}> on the way back.
"May I hold {o.the}?" {b} asked {a}, and {b.he!} could.
{a.n} and {b.n} took turns, and {b} was the first to carry {o}. ~ Turns {a.n} and {b.n} took, and {b} was the first
    to carry {o}.
"Do you want to carry {o.the}, {b.n}?" asked {a}, and gave it to {b.him!}.

[passes_hero b a o] hold o a
"It was your game, {a.n}," said {b}, and gave {a.him} {o.the}.
{b} gave <{o}> to {a}, because {a.he!} had found the way.
{a} wanted to hold {o}, and {b} gave it to {a.him!}.
"You should be the one to carry {o.the}, {a.n}," said {b}, and gave it to {a.him!}.
{b} tossed {o} to {a}, who caught it.

[back_to_giver a b c] join a c; join b c
{a.n} and {b.n} ran back to {c.n}.
{c.n} was already waiting when {a.n} and {b.n} came back.
"We are back!" {a.n} and {b.n} called to {c.n}.
They raced each other home. {a.n} and {b.n} reached {c.n} at the same time.
{c.n} heard {a.n} and {b.n} long before {c.he!} saw them.

[presents_find b c o] hold o c; done b
{b} gave <{o}> to {c} with a laugh.
"Here it is, {c.n}," said {b}, and put {o} on the table. {c} took it.
{b} bowed and handed {o} to {c}.
{c} held out {c.his!} {c.hand}, and {b} put {o} into it.
"Is this what you hid?" asked {b}, and {c} took {o.the}.

[treat c a o] new o; mood c proud; mood a happy
"Well done," said {c}. "What shall we eat tonight?" Of course {a} asked for {o.a}.
"And what would you like to eat, {a.n}?" asked {c}. It was {o.a}.
That evening {c} made <{o.a}>, because that was what {a} wanted.
A promise is a promise. {c} asked {a} what there should be for supper, and it was {o.a}.
{a} did not have to think long. "{o.a}, please!" {a.he!} told {c}.
"""


def hunt(t: Teller) -> None:
    """Tell it."""
    a = 0
    c = t.person("c", ("kin", 1))
    t.say("game", c=c, a=a, y=t.pick("y", whole("day")))
    o = t.thing("o", "shine", "own")
    t.say("rules", c=c, a=a, o=o)
    p = t.spot("p", *OUTDOORS)
    t.say("hint", c=c, a=a, p=p)
    t.paragraph()
    t.say("goes", a=a, p=p)
    b = company(t)
    pause(t)
    r = t.spot("r", *OUTDOORS)
    t.say("note", a=a, b=b, p=p, r=r)
    while t.length < 220 and t.branch(("both_arrive", 1), (None, 1)):
        t.say("both_arrive", a=a, b=b, r=r)
        p, r = r, t.spot("r", *OUTDOORS)
        t.say("note", a=a, b=b, p=p, r=r)
    if t.branch(("guesses", 1), (None, 1)):
        t.say("guesses", b=b, a=a, r=r)
    t.paragraph()
    holder = _find(t, b, o, r)
    t.say("back_to_giver", a=a, b=b, c=c)
    t.say("presents_find", b=holder, c=c, o=o)
    t.say("treat", c=c, a=a, o=t.thing("o", "dish", "bake", color=False))


def _find(t: Teller, b: int, o: int, r: int) -> int:
    """One of the two finds the object; it may change hands; return who has it in the end."""
    finder = t.which("d", (0, b))
    t.say("finds_prize", d=finder, o=o, r=r)
    if finder == 0:
        if t.branch(("lets_hold", 1), (None, 1)):
            t.say("lets_hold", a=0, b=b, o=o)
    elif t.branch(("passes_hero", 1), (None, 1)):
        t.say("passes_hero", b=b, a=0, o=o)
    return 0 if t.holder(o) == 0 else b
