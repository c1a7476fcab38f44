"""Models and tasks by name; an entry is a frozen config class, registered where it is defined.

    MODELS[name](**options).build(seed)  -> torch.nn.Module, a SequenceModel (mosaics.interface)
    TASKS[name](**options).build(seed)   -> a Task (mosaics.interface)

Tags of models: "tokens", "vectors" for what they read, "segments" where they take packed rows (`mosaics.stack`).

A registry is filled by importing the files that define its entries; ``import mosaics.catalogue`` imports all.
"""

from __future__ import annotations

from toyworlds.core.registry import Registry

MODELS = Registry("model")
"""Config classes of sequence models."""

TASKS = Registry("task")
"""Config classes of tasks."""
