"""Files of a report that are no text: written beside their place, then renamed."""

from __future__ import annotations

import secrets
from pathlib import Path

from toyworlds.core.validate import DataError


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, also when several processes write it at once; a DataError when that fails."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(6)}.partial")
    try:
        aside.write_bytes(content)
        aside.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        aside.unlink(missing_ok=True)
