"""Languages of random probabilistic finite automata: problems, metrics, learners, ceilings.

    problems = regbench.load("my_languages", "test")          # or regbench.load(RegBench(), "test", 0, 500, seed=1)
    scores = regbench.score(predicted, problems, kind="logits")
    scores.mean("before_separator")["dfa_accuracy"]

The five-minute page is docs/regbench.md.
"""

from regbench.audit import Audit, audit
from regbench.automaton import Automata, Automaton
from regbench.metrics import RowScores, score
from regbench.problems import Problems, from_texts, load
from regbench.suites import RegBench

__all__ = [
    "Audit",
    "Automata",
    "Automaton",
    "Problems",
    "RegBench",
    "RowScores",
    "audit",
    "from_texts",
    "load",
    "score",
]
