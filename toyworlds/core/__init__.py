"""Seeds, exact arithmetic, registry, dataset storage and the wording of errors."""
