"""Plot: two friends want the same thing, quarrel over it, and learn to take turns."""

from __future__ import annotations

from toyworlds.stories.plots.between import pause
from toyworlds.stories.plots.common import OUTDOORS, company
from toyworlds.stories.teller import Teller, whole

PHRASES = """
[dull_day a y:day] day y
{y} began as a dull day, and {a} was looking for something to do.
It was {y}, and {a} had no idea that it would be a day of quarrels.
On {y}, {a} woke up in a bad mood.
"It is {y}, and nothing ever happens on a {y}," said {a}.
Nothing had gone right for {a} that {y}, and the day had hardly begun.
Rain had kept {a} indoors for days, and now it was {y}.

[find_both a b o] new o
{a.n} and {b.n} found <{o.a}> lying in a corner.
Then {a.n} and {b.n} both saw <{o.a}> at the same moment.
{@half_hidden}, {a.n} and {b.n} discovered <{o.a}>.
"Look, {o.a}!" said {a.n} and {b.n} at once.
Neither {a.n} nor {b.n} could say who had seen it first. There lay <{o.a}>.
Somebody had left <{o.a}> behind, and {a.n} and {b.n} could hardly believe their luck.

[both_want a b o] aim a get o; aim b get o
"I saw it first!" said {a}. "No, I did," said {b}. Both of them pulled at {o}.
{a.n} wanted {o}, but {b.n} wanted it too.
"{o.the} is mine!" cried {a}. "Mine!" cried {b}.
Both {a.n} and {b.n} reached for {o}.
"Let go of {o.the}, {a.n}!" said {b}. "No, you let go!" said {a}.
{a} took hold of {o}. So did {b}.

[grabs a b o] hold o a; mood b angry
{a} grabbed <{o}>, and {b} became angry.
{a} pulled so hard that {b} had to let go of {o}.
In the end {a} got <{o}>, and {b} {@stamped}.
"Give it to me!" shouted {b}, but {a} held on to {o}.
With one quick move {a} had {o}, and {b} stood there with empty {b.hands}.
"Mine!" shouted {a}, and ran off with {o.the}, while {b} {@stamped}.

[snatches b a o] hold o b; mood a angry
Then {b} snatched {o} away from {a}.
But {b} was quick and took <{o}> out of {a.s} {a.hands}.
{b} waited until {a} looked away, and then {b.he!} took <{o}>.
"Now it is my turn!" said {b}, pulling {o} away from {a}.
When {a} sneezed, {b} took {o} and held it high above {b.his!} head.
"You have had it long enough, {a.n}," said {b}, and took {o.the}.

[turns_back a b] mood a angry; mood b angry
{a.n} and {b.n} turned their backs on each other.
"You are not my friend any more," {a} told {b}.
For a long time neither {a.n} nor {b.n} said a word.
{a} {@stamped}, and {b} would not even look up.
"I do not need you," {b} told {a}. "And I do not need you either," said {a}.
{a} looked to the left, and {b} looked to the right.

[peacemaker c a b] new c; join c a
{c.n} the {c.kind} had heard the noise and came to see what {a.n} and {b.n} were fighting about.
"What is all this noise?" asked {c.n} the {c.kind}, looking from {a.n} to {b.n}.
{a.n} and {b.n} were so loud that {c.n} the {c.kind} came running.
Just then {c.n} the {c.kind} walked by and saw {a.n} and {b.n} quarreling.
{c.n} the {c.kind} put down {c.his!} work. "Now, now, {a.n} and {b.n}," {c.he!} said. "What is the matter?"
{c.n} the {c.kind} had been watching {a.n} and {b.n} for a while and came over, shaking {c.his!} head.

[peacemaker_kin c a b] new c; join c a
{c.n} had heard the noise and came to see what {a.n} and {b.n} were fighting about.
"What is all this noise?" asked {c.n}, looking from {a.n} to {b.n}.
{a.n} and {b.n} were so loud that {c.n} came running.
{c.n} stepped between {a.n} and {b.n}. "That is enough," {c.he!} said.
{c.n} had been watching {a.n} and {b.n} for a while and came over, shaking {c.his!} head.

[gives_to_wise b c o] hold o c
{c} held out a {c.hand}, and {b} gave {c.him!} {o}.
"Give {o.the} to me for a moment," said {c}, and {b} did.
{b} hung {b.his!} head and handed {o} to {c}.
{c} waited. {c.he!} only looked at {b}, until {b} gave {c.him!} {o.the}.
{b} did not want to, but {b.he!} gave <{o}> to {c}.

[advice c o]
"A thing like {o.a} is only fun when two can enjoy it," said {c}. "Why not take turns?"
{c} thought for a while, with {o} in hand. "One of you may have it until noon, and the other after noon," {c.he}
    said.
"Would you rather have {o.the} or a friend?" asked {c}. Nobody answered.
"When I was small, I lost a friend over {o.a}," said {c}. "Do not make my mistake."
"Half of {o.the} is no use to anyone," said {c}. "But the whole of it is enough for two."
{c} smiled and weighed {o} in {c.his!} {c.hand}. "How long is an hour?" {c.he!} asked. "Not long at all when you
    wait for a friend."

[sorry a b] mood a sorry
{a} looked at {@shoes}. "I am sorry, {b.n}," {a.he} said.
"I was mean to you, {b.n}," said {a}. "Please forgive me."
{a} felt ashamed and said sorry to {b}.
"You are more important than a toy," {a} told {b}.
"I should not have done that, {b.n}," {a} mumbled. "I am sorry."
It took {a} a while, but then {a.he!} said sorry to {b}.

[sorry_too b a] mood b calm; mood a calm
"I am sorry too," said {b}, and the two of them were friends again. {a} smiled.
{b} nodded. "Let's never fight again, {a.n}," {b.he} said.
"It is all right, {a.n}," said {b}. "I was not nice either."
"I said silly things too, {a.n}," said {b}, and they shook {b.hands}.
{b} laughed. "We looked like two angry hens, {a.n}," {b.he!} said.

[first_turn c b o] hold o b; mood b happy
So {c} gave <{o}> to {b}, who had the first turn.
"{b.n} may start," said {c}, and gave {o} to {b.him}.
{c} tossed a coin, and it was {b} who got <{o}> first.
{c} let {b} have <{o}> first.
The first turn went to {b}, and {c} handed {b.him!} {o.the}.

[next_turn b a o] hold o a; mood a happy; done a; done b
After a while, {b} passed <{o}> to {a}.
"Your turn, {a.n}," said {b} soon, and gave {a.him} {o.the}.
When the church bell rang, {b} handed <{o}> to {a} without being asked.
{b} was careful, and as soon as {b.his!} time was up, {b.he!} gave {o} to {a}.
"Now you try, {a.n}," said {b}, holding out {o.the}, and {a} took it.

[back_again a b o] hold o b
Later {a} gave <{o}> to {b} again.
"Now you, {b.n}," said {a}, and gave {b.him} {o.the} once more.
And so it went on, until in the end {b} had <{o}> again and {a} clapped.
{a} could have kept {o} longer, but {a.he!} handed it back to {b} on time.
Round and round it went, and when the sun set, {b} had {o} again, and {a} did not mind.

[lesson_quarrel a b]
{a.n} and {b.n} had learned that sharing is more fun than winning.
Since that day, {a.n} and {b.n} have shared everything.
"It is much nicer to share," {a} said to {b}.
{b} has forgotten what the quarrel was about, and so has {a}.
"Next time we will ask each other first," said {a} to {b}.
"""


def quarrel(t: Teller) -> None:
    """Tell it."""
    a = 0
    t.say("dull_day", a=a, y=t.pick("y", whole("day")))
    t.say("goes", a=a, p=t.spot("p", *OUTDOORS, "house"))
    b = company(t)
    pause(t)
    t.paragraph()
    o = t.thing("o", "toy", "roll", "fly", "float", "music")
    t.say("find_both", a=a, b=b, o=o)
    t.say("both_want", a=a, b=b, o=o)
    t.say("grabs", a=a, b=b, o=o)
    snatched = t.branch(("snatches", 1), (None, 1))
    if snatched:
        t.say("snatches", b=b, a=a, o=o)
    t.say("turns_back", a=a, b=b)
    t.paragraph()
    holder, other = (b, a) if snatched else (a, b)
    if t.branch(("peacemaker", 1), ("peacemaker_kin", 1)) == "peacemaker":
        c = t.person("c", ("adult", 1))
        t.say("peacemaker", c=c, a=a, b=b)
    else:
        c = t.person("c", ("kin", 1))
        t.say("peacemaker_kin", c=c, a=a, b=b)
    t.say("gives_to_wise", b=holder, c=c, o=o)
    t.say("advice", c=c, o=o)
    t.say("sorry", a=holder, b=other)
    t.say("sorry_too", b=other, a=holder)
    t.say("first_turn", c=c, b=other, o=o)
    t.say("next_turn", b=other, a=holder, o=o)
    if t.branch(("back_again", 1), (None, 1)):
        t.say("back_again", a=holder, b=other, o=o)
    if t.branch(("lesson_quarrel", 1), (None, 1)):
        t.say("lesson_quarrel", a=a, b=b)
