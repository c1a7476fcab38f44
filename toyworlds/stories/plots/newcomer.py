"""Plot: somebody new has come and is alone; one small kindness makes a friend."""

from __future__ import annotations

from toyworlds.stories.lexicon import ACT_POOLS, KIND_OF_PLACE
from toyworlds.stories.plots.between import pause
from toyworlds.stories.plots.common import COMPANIONS, OUTDOORS, outing
from toyworlds.stories.teller import Teller

PHRASES = """
[news a r]
Everyone was talking. Somebody new had moved in near {r}, and {a} was curious.
{a} heard that a new family had come to live near {r}.
"Have you heard?" people said. "Somebody new lives near {r}." {a} listened with both ears.
There was a light near {r} where it had always been dark. New neighbors, thought {a}.
A cart full of furniture had stopped near {r}, and {a} wondered who was moving in.

[alone b a] new b; join b a; mood b lonely
There {a} saw {b.a} sitting all alone. It was {b.n}, the newcomer.
The newcomer was {b.a} named {b.n}, who {@stood_apart} while {a} watched.
A little way off stood {b.a} named {b.n}, who seemed to be {@sad}, and {a} saw it.
Somebody sat there without a friend. It was {b.n}, {b.a} {a} had never seen before.
"Who is that?" thought {a}. It was {b.a}. It was {b.n}, who was new.

[others_mean b]
Nobody asked {b} to join in.
The others only whispered about {b}.
"{b.n} is different," somebody said, and the others giggled.
Somebody called {b} a name.
When {b} came closer, the others walked away.

[thinks_of a b] aim a befriend
{a} remembered how it felt to be alone and {a.went} over to {b}.
"I would not like to stand there like {b.n}," thought {a}.
{a} could not bear to see {b} so {@sad}.
"Somebody should talk to {b.n}," thought {a}, and then {a.he!} did it.
{a} took heart and sat down next to {b}.

[asks_home a b r] home b r
"Where do you live?" {a} asked {b}. "I live near the |{r.noun}," {b.he} said. ~ {a} asked {b}: "Where dwellest
    thou?" And {b.he} said: "I dwell near the |{r.noun}."
"Do you live near the |{r.noun}?" {a} asked {b}. It was so.
"So you are the one who lives near the |{r.noun}," {a} said to {b}.
"I saw a light near the |{r.noun}," {a} said to {b}. "Is that where you live?" It was.
{b} pointed at the |{r.noun}. "That is where I live," {b.he!} told {a}.

[has_nothing b a]
"I do not know any games, {a.n}," {b} said {@softly}.
{b} told {a} that all {b.his!} friends were far away.
"I miss my old home," {b} told {a}.
{b} told {a} that moving is hard.
"Nobody has talked to me all day, {a.n}," said {b}.

[offers_toy a b o] new o; own o a; hold o b
{a} took out <{o.a}> and gave it to {b}.
"Would you like to try this?" asked {a}, and gave {b} {o.a}.
{a} had <{o.a}> in {a.his!} bag and put it into {b.s} {b.hands}.
"I have {o.a}," said {a}. "Here, {b.n}, take it."
{a} thought that {o.a} might help, so {a.he!} let {b} have it.

[plays_with b o] mood b happy
{b} turned <{o}> over and over and smiled for the first time.
"I have never held {o.a} before," said {b}.
It was wonderful to see how happily {b} played with <{o}>.
It did not take {b} long to see what one can do with {o.a}.
"This is the best {o.noun} I have ever seen," said {b}.

[teaches b a x:act p] mood a happy
"Where I come from, we are fond of {x.ing}," said {b}, and showed {a} how, right there {p.in}.
{b} knew a new way of {x.ing}, and {a} had never laughed so much {p.in}.
Then {b.n} and {a.n} spent the whole day {x.ing} {p.in}.
Soon {b.n} and {a.n} were {x.ing} {p.in}, as if they had known each other for years. ~ Soon were {b.n} and {a.n}
    {x.ing} {p.in}, as if they had kent each other for years.
"Do you like {x.ing}, {a.n}?" asked {b}. Of course {a} did, and {p} was the right place for it.

[keeps_toy a b o] own o b; done a
"Keep {o.the}, {b.n}," said {a}. "A friend gave it to you."
{a} let {b} keep <{o}>.
When {b} wanted to return {o}, {a} shook {a.his!} head. "It is yours," {a.he} said.
{a} made {b} a present of <{o}>.
"I have other toys, {b.n}," said {a}. "From now on {o.the} is yours."

[gives_toy_back b a o] hold o a; done a
In the evening {b} gave <{o}> back to {a}.
"Thank you for {o.the}, {a.n}," said {b}, and handed it back.
{b} carefully laid {o} in {a.s} {a.hands} again.
When the sun went down, {b} returned <{o}> to {a}.
{b} had been very careful with {o} and gave it back to {a}.

[belongs b a] mood b happy; done a
Now {b} had a friend, and that friend was {a.n}.
Before long everyone wanted to play with {b}, but {a} had been the first.
"Tomorrow we meet again, {a.n}," said {b}.
{b} waved from far away. "See you tomorrow, {a.n}!" {b.he!} called.
{b} was no longer the newcomer. {b.he!} was a friend of {a.n}.
"""


def newcomer(t: Teller) -> None:
    """Tell it."""
    a, r = 0, t.spot("r", *OUTDOORS)
    t.say("news", a=a, r=r)
    p = outing(t, "water", "wood", "hill", "field")
    if t.branch(("does", 1), (None, 1)):
        t.say("does", a=a, p=p, x=t.pick("x", ACT_POOLS[KIND_OF_PLACE[p]]))
    pause(t)
    b = t.person("b", *COMPANIONS)
    t.say("alone", b=b, a=a)
    if t.branch(("others_mean", 1), (None, 1)):
        t.say("others_mean", b=b)
    t.paragraph()
    t.say("thinks_of", a=a, b=b)
    if t.branch(("asks_home", 2), (None, 1)):
        t.say("asks_home", a=a, b=b, r=r)
    t.say("has_nothing", b=b, a=a)
    o = t.thing("o", "toy", "music", "fly", "roll")
    t.say("offers_toy", a=a, b=b, o=o)
    t.say("plays_with", b=b, o=o)
    t.say("teaches", b=b, a=a, p=p, x=t.pick("x", ACT_POOLS[KIND_OF_PLACE[p]]))
    t.paragraph()
    if t.branch(("keeps_toy", 1), ("gives_toy_back", 1)) == "keeps_toy":
        t.say("keeps_toy", a=a, b=b, o=o)
    else:
        t.say("gives_toy_back", b=b, a=a, o=o)
    t.say("belongs", b=b, a=a)
