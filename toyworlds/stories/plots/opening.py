"""How a story opens: the hero, the hero's home, habits and belongings, a friend, and the day it all begins."""

from __future__ import annotations

from toyworlds.stories.draws import Hero
from toyworlds.stories.lexicon import ACT_POOLS, KIND_LIST, KIND_OF_PLACE
from toyworlds.stories.plots.common import COMPANIONS, OUTDOORS
from toyworlds.stories.questions import common_fact
from toyworlds.stories.teller import Teller

PHRASES = """
[open a x:trait] new a
Once upon a time, there was {x.a} {a.kind} named {a.n}. ~ Once in the old days, there was {x.a} {a.kind} named
    {a.n}.
Once upon a time, there was {x.a} little {a.kind} named {a.n}. ~ Once in the old days, there was {x.a} wee {a.kind}
    named {a.n}.
Once there was {x.a} {a.kind} called {a.n}.
Once there was {x.a} little {a.kind} whose name was {a.n}.
There once lived {x.a} {a.kind} named {a.n}.
{@long_ago}, there lived {x.a} {a.kind} named {a.n}.
{@long_ago}, there was {x.a} little {a.kind} called {a.n}.
This is the story of {a.n}, {x.a} {a.kind}.
This is a story about {x.a} little {a.kind} named {a.n}.
{a.n} was {x.a} {a.kind}. ~ {x.a} {a.kind} {a.n} was.
{a.n} was {x.a} little {a.kind}. ~ {x.a} wee {a.kind} {a.n} was.
{@where_far} lived {x.a} {a.kind} named {a.n}.
{@where_far} there was {x.a} {a.kind}, and everyone called {a.him} {a.n}.
Let me tell you about {a.n}, {x.a} {a.kind}.
{a.n} was the name of {x.a} little {a.kind}.
Nobody in the valley was as {x} as {a.n}, a little {a.kind}. ~ In the hail valley naebody was as {x} as {a.n}, a wee
    {a.kind}.
There was once {x.a} {a.kind}, and {a.his!} name was {a.n}.
{@where_far} there lived {x.a} little {a.kind} called {a.n}.

[trait_line a x:trait]
{a} {x.line}. ~ Ay, {a} {x.line}.
{a} {x.line}, {@so_it_was}. ~ Ay, {a} {x.line}, {@so_it_was}.
As everyone knew, {a} {x.line}. ~ As all the folk kenned, {a} {x.line}.
{@people_said} {a} {x.line}.
{a} was known far and wide, because {a.he!} {x.line}.
You would have liked {a.n}. {a.he!} {x.line}.
From the very first day, {a} {x.line}.
Rain or shine, {a} {x.line}.

[home a r] home a r; at a r
{a} lived <in {@cozy.a} {@house} near {r}>.
{a.s} home was <{@cozy.a} {@house} not far from {r}>.
{a} lived near {r}, <in {@cozy.a} {@house} with {@house_with}>.
{@cozy.a} {@house} near {r} was {a.s} home. ~ The home of {a.n} was {@cozy.a} {@house} near {r}.
From the {@window} of {a.his} {@house}, {a} could see {r}. ~ {r} {a} could see from the {@window} of {a.his}
    {@house}.
{a} had grown up near {r}, <in {@cozy.a} {@house}>.
Near {r} stood {@cozy.a} {@house}, and that was where {a} lived.
If you walked past {r}, you came to {a.s} {@house}.
{a} shared <{@cozy.a} {@house} near {r}> with a family of swallows.

[habit a p x:act]
Most of all, {a} loved {x.ing} <{p.in}>.
{a} liked nothing better than {x.ing} <{p.in}>.
Every {@often}, {a} went <{p.to}> to {x}.
{x.ing} {p.in} was what {a} liked best. ~ What {a} liked best was {x.ing} {p.in}.
On {@fine} days {a} was always <{p.in}>, {x.ing}.
{a} could spend whole days {p.in}, <{x.ing}>.
When there was nothing else to do, {a} went <{p.to}> to {x}.
{a} had a favorite place, {p}, and a favorite game, which was <{x.ing}>.

[den a x:den]
Like every {a.kind}, {a} slept in {a.his!} |{x}.
At night {a} slept in {a.his!} {x}, as every {a.kind} does.
{a} was {a.a}, so {a.he!} slept in {a.his!} |{x}.
Every {a.kind} needs a bed, and {a} slept in {a.his!} |{x}.

[eats a x:eaten]
Like every {a.kind}, {a} loved to eat |{x}.
{a} ate <{x}> for breakfast, as any {a.kind} would.
{a} was {a.a}, and no {a.kind} can resist |{x}.
What does {a.a} like {a} eat? It eats |{x}, of course.

[friend a b] new b
{a.s} best friend was {b.a} named {b.n}.
{a} had a best friend named {b.n}, who was {b.a}.
{a} had a friend, {b.a} named {b.n}.
The best friend that {a.n} had was {b.a} called {b.n}.
{b.a} named {b.n} was {a.s} very best friend.
{a} was never lonely, because {b.a} named {b.n} lived next door.
Luckily {a} had {b.n}, {b.a} who was always good company.
Everyone called {b.a} named {b.n} the shadow of {a.n}, because they were the best of friends.
{a} shared every secret with {b.n}, {b.a} from down the road.
If {a} had a problem, {a.he!} went to see {b.a} named {b.n}.

[together a b]
{a.n} and {b.n} {@did_together}.
If you saw {a.n}, you saw {b.n}, because they {@did_together}.
{@people_said} {a.n} and {b.n} {@did_together}.
Nobody was surprised that {a.n} and {b.n} {@did_together}.
Ever since they had met, {a.n} and {b.n} {@did_together}.

[has a o] new o; own o a; hold o a
{a} had <{o.a}>.
{a} owned <{o.a}>, and {a.he} was proud of it.
{a.s} favorite thing was <{o.a}>.
{a} had <{o.a}> that {a.he} {@treated}.
Of all the things in the {@house}, {a} liked <{o.a}> best.
Wherever {a} went, {o.a} went along.
{@giver} had given {a} <{o.a}>.
{a} had been given <{o.a}> for {a.his!} last birthday.
Under {a.his!} bed {a} kept <{o.a}>.
{a} was very fond of <{o.a}>.

[has_also a o] new o; own o a; hold o a
{a} also had <{o.a}>.
And then there was <{o.a}> that belonged to {a}.
{a} was just as fond of <{o.a}> that stood next to it.
Besides, {a} owned <{o.a}>.

[has_two a o q] new o; own o a; hold o a; new q; own q a; hold q a
{a} had {o.a} and {q.a}.
{a} had two treasures, {o.a} and {q.a}.
{a} never went out without {o.a} and {q.a}.
{a} kept {o.a} and {q.a} in {a.his!} {@satchel}.
{a} had {o.a}, and {a.he!} had {q.a} too.
There were two things {a} liked to look at, {o.a} and {q.a}.

[has_each a b o q] new o; own o a; hold o a; new q; own q b; hold q b
{a.n} had {o.a}, and {b.n} had {q.a}.
{a.n} always carried {o.a}, while {b.n} carried {q.a}.
{a.s} pride was {o.a}, and {b.s} pride was {q.a}.
{a} was fond of {o.a}, and {b} was fond of {q.a}.
Everyone knew {a.n} by {o.a} and {b.n} by {q.a}.
"""


def open_story(t: Teller, hero: Hero) -> None:
    """Introduce the hero, and some of what belongs to the hero."""
    t.enter(hero.kind, hero.name)
    t.say("open", a=0, x=hero.trait)
    if t.branch(("trait_line", 1), (None, 1)):
        t.say("trait_line", a=0, x=hero.trait)
    if t.branch(("home", 1), (None, 1)):
        t.say("home", a=0, r=t.spot("r", *OUTDOORS))
        nature(t, "eats")
    else:
        nature(t, "den", "eats")
    if t.branch(("habit", 1), (None, 3)):
        place = t.spot("p", *OUTDOORS)
        t.say("habit", a=0, p=place, x=t.pick("x", ACT_POOLS[KIND_OF_PLACE[place]]))
    if t.branch(("friend", 2), (None, 1)):
        t.friend = t.person("b", *COMPANIONS)
        t.say("friend", a=0, b=t.friend)
        if t.branch(("together", 1), (None, 3)):
            t.say("together", a=0, b=t.friend)
    belongings(t)


def nature(t: Teller, *facts: str) -> None:
    """Perhaps one of the common `facts` about the hero's kind, for animals."""
    if KIND_LIST[t.kind[0]].group == "animal":
        event = t.branch(*[(fact, 1) for fact in facts], (None, 2))
        if event is not None:
            t.say(event, **common_fact(t, event))


def belongings(t: Teller) -> None:
    """Things that the hero or the friend has and that play no part in the plot."""
    pair = () if t.friend < 0 else (("has_each", 2),)
    event = t.branch(("has", 4), ("has_two", 2), *pair, (None, 3))
    if event == "has":
        t.say("has", a=0, o=t.own("o"))
        while len(t.side) < 4 and t.branch(("has_also", 1), (None, 2)):
            t.say("has_also", a=0, o=t.own("o"))
    elif event == "has_two":
        t.say("has_two", a=0, o=t.own("o"), q=t.own("q"))
    elif event == "has_each":
        t.say("has_each", a=0, b=t.friend, o=t.own("o"), q=t.own("q"))
