"""Plot: a day out ends in bad weather; shelter, a stranger's kindness, and a way home."""

from __future__ import annotations

from toyworlds.stories.lexicon import GEAR, GEAR_WORDS, Pool
from toyworlds.stories.plots.between import pause, trade
from toyworlds.stories.plots.common import company, outing
from toyworlds.stories.teller import Teller

PHRASES = """
[picnic_plan a o] new o; own o a; hold o a; mood a excited
{a} had been looking forward to a day out and packed <{o.a}>.
"Today we shall have a picnic," said {a}, and packed {o.a}.
There was going to be a picnic, and {a} packed <{o.a}> for it.
What is the best thing about a day out? For {a} it was lunch, and this time it was <{o.a}>.
{a} had been in the kitchen since dawn. Now <{o.a}> was ready to come along.

[eats_half a b o]
{a.n} and {b.n} sat down and ate half of <{o}>.
"Let's save some of {o.the} for later, {b.n}," said {a}.
{a} cut {o} in two and gave {b} a taste of it.
"Who is hungry?" asked {a}. {b} was, and soon half of {o} was gone.
{a.n} and {b.n} tasted {o}. It was even better than it looked.

[storm_comes a x:weather] mood a worried
{@suddenly}, the sky changed. "{x}!" cried {a}.
Nobody had expected {x}, but {a} was the first to notice it.
The sun went away, and then there was nothing but {x}. {a} shivered.
"Look up there!" cried {a}. Dark clouds were coming, and they brought {x}.
First there was a breath of cold air, and then there was {x}. {a} pulled up {a.his!} collar.

[no_gear a x:weather y:gear]
"Without {y.a} nobody should be out in {x}," said {a}.
In {x} one needs {y.a}, but {a} had left it at home.
Against {x} nothing helps but {y.a}, as {a} knew very well.
{a} could have cried. There was {x}, and {a.he!} had no {y}.
"Why did I not bring {y.a}?" said {a}. "That is what people need in {x}."

[runs_shelter a b r] at a r; at b r
{a.n} and {b.n} ran {r.to} to wait there.
"Quick, {r.to}!" shouted {b.n}, and pulled {a.n} along.
Hand in hand, {a.n} and {b.n} ran {r.to}.
There was only one dry place, and that was {r}. {a.n} and {b.n} ran.
"I know where to go," said {a.n}, and led {b.n} {r.to}.

[leaves_behind a o p] put o p; mood a sad
But {o} was still lying {p.in}. {a} had forgotten it!
"{o.the}!" cried {a}. "I have left it {p.in}!"
In the hurry, {a} had left <{o}> {p.in}.
{a} stopped. Where was {o}? It was still {p.in}.
{o} was not with them. It had been left {p.in}, and {a} was close to tears.

[lives_here c a b] new c; join c a
{c.n} the {c.kind} was there and made room for {a.n} and {b.n}.
"Come in, you two," {c.n} the {c.kind} said to {a.n} and {b.n}.
There {a.n} and {b.n} found {c.n} the {c.kind}, who was waiting for the sky to clear.
"You are wet through," {c.n} the {c.kind} said to {a.n} and {b.n}, and closed the door behind them.
{c.n} the {c.kind} was not surprised to see {a.n} and {b.n}. "Everyone comes here in such weather," {c.he!} said.

[warm_drink c a b]
{c} made hot soup for {a.n} and {b.n}.
{c} told {a.n} and {b.n} stories about {@song}, and the time flew.
"Sit by the fire, {a.n}," said {c}. "You too, {b.n}."
{c} gave {a.n} and {b.n} a blanket each.
"Dry your feet, {a.n}, and you too, {b.n}," said {c}.

[lends_gear c a y:gear]
"Take my {y}, {a.n}," said {c}. "You can return it tomorrow."
{c} had {y.a} for {a} to wear on the way home.
When {c} saw that {a} had no {y}, {c.he!} lent {a.him!} one.
"Next time, take {y.a}, {a.n}," said {c}. "You may have mine today."
{c} would not let {a} go without {y.a}.

[clears a b]
At last the sky cleared, and {a.n} and {b.n} stepped outside. Everything smelled fresh.
Then {a} pointed up. "A rainbow, {b.n}!" {a.he} cried.
{b} opened the door. "It is over, {a.n}," {b.he} said.
{b} looked out. "I can see blue, {a.n}," {b.he!} said.
{a.n} and {b.n} looked outside. Not a drop fell.

[goes_for c o p] at c p; hold o c
Meanwhile {c} had gone {p.to} and found <{o}>.
{c} went {p.to} alone and picked up <{o}>.
Without a word {c} had walked {p.to} to fetch <{o}>.
Nobody had noticed that {c} had slipped out. {c.he!} was {p.in} and had found <{o}>.
{c} did not mind bad weather. {c.he!} had been {p.in}, and now {c.he!} had {o}.

[brings_it c a o] join c a; hold o a; mood a thankful
{c} came back and gave <{o}> to {a}.
"Is this what you were missing, {a.n}?" asked {c}, and gave {a.him} {o.the}.
{a} cheered when {c} returned and handed {a.him!} {o.the}.
"I thought you might be hungry, {a.n}," said {c}, and put {o} in {a.his} lap.
{c} came in with {o}, and {a} could not believe {a.his!} eyes.

[shares_rest a c o] mood c happy; gone o
{a} shared the rest of <{o}> with {c}.
"Help us finish {o.the}, {c.n}," said {a}.
They all sat together, and {a} gave {c} the biggest piece of {o}.
{a} cut {o} into pieces, one of them for {c}. Not a crumb was left.
"To {c.n}!" said {a}, and they finished {o.the}.

[lesson_storm a c]
{a} never forgot how kind {c} had been.
"A stranger is only a friend you have not met," {c} told {a}.
After that, {a} visited {c} every week.
"Come and see us when the sun shines," {c} told {a}.
When people talk about bad weather, {a} thinks of {c} and smiles.
"""


def storm(t: Teller) -> None:
    """Tell it."""
    a, o = 0, t.thing("o", "bake", color=False)
    t.say("picnic_plan", a=a, o=o)
    p = outing(t, "water", "wood", "hill", "field")
    b = company(t)
    if t.branch(("eats_half", 1), (None, 1)):
        t.say("eats_half", a=a, b=b, o=o)
    pause(t)
    t.paragraph()
    x = t.pick("x", STORMS)
    t.say("storm_comes", a=a, x=x)
    if t.branch(("no_gear", 1), (None, 1)):
        t.say("no_gear", a=a, x=x, y=GEAR.number[GEAR_WORDS[x][t.flag()]])
    t.say("runs_shelter", a=a, b=b, r=t.spot("r", "house", "village"))
    t.say("leaves_behind", a=a, o=o, p=p)
    c = t.person("c", ("adult", 1))
    t.say("lives_here", c=c, a=a, b=b)
    trade(t, c)
    t.say("warm_drink", c=c, a=a, b=b)
    t.paragraph()
    t.say("clears", a=a, b=b)
    t.say("goes_for", c=c, o=o, p=p)
    t.say("brings_it", c=c, a=a, o=o)
    t.say("shares_rest", a=a, c=c, o=o)
    if t.branch(("lends_gear", 1), (None, 1)):
        t.say("lends_gear", c=c, a=a, y=GEAR.number[GEAR_WORDS[x][t.flag()]])
    if t.branch(("lesson_storm", 1), (None, 1)):
        t.say("lesson_storm", a=a, c=c)


STORMS = Pool((0, 1, 2, 3))
"""Rain, snow, wind, fog."""
