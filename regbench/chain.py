"""The automaton as a Markov chain: where it spends its time, and how much the next symbol tells.

    pi = lim 1/N sum_{k < N} e_start P^k,   P[q, r] = sum over a with next(q, a) = r of P(a | q)
    h  = sum_q pi_q H(q),                   H(q) = - sum_a P(a | q) ln P(a | q)          nats a symbol

The limit of averages exists for every chain, periodic or with several closed classes. It is computed by doubling,

    a_{k+1} = (a_k + a_k Q_k) / 2,  Q_{k+1} = Q_k Q_k,  Q_0 = P,  a_0 = e_start:  a_k averages 2^k steps,

rows of Q kept at sum 1; 60 doublings leave an error of the order of 2^-60 plus rounding. Nothing is sampled.
"""

from __future__ import annotations

import numpy as np

from regbench.automaton import Automata
from toyworlds.core.validate import InputError

DOUBLINGS = 60


def transition_matrix(automata: Automata) -> np.ndarray:
    """P, (n, S, S) float64; rows of states that no string reaches, and of unused ones, are as they are."""
    law = automata.law()
    matrix = np.zeros((len(automata), automata.states, automata.states))
    which, state, symbol = np.nonzero(automata.edges)
    np.add.at(matrix, (which, state, automata.next_state[which, state, symbol]), law[which, state, symbol])
    return matrix


def stationary(automata: Automata) -> np.ndarray:
    """pi, (n, S) float64; InputError when a state that can be reached has no edge, so that strings end there."""
    power = transition_matrix(automata)
    share = np.zeros(power.shape[:2])
    share[np.arange(len(automata)), automata.start] = 1.0
    for _ in range(DOUBLINGS):
        share = 0.5 * (share + np.einsum("nq,nqr->nr", share, power))
        power = power @ power
        total = power.sum(axis=2, keepdims=True)
        power /= np.where(total > 0, total, 1.0)
    if np.any(share.sum(axis=1) < 0.5):
        stuck = int(np.flatnonzero(share.sum(axis=1) < 0.5)[0])
        raise InputError(f"automata[{stuck}]: expected an edge out of every state that can be reached; got one without")
    return np.asarray(share / share.sum(axis=1, keepdims=True))


def state_entropy(automata: Automata) -> np.ndarray:
    """H(q), nats, (n, S) float64."""
    law = automata.law()
    return np.asarray(-(law * np.log(np.where(law > 0, law, 1.0))).sum(axis=2))


def entropy_rate(automata: Automata) -> np.ndarray:
    """h, nats a symbol, (n,) float64."""
    return np.asarray((stationary(automata) * state_entropy(automata)).sum(axis=1))
