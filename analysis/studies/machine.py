"""How the trainings of a study use the machine: numbers of the forward pass, compilation.

A job names them only where they are not the usual ones, so that jobs without them keep their names and results.
"""

from __future__ import annotations

from typing import Any

from toyworlds.core.validate import choice

KNOWN = {"dtype": ("float32", "bfloat16"), "compile": ("none", "model")}
"""Values of each option, the usual one first."""


def check_machine(study: Any) -> None:
    """Raise an InputError for an unknown `dtype` or `compile`."""
    for name, known in KNOWN.items():
        choice(name, getattr(study, name), known)


def of_machine(study: Any) -> dict[str, str]:
    """Return what `study` asks for beside the usual, as options of a training."""
    return {name: getattr(study, name) for name, known in KNOWN.items() if getattr(study, name) != known[0]}
