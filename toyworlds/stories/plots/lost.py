"""Plot: a treasure is lost, a friend helps to look for it, and it is found."""

from __future__ import annotations

from toyworlds.stories.lexicon import ACT_POOLS, KIND_OF_PLACE
from toyworlds.stories.plots.between import pause
from toyworlds.stories.plots.common import COMPANIONS, OUTDOORS, company, outing
from toyworlds.stories.teller import Teller

PHRASES = """
[treasure a o] new o; own o a; hold o a
The dearest thing {a} had was <{o.a}>.
{a} had <{o.a}> and took it everywhere.
There was one thing {a} would never give away, and that was <{o.a}>.
{@giver} had made <{o.a}> for {a}, and {a.he} loved it.
More than anything else, {a} loved <{o.a}> that {@giver} had sent.
{a} would not go to sleep without <{o.a}> beside {a.his!} bed.
Every night {a} put <{o.a}> on the chair next to {a.his!} bed, because {a.he!} loved it so.
If there had been a fire, {a} would have saved <{o.a}> first.
{@giver} had given {a} <{o.a}>, and {a.he!} would not have swapped it for all the gold in the world.

[takes_along a o p]
Of course {o} had to come along to {p}, so {a} {@packed} it.
{a} had brought <{o}> along to {p}.
{a} {@packed} <{o}> before leaving for {p}.
{a} never went {p.to} without {o}, and {a.he!} had it with {a.him!} that day too.
In {a.his!} {a.hand}, {a} carried <{o}> all the way {p.to}.
"You shall see {p} too," {a} told {o}, and took it along.

[misses a o] gone o; mood a worried; aim a find o
But when {a} wanted to go home, {o} was gone!
{@suddenly}, {a} noticed that {o} was gone.
{a} looked down and gasped. {o.the} was not there any more! ~ Down {a} looked and gasped. Away was {o.the}!
When {a} stopped to rest, {o} was nowhere to be seen.
Then something terrible happened. {a} could not find {o} anywhere! ~ Then a dreadful thing befell. Nowhere could {a}
    find {o}!
{a} wanted to look at {o}, but {a.his!} {a.hands} were empty.
{a} reached for {o}, and there was nothing there.
"Where is my {o.noun}?" cried {a}. "I had it just now!"
When {a} looked for {o}, it had vanished.

[seen_it a b o]
"Have you seen my {o.noun}?" {a} asked {b}.
"I have lost my {o.noun}!" {a} told {b}. "It must be somewhere."
{a} {a.went} <over to {b}> and asked about {o}.
"{b.n}, {o.the} is gone!" cried {a}.
"What is wrong?" asked {b}. "I cannot find my {o.noun}," said {a}. ~ Asked {b}: "What ails thee?" Quoth {a}: "My
    {o.noun} I cannot find."
"Please, {b.n}," said {a}, "have you seen {o.the} anywhere?"
{a} told {b} that {o} was missing.
"{b.n}, something awful has happened," said {a}. "I cannot find {o.the}."

[will_look b a o] aim b help o
"No, but I will help you find {o.the}," said {b}, and {a} {@cheered_up}.
"Don't worry, {a.n}," said {b}. "We will find {o.the} together."
{b} took {a.s} {a.hand}. "Two can look better than one," {b.he} said. "Let's find {o.the}." ~ {a.s} {a.hand} {b}
    took. "Two seek better than one. Let us find {o.the}."
{b} promised to look for {o} until {a} had it back.
"Let us think, {a.n}," said {b}. "Where did you last see {o.the}?"
"Then let's go and find {o.the}, {a.n}," said {b} at once.
{b} knew how much {o} meant to {a}, and began to look right away.
"Cheer up, {a.n}," said {b}. "{o.the} cannot have gone far."

[search a b o p]
First {a.n} and {b.n} looked for {o} {p.in}, {p.nook}, but it was not there. ~ {p.in}, {p.nook}, {a.n} and {b.n}
    sought {o}, but it was not there.
{a.n} and {b.n} searched for {o} everywhere {p.in}, even {p.nook}.
{b} looked {p.nook} {p.in}, but instead of {o} {a.n} and {b.n} found only {@junk}. ~ {p.nook} {p.in} {b} looked, but
    instead of {o} {a.n} and {b.n} found but {@junk}.
{a.n} crawled on all fours, and {b.n} looked {p.nook}. There was no {o.noun} {p.in}.
"It must be here {p.in}," said {a.n}, but {b.n} had already looked {p.nook}, and there was no {o.noun}.

[search_on a b o r] at a r; at b r
Then {a.n} and {b.n} {@moved} to {r} and looked {r.nook}. There was no {o.noun}. ~ Then to {r} {a.n} and {b.n}
    {@moved} and looked {r.nook}. No {o.noun} was there.
They tried {r} next. {a} looked {r.nook}, and {b} called out for {o}, as if it could answer. ~ {r} they tried next.
    {r.nook} looked {a}, and {b} hailed {o}, as if it could answer.
{a.n} and {b.n} went on to {r}, but all they found instead of {o} was {@junk}. ~ On to {r} {a.n} and {b.n} went, but
    all they found instead of {o} was {@junk}.
"Maybe it is {r.in}," said {b}. So {a.n} and {b.n} went there. They looked {r.nook} and found no {o.noun}.
Next came {r}. {a.n} took one side and {b.n} the other, but neither of them saw {o}.

[asks_stranger c a b o] new c; join c a
{@just_then} {c.a} named {c.n} came by and heard {a.n} and {b.n} talking about {o}.
{a.n} and {b.n} met {c.a} named {c.n} and asked about {o}.
"What are you looking for?" asked {c.a} named {c.n}. {a.n} and {b.n} told of the lost {o.noun}. ~ Asked {c.a} named
    {c.n}: "What seek ye?" {a.n} and {b.n} told of the lost {o.noun}.
Along came {c.a} named {c.n}, who wanted to know why {a.n} and {b.n} were calling for {o.a}.
{a.n} and {b.n} told everyone they met about {o}, and so they came to talk to {c.a} named {c.n}.

[tip c o r]
"I saw something {o.color} near {r}," said {c}.
"Try {r}," said {c}. "Something {o.color} was lying there."
{c} pointed to {r} and said, "Is your {o.noun} {o.color}? Then look over there."
{c} scratched {c.his!} chin. "Something {o.color}? Your {o.noun} may be near {r}," {c.he!} said.
"If your {o.noun} is {o.color}, then I know where it is," said {c}. "Go and look near {r}."

[tip_plain c o r]
"I saw {o.the} near {r}," said {c}.
"Try {r}," said {c}. "I think I saw your {o.noun} there."
{c} remembered passing {o.the} on the way <to {r}>.
{c} scratched {c.his!} chin. "{o.a}? Yes, near {r}," {c.he!} said.
"Go and look near {r}," said {c}. "Somebody has dropped {o.a} there."

[found b a o r] at a r; at b r; hold o b; mood a happy
{a.n} and {b.n} ran to {r}, and there, {r.nook}, {b.n} found {o}! ~ To {r} {a.n} and {b.n} ran, and there, {r.nook},
    {b.n} found {o}!
They hurried to {r}. "Here it is!" shouted {b.n} to {a.n}, and pulled out {o}. ~ To {r} they sped. {b.n} hallooed to
    {a.n}, and pulled out {o}.
At last, {r.in}, something was lying {r.nook}. {b} picked it up and showed it to {a.n}. It was {o}! ~ At last,
    {r.in}, something lay {r.nook}. Up {b} picked it and showed it to {a.n}. It was {o}!
{r.in}, {a.n} wanted to give up, but {b} looked {r.nook} one last time. There was {o}! ~ {r.in}, {a.n} was fain to
    give up, but {r.nook} {b} looked one last time. There was {o}!
{r.in}, {b.n} stopped so suddenly that {a.n} bumped into {b.him!}. {o.the} was lying {r.nook}! {b.n} picked it up. ~
    {r.in}, {b.n} stopped sae suddenly that {a.n} bumped into {b.him!}. {r.nook} lay {o.the}! Up {b.n} picked it.
The sun was already low when {a.n} and {b.n} reached {r}. {b.n} reached {r.nook}, and in {b.his!} {b.hand} was {o}.
    ~ Low was the sun when {a.n} and {b.n} reached {r}. {r.nook} {b.n} reached, and in {b.his!} {b.hand} was {o}.

[hands_over b a o] hold o a; done a; done b
{b} gave <{o}> straight to {a}.
"Here you are, {a.n}," said {b}, and gave {a.him} {o.the}. ~ Quoth {b}: "There thou hast it, {a.n}." And {a.him}
    {b.n} gave {o.the}.
{b} wiped {o} clean and handed it to {a}.
"Is this yours, {a.n}?" {b} laughed, holding out {o.the}. {a.n} took it at once. ~ "Is this thine, {a.n}?" And {b}
    laughed, holding out {o.the}. At once {a.n} took it.
Without a word, {b} put {o} into {a.s} {a.hands}.
"Never lose it again, {a.n}," said {b}, and handed over {o.the}.

[lesson_lost a o]
After that, {a} took better care of <{o}>.
From that day on, {a} never let <{o}> out of sight.
{a} had learned <to keep an eye on {o}>.
"I will be more careful with {o.the}," {a} promised.
To this day, {a} checks three times a day whether {o} is still there.
{a} tied a ribbon to {o}, so that it would never be lost again.
"""


def lost(t: Teller) -> None:
    """Tell it."""
    a, o = 0, t.thing("o", "keepsake")
    t.say("treasure", a=a, o=o)
    p = outing(t, *OUTDOORS)
    t.say("takes_along", a=a, o=o, p=p)
    t.say("does", a=a, p=p, x=t.pick("x", ACT_POOLS[KIND_OF_PLACE[p]]))
    b = company(t) if t.branch(("friend_there" if t.friend >= 0 else "meet", 1), (None, 1)) else None
    pause(t)
    t.paragraph()
    t.say("misses", a=a, o=o)
    if t.branch(("weeps", 2), (None, 1)):
        t.say("weeps", a=a)
    b = company(t) if b is None else b
    t.say("seen_it", a=a, b=b, o=o)
    t.say("will_look", b=b, a=a, o=o)
    t.paragraph()
    _search(t, b, o, p)
    t.say("hands_over", b=b, a=a, o=o)
    t.say("hugs", a=a, b=b)
    if t.branch(("lesson_lost", 1), (None, 1)):
        t.say("lesson_lost", a=a, o=o)


def _search(t: Teller, b: int, o: int, p: int) -> None:
    """Look in one place after the other until the object is found."""
    t.say("search", a=0, b=b, o=o, p=p)
    while t.length < 210 and t.branch(("search_on", 1), (None, 1)):
        t.say("search_on", a=0, b=b, o=o, r=t.spot("r", *OUTDOORS))
    if t.branch(("asks_stranger", 1), (None, 1)):
        c = t.person("c", *COMPANIONS, ("adult", 5))
        t.say("asks_stranger", c=c, a=0, b=b, o=o)
        r = t.spot("r", *OUTDOORS)
        t.say("tip" if t.color[o] >= 0 else "tip_plain", c=c, o=o, r=r)
    else:
        r = t.spot("r", *OUTDOORS)
    t.paragraph()
    t.say("found", b=b, a=0, o=o, r=r)
