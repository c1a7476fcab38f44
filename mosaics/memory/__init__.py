"""Retrieval from associative memories: one public door, one readable reference, the fast ways."""

from mosaics.memory.api import Choice, choose, recall, retrieval_weights, retrieve

__all__ = ["Choice", "choose", "recall", "retrieval_weights", "retrieve"]
