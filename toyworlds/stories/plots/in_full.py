"""Questions answered in full: the answer names again what it is about, where stories say "It is with Tom".

No story asks so; interviews and prompts do where they are told to (`in_full`). A model reads the answer off the words
just before it, and need not find out first what "it" is.
"""

from __future__ import annotations

PHRASES = """
[ask_color_in_full c a o]
"What color is {o.the}?" asked {c}. "{o.the} is |{o.color}," said {a}. ~ Asked {c}: "What hue hath {o.the}?" Quoth
    {a}: "{o.the} is |{o.color}."
{c} wanted to know what color {o.the} was. {o.the} was |{o.color}, said {a}. ~ {c} would know the hue of {o.the}.
    {o.the} was |{o.color}, quoth {a}.

[ask_holder_in_full c a o d]
"Who has {o.the} now?" asked {c}. "{o.the} is with |{d.n}," said {a}. ~ Asked {c}: "Who hath {o.the} now?" Quoth {a}:
    "{o.the} is with |{d.n}."
{c} asked {a} who had {o.the}. {o.the} was with |{d.n}. ~ {c} asked {a} who had {o.the} in hand. {o.the} was with
    |{d.n}.

[ask_owner_in_full c a o d]
"Whose is {o.the}?" asked {c}. "{o.the} belongs to |{d.n}," said {a}. ~ Asked {c}: "Whose is {o.the}?" Quoth
    {a}: "{o.the} belongs to |{d.n}."
{c} asked {a} whose {o.the} was. {o.the} belonged to |{d.n}. ~ Of {a} {c} asked whose {o.the} was. {o.the}
    belonged to |{d.n}.

[ask_where_in_full c a o p]
"Where is {o.the} now?" asked {c}. "{o.the} is over at the |{p.noun}," said {a}. ~ Asked {c}: "Where is {o.the} now?"
    Quoth {a}: "{o.the} is over at the |{p.noun}."
{c} asked {a} where {o.the} was. {o.the} was over at the |{p.noun}. ~ {c} asked {a} where {o.the} might be. {o.the}
    was over at the |{p.noun}.

[ask_person_in_full c a d p]
"Where is {d.n} now?" asked {c}. "{d.n} is over at the |{p.noun}," said {a}. ~ Asked {c}: "Where is {d.n} now?" Quoth
    {a}: "{d.n} is over at the |{p.noun}."
{c} asked {a} where {d.n} was. {d.n} was over at the |{p.noun}. ~ {c} asked {a} where {d.n} might be. {d.n} was over
    at the |{p.noun}.
"""
