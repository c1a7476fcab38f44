"""Plot: something hangs too high, or is too heavy or too far; comparing friends finds the one who can do it."""

from __future__ import annotations

from toyworlds.stories.plots.between import pause
from toyworlds.stories.plots.common import COMPANIONS, company, outing
from toyworlds.stories.teller import Teller, whole

PHRASES = """
[contest_day a x:contest]
That week everybody was asking who was the {x.most} of all, and {a} wondered too.
"Am I the {x.most} of all?" {a} often wondered.
{a} had always wanted to be the {x.most} of all.
"Somebody must be the {x.most}," said {a}. "Why not me?"
In those days {a} could think of one thing only, and that was to be the {x.most}.

[third c a b] new c; join c a
Soon {c.a} named {c.n} joined {a.n} and {b.n}.
"May I play with you?" {c.a} named {c.n} asked {a.n} and {b.n}.
{a.n} and {b.n} were not the only ones there. {c.a} named {c.n} was looking on.
Where there are two, there is soon a third. It was {c.a} named {c.n}, who greeted {a.n} and {b.n}.
{c.a} named {c.n} came around the corner and asked what {a.n} and {b.n} were up to.

[prize a o x:contest] new o; aim a win o
There was a prize for the {x.most}, and it was {o.a}. {a} wanted it badly.
"Whoever is the {x.most} gets {o.a}," read {a} on a sign.
{a} had heard that {o.a} was waiting for the {x.most}.
"The {x.most} shall have {o.a}," somebody had said, and {a} could not forget it.
{a} dreamed of {o.a}. It was the prize for the {x.most}.

[more a b x:contest] rank a 2; rank b 1
It turned out that {a} was {x.more} than {b}.
{a.n} and {b.n} compared, and {a.n} was {x.more} than {b.n}.
"I am {x.more} than you, {b.n}," said {a}, and it was true.
Everyone could see that {a} was {x.more} than {b}.
Side by side they stood, and there was no doubt. {a} was {x.more} than {b}.
It was close, but {a} turned out {x.more} than {b}.

[beats c a x:contest] rank c 3
But {c} was {x.more} than {a}.
Then it was {c.s} turn, and {c} was even {x.more} than {a}.
"Now you, {c.n}," said {a}. And indeed, {c} was {x.more} than {a}.
And {c}? {c.he!} was {x.more} than {a}, no doubt about it.
"Not bad, {a.n}," said {c}. But {c} was {x.more} than {a}.

[beaten c b x:contest] rank c 0
{c} tried as well, but {b} was {x.more} than {c}.
Then it was {c.s} turn, but even {b} was {x.more} than {c}.
"Now you, {c.n}," said {b}. And indeed, {b} was {x.more} than {c}.
And {c}? {b.n} was {x.more} than {c}, no doubt about it.
"Not bad at all, {c.n}," said {b}. But {c} was not as {x} as {b}.

[ask_most b a d x:contest]
"Then who is the {x.most} of all?" asked {b}. "The {x.most} of all is |{d.n}," said {a}. ~ Asked {b}: "Who then is
    the {x.most} of all?" Quoth {a}: "The {x.most} of all is |{d.n}."
"So the {x.most} of all is |{d.n}," {a} told {b}.
{b} had not been watching. "The {x.most} of all is |{d.n}," {a} explained. ~ {b} had not been heeding. Quoth {a}:
    "The {x.most} of all is |{d.n}."

[wins d a o] hold o d; own o d; mood d proud
So {d} got <{o}>, and {a} clapped.
{a} put {o} into {d.s} {d.hands}.
"You have won {o.the}, {d.n}," said {a}.
Everyone shouted hooray. {d} had won {o}, and {a} shook {d.s} {d.hand}.
"Here is {o.the}," said {a}, and {d} took it.

[passes_on d a o] hold o a; own o a; mood a happy; done a
"I have one like that already," said {d}, and gave {o} to {a}.
{d} saw {a.s} face. "You want {o.the} more than I do," {d.he} said, and gave it to {a.him}.
{d} kept <{o}> for an hour and then gave it to {a}.
{d} was generous. "What am I to do with {o.the}, {a.n}?" {d.he!} said. "Take it."
Nobody expected it, but {d} gave <{o}> to {a}.

[shares_prize d a o] mood d happy; mood a happy
"Let's all play with {o.the}," {d} said to {a}.
{d} was not proud at all. {d.he} let {a} have a turn with {o} now and then.
{d} kept <{o}>, but {a} was allowed to borrow it on Sundays.
"What is {o.the} worth if I am the only one to play with it, {a.n}?" said {d}.
{d.n} and {a.n} made a plan, and each of them could have {o} on some days. ~ {d.n} and {a.n} made a pact, and on
    some days each of them could have {o}.

[lesson_contest a x:contest]
{a} had learned that one need not be the {x.most} to have a good day.
"It does not matter who is the {x.most}," said {a}. "What matters is that we had fun."
Nobody talked about the {x.most} any more after that, and {a} was glad.
If you ask {a} today who is the {x.most}, {a.he!} only laughs.
"Next year I may be the {x.most}," said {a}, "or the year after."
"""


def tallest(t: Teller) -> None:
    """Tell it."""
    a, x = 0, t.pick("x", whole("contest"))
    t.contest = x
    t.say("contest_day", a=a, x=x)
    outing(t, "water", "wood", "hill", "field", "village")
    b = company(t)
    pause(t)
    c = t.person("c", *COMPANIONS)
    t.say("third", c=c, a=a, b=b)
    o = t.thing("o", "keepsake")
    t.say("prize", a=a, o=o, x=x)
    t.paragraph()
    high = t.which("a", (a, b))
    low = b if high == a else a
    t.say("more", a=high, b=low, x=x)
    if t.branch(("beats", 1), ("beaten", 1)) == "beats":
        t.say("beats", c=c, a=high, x=x)
        winner, loser = c, high
    else:
        t.say("beaten", c=c, b=low, x=x)
        winner, loser = high, c
    if t.branch(("ask_most", 3), (None, 1)):
        t.say("ask_most", b=low, a=loser, d=winner, x=x)
    t.say("wins", d=winner, a=loser, o=o)
    if t.branch(("passes_on", 1), ("shares_prize", 1)) == "passes_on":
        t.say("passes_on", d=winner, a=low, o=o)
    else:
        t.say("shares_prize", d=winner, a=low, o=o)
    if t.branch(("lesson_contest", 1), (None, 1)):
        t.say("lesson_contest", a=a, x=x)
