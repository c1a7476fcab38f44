"""What any plot needs: going somewhere, meeting the friend, thanks."""

from __future__ import annotations

from toyworlds.stories.lexicon import Pool
from toyworlds.stories.teller import Teller, whole

PHRASES = """
[day a p y:day z:time] at a p; day y; time z
One {@fine} {y} {z}, {a} {a.went} <{p.to}>.
It was {@fine.a} {y} {z}, and {a} {a.went} <{p.to}>.
On {@fine.a} {y} {z}, {a} set off <for {p}>.
When {y} {z} came, {@fine} and {@bright}, {a} {a.went} <{p.to}>.
"It is {y} at last!" said {a.n}, and that {z} {a.he} {a.went} {p.to}. ~ Quoth {a.n}: "It is {y} at last!" And that
    {z} {p.to} {a.he} {a.went}.
{y} {z} was {@fine}, so {a} {a.went} <{p.to}>.
One {y} {z}, when {@sky}, {a} {a.went} <{p.to}>.
One {y} {z}, {a} could not sit still, so {a.he!} {a.went} <{p.to}>.
The {z} was {@fine}. It was {y}, and {a} {a.went} <{p.to}>.
It all began on {@fine.a} {y} {z}, when {a} {a.went} <{p.to}>.
"What {@fine.a} {z} for {y.a}!" said {a.n}, and off {a.he!} {a.went} <{p.to}>.

[goes a p] at a p
So {a} {a.went} <{p.to}>.
{a} {a.went} <{p.to}> to see who was about.
{a} made up {a.his!} mind and {a.went} <{p.to}>.
A little later {a} was <{p.in}>.
After breakfast, {a} {a.went} <{p.to}>.
{a} had nothing else to do, so {a.he!} {a.went} <{p.to}>.

[scene a p]
{a} looked around. {p.in}, {p.scene}. ~ All about {a} looked. {p.in}, {p.scene}.
{p.in}, {p.scene}, and {a} {@breathed}.
{a} stood still for a moment, because {p.scene} <{p.in}>.
What a day it was {p.in}! {p.scene}, and {a} {@breathed}. ~ Lo, what a day it was {p.in}! {p.scene}, and {a}
    {@breathed}.
{a} loved it {p.in}, where {p.scene}.
"Listen," thought {a}. {p.in}, {p.scene}.

[does a p x:act] mood a happy
{a} spent the {@while} {x.ing} <{p.in}>.
For {@a_while} {a} was busy {x.ing} <{p.in}>.
{a} loved {p} and spent {@a_while} <{x.ing}>.
"{p} is the best place to {x}," said {a}. ~ Quoth {a}: "The best place to {x} is {p}."
"I want to {x}," said {a} happily <{p.in}>.
Nothing was more fun {p.in} than {x.ing}, and {a} did it for {@a_while}.
{a} began {x.ing} at once, because that is what one does <{p.in}>.
{p.in} {a} tried {x.ing}, and {@a_while} went by.

[meet a b] new b; join b a
There {a} met {b.a} named {b.n}.
{b.a} named {b.n} was there too, and {a} said hello.
"Hello! I am {b.n}," {b.a} called out, and {a} waved back. ~ {b.a} called out: "Good morrow! I am {b.n}." And {a}
    waved back.
{a} was not alone, because {b.a} named {b.n} was there as well.
{@just_then}, {b.a} named {b.n} came by and smiled at {a}.
A voice said, "May I come along?" It was {b.a} named {b.n}, and {a} was glad.
{a} nearly bumped into {b.a} named {b.n}.
Somebody was sitting there. "I am {b.n}," said {b.a}, and {a} sat down too.
Before {a} could do anything, {b.a} named {b.n} ran up and shook {a.his!} {a.hand}.

[friend_there a b] join b a
{b} was already there, and {a} {@greeted}.
{a} found {b.n} there, {@busy_with}.
{@soon} {b.n} came along, and {a} {@greeted}.
{b} was there as well, {@busy_with}, and {a} waved.
"There you are!" said {b.n} when {a} arrived.
And there was {b.n}, {@busy_with}, just as {a} had hoped.
{b.n} had promised to come, and {b.he!} was there. {a} {@greeted}.
"{a.n}! Over here!" called {b.n}, who was {@busy_with}.

[weeps a] mood a sad
{a} felt <so {@sad} that {a.he} began to cry>.
{a} sat down and cried, because {a.he} was {@sad}.
A tear rolled down {a.s} {@cheek}.
"Oh no, oh no," said {a}, who was {@sad} now.
{a} was {@sad} and did not know what to do.
{a} swallowed hard, because {a.he!} was so {@sad}.
"This is the worst day of my life," said {a}, feeling {@sad}.
{a} hid {a.his!} face and felt {@sad}.

[hugs a b] mood a thankful; mood b happy
{a} hugged {b}.
"Thank you, {b.n}!" said {a}. "You are a true friend."
{a} was so happy that {a.he} hugged {b}.
"How can I ever thank you, {b.n}?" said {a}. "I could not have done it alone."
{a} thanked {b} again and again.
{a} threw {a.his!} arms around {b.n}.
"What would I do without you, {b.n}?" said {a}.
{a} was so relieved that {a.he!} danced around {b.n} in a circle.

[thanks a c] mood a thankful; mood c happy
{a} thanked {c} with all {a.his!} heart.
"Thank you, {c.n}!" cried {a}. "You are so kind."
"You are welcome," said {c} when {a} thanked {c.him!}.
{a} shook {c.s} {c.hand}. "I will never forget this, {c.n}."
"That was very good of you, {c.n}," said {a}.
{a} did not know how to thank {c}, so {a.he!} simply smiled.
"I owe you a favor, {c.n}," {a} said.
"""
OUTDOORS = ("water", "wood", "hill", "field", "village")
DAYTIME = Pool((0, 1))
COMPANIONS = (("girl", 3), ("boy", 3), ("animal", 4))


def outing(t: Teller, *groups: str) -> int:
    """The day begins: the hero goes to a place of one of `groups`; return the place."""
    t.paragraph()
    place = t.spot("p", *groups)
    t.say("day", a=0, p=place, y=t.pick("y", whole("day")), z=t.pick("z", DAYTIME))
    return place


def company(t: Teller) -> int:
    """Bring the friend to the hero, or a new one if there is none yet; return the friend."""
    if t.friend < 0:
        t.friend = t.person("b", *COMPANIONS)
        t.say("meet", a=0, b=t.friend)
    else:
        t.say("friend_there", a=0, b=t.friend)
    return t.friend
