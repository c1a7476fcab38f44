"""Optional packages: asked for by name, with the extra that installs them."""

from __future__ import annotations

import importlib.util

from toyworlds.core.validate import DataError


def need(package: str, extra: str, purpose: str) -> None:
    """Raise a DataError when `package` is not installed, naming the extra that brings it."""
    if importlib.util.find_spec(package) is None:
        raise DataError(f"{package} is needed to {purpose}; install it with: pip install 'mosaicbench[{extra}]'")
