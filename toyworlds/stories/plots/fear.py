"""Plot: the hero is afraid of something, is encouraged, and dares it in the end."""

from __future__ import annotations

from toyworlds.stories.plots.between import pause
from toyworlds.stories.plots.common import OUTDOORS, company, outing
from toyworlds.stories.teller import Teller, whole

PHRASES = """
[afraid a x:fear] mood a scared
There was only one thing that {a} was afraid of, and that was {x}.
{a} was terribly afraid of <{x}>.
"Anything but {x}!" {a} used to say.
Everyone has some fear, and {a} feared <{x}>.
{a} could do many things, but when it came to {x}, {a.he!} {@trembled}.
Nobody knew it, but {a} was afraid of <{x}>.

[fear_story a x:fear]
Whenever there was talk of {x}, {a} hid {@under_furniture}.
{a} even dreamed of <{x}> and woke up with a start.
It had begun one winter. Since then, {a} only had to think of {x} to {@tremble}.
When somebody only spoke of {x}, {a} put both {a.hands} over {a.his!} ears.
{a} had a rule for days with {x}, and the rule was to hide {@under_furniture}.

[dare b a r x:fear]
"Let's go {r.to}," said {b}. {a} turned pale, because of {x}.
{b} wanted to see what was {r.in}. "But what about {x}?" asked {a}.
"Everyone is going {r.to} today, {a.n}," said {b}. But {a} thought of {x}.
"I want to show you something {r.in}, {a.n}," said {b}. {a} thought of {x} and did not move.
There was something {r.in} that {b} wanted {a} to see. But they would have to face {x}, or so {a} thought.

[refuses a b] mood a sad
"You go, {b.n}," whispered {a}. "I will stay here."
{a} shook {a.his!} head. "I can't, {b.n}," {a.he} said.
"I am too scared," {a} told {b}.
{a} did not want {b} to see that {a.he!} was trembling.
"Not today, {b.n}," said {a}, taking a step back.
{a} told {b} that {a.he!} had a stomach ache, but it was not true.

[comforts b a x:fear]
{b} did not laugh. "I used to be afraid of {x} too, {a.n}," {b.he} said.
"Being afraid of {x} is nothing to be ashamed of, {a.n}," said {b}.
"Take my hand, {a.n}," said {b}. "Then {x} will not seem so bad."
{b} sat down next to {a}. "When I was small, I was afraid of {x}," {b.he!} said.
"Everybody is afraid of something, {a.n}," said {b}. "Why not {x}?"

[charm b a o] new o; own o b; hold o a; mood a hopeful
{b} gave {a} <{o.a}>. "It makes me brave," {b.he} said.
"Take this," said {b}, and gave {a} {o.a} for luck.
Out of a pocket {b} took {o.a} and pressed it into {a.s} {a.hand}.
"Hold this while you go," said {b}, and {a} got {o.a}.
{b} had <{o.a}> that {@giver} had brought. {b.he!} put it into {a.s} {a.hand}.

[song_courage b a]
{b} taught {a} a brave little song about {@song}.
"Count to ten with me, {a.n}," said {b}. They counted slowly.
"When I am scared, I think of {@song}," {b} told {a}.
{b} told {a} a funny story about {@song}, until {a.he!} had to giggle.
"I will walk right behind you, {a.n}," said {b}, and began to hum a song about {@song}.

[steps a r x:fear] at a r
Step by step, {a} {a.went} <{r.to}>, trying not to think of {x}.
{a} closed {a.his!} eyes, thought of {x} only once, and went <{r.to}>.
Slowly, very slowly, {a} went {r.to}. {x}! {a.his} heart was beating like a drum.
One step, two steps, three steps. {a} was on the way {r.to}, and {x} did not seem so terrible.
{a} bit {a.his!} lip, thought of {x}, and {a.went} <{r.to}>, as fast as {a.he!} could.

[holds_tight a o]
{a} held on to <{o}> with all {a.his!} might.
"Please help me," {a} whispered to {o}.
In {a.his!} {a.hand}, {o} felt warm, and {a} took another step.
{a} pressed {o} to {a.his!} chest.
"Now, {o.noun}, do your work," said {a}.

[sees_nothing a x:fear] mood a surprised
And then? Nothing happened. {x} did {a} no harm at all.
It was not half as bad as {a} had imagined. Was that all there was to {x}?
{a} opened one eye, then the other. "Is that all?" {a.he} asked. "Is that what I feared? Just {x}?"
Was that it? {a} laughed. So much fuss about {x}!
{a} waited for something bad to happen, but {x} turned out to be quite harmless.

[did_it a b] mood a proud; done a; join b a
"I did it, {b.n}!" shouted {a}.
"Did you see me, {b.n}?" called {a}, jumping up and down.
{a} laughed out loud, and {b} clapped.
{b} ran up to {a} and lifted {a.him!} into the air.
"Now I am not afraid any more, {b.n}!" said {a}.
{b} gave {a} a big hug. "I knew it," {b.he!} said.

[returns_charm a b o] hold o b
{a} put <{o}> back into {b.s} pocket. "I do not need it any more," {a.he!} said.
"Here is your {o.noun}, {b.n}," said {a}. "Thank you for it."
{a} wanted {b} to have <{o}> back, for the next time {b.he!} felt afraid.
"I will not need {o.the} again," said {a}, and returned it to {b}.
{a} held out {o}, and {b} took it with a nod.

[keeps_charm b a o] own o a
"Keep {o.the}, {a.n}," said {b}. "You have earned it."
{b} would not take back {o}. "It is yours now, {a.n}," {b.he} said.
{a} wanted to return {o}, but {b} said no. From then on it belonged to {a}.
"{o.the} likes you better, {a.n}," said {b}. "It is yours."

[lesson_fear a x:fear]
{a} still did not love <{x}>, but {a.he} was not afraid any more.
{a} had learned that being brave means going on, {x} or not.
After that day, {a} could even laugh about <{x}>.
When others are afraid of {x} now, {a} takes them by the hand.
"So that was {x}," {a} thought. "How small it was!"
"""


def fear(t: Teller) -> None:
    """Tell it."""
    a, x = 0, t.pick("x", whole("fear"))
    t.say("afraid", a=a, x=x)
    if t.branch(("fear_story", 1), (None, 1)):
        t.say("fear_story", a=a, x=x)
    outing(t, *OUTDOORS)
    b = company(t)
    pause(t)
    t.paragraph()
    r = t.spot("r", "water", "wood", "hill", "house")
    t.say("dare", b=b, a=a, r=r, x=x)
    t.say("refuses", a=a, b=b)
    t.say("comforts", b=b, a=a, x=x)
    o = None
    if t.branch(("charm", 2), ("song_courage", 1)) == "charm":
        t.say("charm", b=b, a=a, o=(o := t.thing("o", "shine", "wear")))
    else:
        t.say("song_courage", b=b, a=a)
    t.paragraph()
    t.say("steps", a=a, r=r, x=x)
    if o is not None and t.branch(("holds_tight", 2), (None, 1)):
        t.say("holds_tight", a=a, o=o)
    t.say("sees_nothing", a=a, x=x)
    t.say("did_it", a=a, b=b)
    if o is not None:
        if t.branch(("returns_charm", 1), ("keeps_charm", 1)) == "returns_charm":
            t.say("returns_charm", a=a, b=b, o=o)
        else:
            t.say("keeps_charm", b=b, a=a, o=o)
    if t.branch(("lesson_fear", 1), (None, 1)):
        t.say("lesson_fear", a=a, x=x)
