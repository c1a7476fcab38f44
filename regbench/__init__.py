"""Languages of random probabilistic finite automata: problems, metrics, learners, ceilings."""
