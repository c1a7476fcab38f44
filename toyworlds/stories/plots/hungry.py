"""Plot: a hungry animal gets what its kind likes best, and pays the kindness back."""

from __future__ import annotations

from toyworlds.stories.lexicon import EATEN, HOMES, KIND_LIST
from toyworlds.stories.plots.between import pause
from toyworlds.stories.plots.common import OUTDOORS, outing
from toyworlds.stories.teller import Teller, whole

PHRASES = """
[quiet_path a]
Nobody would have guessed that {a} would make a new friend that week.
Some friends are found when you are not looking for them, as {a} was about to learn.
{a} had often wished for <a new friend>.
{a} did not know yet that somebody needed {a.him!}.
A small kindness can travel a long way. Ask {a}, who found that out.

[hears a p]
{p.in}, {a} heard somebody crying {@softly}.
There was a strange sound {p.in}. {a} stopped and listened.
"Who is crying there?" asked {a}, looking around {p.in}.
{a} was just about to leave when a sob came from somewhere {p.in}.
Something was wrong {p.in}. {a} could hear it.

[finds_hungry a b] new b; join b a; mood b hungry
It was {b.a}, thin and {@sad}, and {a} asked for {b.his} name. "{b.n}," came the answer.
{a} found {b.a} named {b.n}, who had not eaten for two days.
There sat {b.a} whose name was {b.n}. {b.his!} belly was rumbling so loudly that {a} heard it.
{a} looked around a corner, and there was {b.a} named {b.n}, nothing but skin and bones.
{b.a} named {b.n} looked up at {a} with big eyes. {b.he!} had been crying.

[what_eat a b]
"What is the matter, {b.n}?" asked {a}. "I am so hungry," said {b}.
"I have had nothing to eat since yesterday," {b} told {a}.
{b} was too weak to say much, but {a} understood.
"When did you last eat?" {a} asked {b}. {b} could not remember.
"Have you got anything to eat?" {b} asked {a}. "Anything at all?"

[likes_food b x:eaten]
"Nothing is better for {b.a} than |{x}," {b} said.
As {b.a}, {b} wanted nothing more than |{x}.
Every {b.kind} needs |{x}, and so did {b}.
"If only I had some |{x}," {b} sighed. "Every {b.kind} needs that."
What does {b.a} like best? {b} liked |{x}.

[fetches_food a x:eaten r] at a r
{a} ran {r.to} and asked for {x}.
{a} {a.went} {r.to}, where one can always find {x}.
"Wait here," said {a}, and {a.went} {r.to} to get {x}.
One could always find {x} {r.in}, so {a} {a.went} there.
"I know where to get {x}," said {a}, and {a.went} {r.to}.

[kind_grownup c a x:eaten] new c; join c a
{c.n} the {c.kind} had plenty of {x} and gave {a} some for nothing.
"You may have all the {x} you can carry, {a}," said {c.n} the {c.kind}.
"What do you want {x} for?" asked {c.n} the {c.kind}. When {a} told the story, {c} gave {a.him!} a whole bag.
{c.n} the {c.kind} saw {a} looking at {x} and asked, "Is it for somebody hungry?" Then {c.he!} filled a bag.
"For a good deed, you may have {x} for nothing," {c.n} the {c.kind} told {a}.

[feeds a b x:eaten] join a b; mood b thankful
{a} hurried back and gave {x} to {b}, who ate every bit.
When {a} came back with {x}, {b} jumped up and down.
{b} ate {x} until there was nothing left, and {a} watched happily.
"I have brought you {x}, {b.n}," said {a}.
{a} laid {x} in front of {b}, and in a minute nothing was left.
{b} had never tasted such good {x}, and {a} had never seen anyone eat so fast.

[fed b a] mood b happy; mood a happy
"I will never forget what you did, {a.n}," said {b}.
{b} licked {b.his!} lips. "You saved me, {a.n}," {b.he} said.
"You have a good heart, {a.n}," said {b}.
{b} could stand up again and hopped around {a}.
"Now I can dance again, {a.n}!" said {b}.

[invites b a x:den]
"Come and see my {x} one day, {a.n}," said {b}.
{b} told {a} all about {b.his!} {x}, for that is where every {b.kind} lives.
"My {x} is always open to you, {a.n}," said {b}.
{a} was curious what the {x} of {b} looked like.

[later a b y:day] day y
The next {y}, it was {a} who needed help, and {b} came at once.
On {y}, {b} heard that {a} was in trouble.
When {y} came, {b} had a chance to help {a}.
Days went by. On {y}, {b} came to see {a}, and it was just the right moment.
It was {y} when {a} next saw {b}. This time {a} was the one in need.

[trouble a o] new o; own o a; gone o; mood a worried; aim a find o
{a} had lost <{o.a}> and could not find it.
{o.a} had fallen down a hole, and it was {a} who had dropped it.
"I have dropped {o.a} into the bushes," {a} said.
{a} had been careless with {o.a}, and now it was gone.
"My {o.noun} is gone!" sobbed {a}. Somewhere lay {o.a}, but where?

[repays b a o] hold o a; mood a thankful; done a
{b} knew every hiding place and soon brought <{o}> to {a}.
With {b.his!} sharp eyes, {b} found {o}, and {a} got it back.
"Nothing could be easier for {b.a}," said {b}. A minute later {a} had {o}.
{b} put {b.his!} nose to the ground and came back with {o}, which {b.he!} gave to {a}.
It did not take {b} long. "Is this your {o.noun}, {a.n}?" {b.he!} asked, and put it down at {a.his} feet.

[friends_now a b]
From that day on, {a.n} and {b.n} were friends.
"One kindness calls for another," said {b}, and {a} laughed.
{a.n} and {b.n} met every week after that.
Whoever sees {a} sees {b} as well these days.
{a.n} and {b.n} do not remember any more who helped whom first.
"""
KITCHENS = ("village", "field")


def hungry(t: Teller) -> None:
    """Tell it."""
    a = 0
    t.say("quiet_path", a=a)
    p = outing(t, *OUTDOORS)
    pause(t)
    t.paragraph()
    t.say("hears", a=a, p=p)
    b = t.person("b", ("animal", 1))
    t.say("finds_hungry", a=a, b=b)
    t.say("what_eat", a=a, b=b)
    kind = KIND_LIST[t.kind[b]]
    x = EATEN.number[kind.food[t.flag()]]
    t.say("likes_food", b=b, x=x)
    t.paragraph()
    t.say("fetches_food", a=a, x=x, r=t.spot("r", *KITCHENS))
    if t.branch(("kind_grownup", 2), (None, 1)):
        c = t.person("c", ("adult", 1))
        t.say("kind_grownup", c=c, a=a, x=x)
        t.say("thanks", a=a, c=c)
    t.say("feeds", a=a, b=b, x=x)
    t.say("fed", b=b, a=a)
    if t.branch(("invites", 1), (None, 1)):
        t.say("invites", b=b, a=a, x=HOMES.number[kind.home[t.flag()]])
    if t.length < 230 and t.branch(("later", 2), (None, 1)):
        t.paragraph()
        t.say("later", a=a, b=b, y=t.pick("y", whole("day")))
        t.say("trouble", a=a, o=t.thing("o", "shine", "wear", "toy"))
        t.say("repays", b=b, a=a, o=len(t.noun) - 1)
    t.say("friends_now", a=a, b=b)
