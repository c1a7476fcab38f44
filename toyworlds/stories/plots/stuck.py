"""Plot: the wind carries a toy out of reach, and a helper with a tool brings it down."""

from __future__ import annotations

from toyworlds.stories.plots.between import pause, trade
from toyworlds.stories.plots.common import company, outing
from toyworlds.stories.teller import Teller

PHRASES = """
[new_toy a o] new o; own o a; hold o a; mood a excited
That week {a} got a new toy. It was <{o.a}>.
{a} had saved coins for months, and now at last {a.he} had <{o.a}>.
{@giver} had sent <{o.a}>, and {a} could not wait to try it.
With paper, glue and patience, {a} had made <{o.a}>.
{a} could hardly sleep, because {a.he} wanted to play with {a.his!} new toy, <{o.a}>.
{a} had been counting the days, and now {a.he!} had it at last. It was <{o.a}>.
On the shelf stood {a.s} new toy, <{o.a}>, and it had to be tried at once.

[wind_takes a o p] put o p; mood a worried
{@suddenly}, the wind grew strong. It tore {o} out of {a.s} {a.hands} and carried it high over {p}.
A gust of wind came and whirled {o} up, far out of {a.s} reach, <{p.in}>.
{a} threw {o} into the air {p.in}, but the wind caught it, and it did not come down again.
"Fly!" cried {a}, and the wind took {o}. It flew up, up, up, until it got stuck, high up {p.in}.
{a} was playing {p.in} when a sudden gust took {o} away, up and up.
For one second {a} let go of {o}, and the wind carried it off, high over {p}.

[stuck_there a o]
Now {o} hung {@up_there}, and {a} stared at it.
{o} was stuck {@up_there}. {a} could only look at it.
"Come down, {o.noun}!" called {a}, but it stayed {@up_there}.
There it was, {@up_there}, where {a} could not get at {o}.
{o} looked very small {@up_there}, and {a} felt very small down below.
{a} blinked. Yes, {o} was {@up_there}.

[tries_reach a o] aim a reach o
{a} jumped as high as {a.he} could, but {o} was too far up.
{a} {@tried_reach}, but could not reach {o}.
First {a} {@tried_reach}. It was no use, for {o} did not move.
"I can do it," said {a}, and {@tried_reach}. But {o} was much too high.
{a} did what {a.he!} could and {@tried_reach}. All in vain, {o} stayed where it was.
To get {o} back, {a} {@tried_reach}. Nothing happened.

[tries_too b a o]
Then {b} tried. {b.he} {@tried_reach}, but {o} did not move, and {a} sighed.
"Let me try," {b} told {a}, and {@tried_reach}. Still {o} would not come down.
{b} climbed on {a.s} shoulders, but even together they could not touch {o}.
"My turn," said {b}. {b.he!} {@tried_reach}, and {a} held {b.his!} coat. But {o} stayed where it was.
{b} {@tried_reach}, too, while {a} shouted advice. {o} did not care.

[frets a b] mood a sad
"We will never get it back," said {a} to {b}.
{a} felt {@sad}, and {b} did not know what to say.
{a} was {@sad}. {b} put an arm around {a.him}.
"Don't be sad, {a.n}," said {b}. "There must be a way."
{b} saw how {@sad} {a} was and patted {a.his!} back.
"What if it stays there for good?" {a} asked {b}.

[helper_comes c a o q] new c; join c a; new q; own q c; hold q c
Just then {c.n} the {c.kind} came along, carrying {q.a}. {a} told {c.him} about {o}.
{c.n} the {c.kind} was passing by with {q.a}. "Why are you looking at {o.the} like that?" {c.he} asked {a}.
Luckily {c.n} the {c.kind} had seen everything. {c.he} ran to get {q.a} and came to {a}, looking up at {o}.
"Do you need help with {o.the}?" {c.n} the {c.kind} asked {a}. In {c.his!} {c.hand} was {q.a}.
The noise brought {c.n} the {c.kind}, who carried {q.a} and asked {a} about {o}.
"That {o.noun} will not come down by itself," a voice told {a}. It was {c.n} the {c.kind}, with {q.a}.

[asks_tool a c q]
"Could you help us with your {q.noun}, please?" {a} asked {c}.
"Please, {c.n}, may we use {q.the}?" asked {a}.
{a} looked at {q} and then at {c}. "Could you?" {a.he} asked politely.
"May I ask you something, {c.n}?" said {a}. "Is that {q.noun} long enough?"
{a} took a deep breath and asked {c} for {q}.

[uses_tool c o q] hold o c
{c} lifted {q} and carefully pulled {o} loose.
With {q}, it took {c} only a minute to bring down {o}.
"Of course," said {c}, and with {q} {c.he} soon had {o}.
{c} used {q}. One, two, three, and {o} was free!
{c} was very skillful with {q}. In no time {c.he!} held {o} in {c.his!} {c.hand}.
A tug with {q}, a shake, another tug, and {c} had {o}.

[lends_tool c a q] hold q a
"Better still, try it yourself," said {c}, and gave {q.the} to {a}.
{c} handed {q} to {a} and held {a.him!} tight.
"You are lighter than I am," {c} said to {a}. "Take {q.the}."
{c} showed {a} how to hold {q} and let {a.him!} try.
"Do you dare?" asked {c}. {a} nodded and took {q}.

[frees a o] hold o a; mood a proud; done a
With a trembling hand, {a} stretched out and touched {o}. Then it was free!
{a} reached up, a little higher, and a little higher still, and there {a.he} had {o}.
Slowly and carefully, {a} pulled {o} loose.
{a} counted to three and gave {o} a push. Down it came, right into {a.his!} arms.
It was high, and {a.s} knees shook, but in the end {a.he!} had {o}.

[gives_up c a o] hold o a; mood a happy; done a
{c} gave <{o}> to {a}, safe and whole.
"Hold it tight next time," said {c}, and handed {o} to {a}.
{c} laid {o} in {a.s} {a.hands}.
"There you go, {a.n}," said {c}, and gave {a.him} {o.the}.
{c} turned {o} over once and handed it down to {a}.
"Here is your runaway, {a.n}," said {c}, and gave {a.him!} {o.the}.

[tool_back a c q] hold q c; mood a thankful
{a} gave <{q}> back to {c} and thanked {c.him!}.
"Thank you for {q.the}," said {a}, and handed it back to {c}.
"Here is your {q.noun}, {c.n}," said {a}. "We could not have done it alone."
{a} wiped {q} clean and returned it to {c}.
With a bow, {a} handed {q} to {c}. "Many thanks," {a.he!} said.

[lesson_stuck a o]
The next time it was windy, {a} kept {o} at home.
From then on, {a} always looked at the sky before playing with {o}.
{a} had learned that even when you cannot reach {o.a}, a friend may.
"Next time I will tie a long string to {o.the}," said {a}.
{a} painted {a.his!} name on {o}, just in case.
Wherever the wind blows now, {a} holds on to {o} with both {a.hands}.
"""


def stuck(t: Teller) -> None:
    """Tell it."""
    a, o = 0, t.thing("o", "fly")
    t.say("new_toy", a=a, o=o)
    p = outing(t, "wood", "field", "village")
    b = company(t)
    pause(t)
    t.paragraph()
    t.say("wind_takes", a=a, o=o, p=p)
    t.say("stuck_there", a=a, o=o)
    t.say("tries_reach", a=a, o=o)
    if t.branch(("tries_too", 2), (None, 1)):
        t.say("tries_too", b=b, a=a, o=o)
    if t.branch(("frets", 1), (None, 1)):
        t.say("frets", a=a, b=b)
    t.paragraph()
    c = t.person("c", ("adult", 1))
    q = t.thing("q", "reach", color=False)
    t.say("helper_comes", c=c, a=a, o=o, q=q)
    trade(t, c)
    t.say("asks_tool", a=a, c=c, q=q)
    if t.branch(("uses_tool", 1), ("lends_tool", 1)) == "uses_tool":
        t.say("uses_tool", c=c, o=o, q=q)
        t.say("gives_up", c=c, a=a, o=o)
        t.say("thanks", a=a, c=c)
    else:
        t.say("lends_tool", c=c, a=a, q=q)
        t.say("frees", a=a, o=o)
        t.say("tool_back", a=a, c=c, q=q)
    if t.branch(("lesson_stuck", 1), (None, 1)):
        t.say("lesson_stuck", a=a, o=o)
