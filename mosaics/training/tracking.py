"""TensorBoard events beside the metrics: the same numbers, for the eye; needs the extra ``tracking``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from toyworlds.core.validate import DataError


class Events:
    """Writes records into ``folder``; numbers of a population one a member."""

    def __init__(self, folder: Path, step: int) -> None:
        """Open `folder`; events after `step`, left by a run that was cut off, are hidden."""
        if importlib.util.find_spec("tensorboard") is None:
            raise DataError(
                "tensorboard is needed to write events; install it with: pip install 'mosaicbench[tracking]'"
            )
        from torch.utils.tensorboard import SummaryWriter

        self.writer: Any = SummaryWriter(str(folder), purge_step=step + 1 if step else None)

    def write(self, record: dict[str, Any]) -> None:
        """Write the numbers of a record at its step."""
        for name, value in record.items():
            several = isinstance(value, list)
            for member, number in enumerate(value if several else [value]):
                if name != "step" and number is not None:
                    self.writer.add_scalar(f"{name}/{member}" if several else name, number, record["step"])

    def close(self) -> None:
        """Write what is left."""
        self.writer.close()
