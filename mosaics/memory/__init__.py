"""Retrieval from associative memories: one public door, one readable reference, the fast ways."""

from mosaics.memory.api import Choice, choose, recall, retrieval_weights, retrieve
from mosaics.memory.dropout import dropout_mask

__all__ = ["Choice", "choose", "dropout_mask", "recall", "retrieval_weights", "retrieve"]
