"""Plot: a skill is practiced from day to day until it is learned."""

from __future__ import annotations

from toyworlds.stories.plots.between import pause, trade
from toyworlds.stories.plots.common import OUTDOORS
from toyworlds.stories.teller import Teller, whole

PHRASES = """
[wants_skill a x:skill] aim a learn
{a} wanted to learn {x.ing}.
More than anything, {a} wished to be good at <{x.ing}>.
Everyone else was good at <{x.ing}>, but not {a}.
"I want to be good at {x.ing}," said {a} one morning.
{a} had seen somebody {x.ing}, and since then {a.he!} could think of nothing else.
"How hard can {x.ing} be?" {a} asked.

[first_day a p x:skill y:day] at a p; day y
On {y}, {a} {a.went} {p.to} to practice {x.ing}.
On {y}, {a} tried {x.ing} {p.in} for the first time.
{y} was the first day of practice. {a} {a.went} {p.to} and tried {x.ing}.
{a} picked {y} to begin. {p.in} {a.he!} tried {x.ing}, and people stopped to watch.
It was {y}, a good day for {x.ing}, so {a} {a.went} {p.to}.

[fails a] mood a sad
{a} {@failed}.
It went wrong, and {a} {@failed}.
Oh dear! {a} {@failed}.
At the first try, {a} {@failed}.
{a} did it all wrong and {@failed}.

[laughs b a]
{b} saw it and laughed, and {a} blushed.
"That looked funny, {a.n}," said {b}.
{b} tried not to laugh at {a}.
{b} giggled, and {a} felt {a.his!} ears grow hot.
"Do that again, {a.n}!" laughed {b}.

[gives_up_almost a x:skill]
"I will never learn {x.ing}," {a} sighed.
{a} wanted to forget all about <{x.ing}>.
{x.ing} was so much harder than it looked, and {a} nearly gave up.
{a} kicked a stone. "Who needs {x.ing}?" {a.he!} said.
"Maybe {x.ing} is not for me," thought {a}.

[teacher c a x:skill] new c; join c a
{c.n} the {c.kind} knew all about {x.ing} and sat down beside {a}.
Then {c.n} the {c.kind} said to {a}, "I can teach you {x.ing}."
Luckily {c.n} the {c.kind} was good at {x.ing} and offered to show {a} how.
"I was no good at {x.ing} either when I began," {c.n} the {c.kind} told {a}.
{c.n} the {c.kind} had been watching {a} and said, "Let me show you how {x.ing} is done."

[teacher_kin c a x:skill] new c; join c a
{c.n} knew all about {x.ing} and sat down beside {a}.
"Shall I tell you a secret about {x.ing}?" {c.n} asked {a}.
It was {c.n} who taught {a} the secret of {x.ing}.
"I was no good at {x.ing} either when I began," {c.n} told {a}.
{c.n} had been watching {a} and said, "Let me show you how {x.ing} is done."

[tip_skill c a]
"{@tip}, {a.n}," said {c}.
{c} had some advice for {a}. "{@tip}," {c.he} said.
"The trick is this, {a.n}," said {c}. "{@tip}."
"Listen, {a.n}," said {c}. "{@tip}."
{c} bent down to {a} and said, "{@tip}."

[gets_aid c a o] new o; hold o a
{c} gave {a} <{o.a}>. "This will bring you luck," {c.he} said.
"Here is {o.a} for you," said {c}, and {a} took it. "It helped me when I was a beginner."
To cheer {a} up, {c} handed {a.him!} <{o.a}>.
{c} lent {a} <{o.a}> for luck.
"Keep {o.a} with you while you practice, {a.n}," said {c}, and handed it over.

[next_day a x:skill y:day] day y
On {y}, {a} tried again, and {x.ing} went a little better.
{y} came, and {a} was still practicing {x.ing}.
On {y}, it rained, but {a} kept on {x.ing}.
"Once more," {a} said on {y}. {x.ing} was not so hard any more.
By {y}, {a} was not bad at {x.ing}.
{a} dreamed of {x.ing} at night, and on {y}, {a.he!} was up early to practice.

[succeeds a x:skill y:day] mood a proud; done a; day y
And then, on {y}, {a} could do it. {x.ing} was easy!
On {y}, all at once, {x.ing} felt as easy as breathing, and {a} cheered.
At last, on {y}, {a} was good at {x.ing}.
{y} was the day. {a} tried {x.ing} once more, and it worked!
Nobody was looking on {y} when {a} found out that {x.ing} was no problem any more.

[shows a b]
{a} showed {b}, who could not believe it.
"Watch me, {b.n}!" called {a}.
{a} showed what {a.he!} could do, and {b} clapped.
{b} was the first to see it. {b.he!} threw {b.his!} hat in the air for {a}.
"Teach me too!" said {b} when {a} had finished.

[shows_teacher a c] mood c proud
{a} ran to tell {c}, who was as proud as could be.
"I knew you could do it, {a.n}," said {c}.
{c} wiped away a tear when {a} did it once more.
{c} nodded at {a}. "I told you so," {c.he!} said.
"Look what I can do, {c.n}!" shouted {a}.

[aid_back a c o] hold o c
Then {a} gave <{o}> back to {c}.
"Here is {o.the}, {c.n}," said {a}. "Now I can do it without."
{a} handed {o} back to {c}, with many thanks.
{a} had not forgotten to return {o}. {c} put it away for the next beginner.
{c} got <{o}> back from {a}, and it had brought good luck.

[lesson_learn a x:skill]
{a} had learned more than {x.ing}. {a.he} had learned not to give up.
Now {a} teaches {x.ing} to everyone who asks.
"Practice makes perfect," {a} says when somebody asks about {x.ing}.
{a} still practices {x.ing} every day.
When somebody says that {x.ing} is too hard, {a} just smiles.
"""


def learn(t: Teller) -> None:
    """Tell it."""
    a, x = 0, t.pick("x", whole("skill"))
    t.say("wants_skill", a=a, x=x)
    t.paragraph()
    y = t.pick("y", whole("day"))
    t.say("first_day", a=a, p=t.spot("p", *OUTDOORS), x=x, y=y)
    t.say("fails", a=a)
    if t.friend >= 0 and t.branch(("laughs", 1), (None, 1)):
        t.say("laughs", b=t.friend, a=a)
    if t.branch(("gives_up_almost", 1), (None, 1)):
        t.say("gives_up_almost", a=a, x=x)
    pause(t)
    t.paragraph()
    if t.branch(("teacher", 1), ("teacher_kin", 1)) == "teacher":
        c = t.person("c", ("adult", 1))
        t.say("teacher", c=c, a=a, x=x)
        trade(t, c)
    else:
        c = t.person("c", ("kin", 1))
        t.say("teacher_kin", c=c, a=a, x=x)
    t.say("tip_skill", c=c, a=a)
    o = None
    if t.branch(("gets_aid", 1), (None, 1)):
        t.say("gets_aid", c=c, a=a, o=(o := t.thing("o", "shine", "wear")))
    t.paragraph()
    y = (y + 1) % 7
    while t.length < 250 and t.branch(("next_day", 1), ("succeeds", 1)) == "next_day":
        t.say("next_day", a=a, x=x, y=y)
        y = (y + 1) % 7
    t.say("succeeds", a=a, x=x, y=y)
    if t.friend >= 0 and t.branch(("shows", 1), (None, 1)):
        t.say("shows", a=a, b=t.friend)
    t.say("shows_teacher", a=a, c=c)
    if o is not None:
        t.say("aid_back", a=a, c=c, o=o)
    if t.branch(("lesson_learn", 1), (None, 1)):
        t.say("lesson_learn", a=a, x=x)
