"""The Python examples of the documents of this package run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from toyworlds import WORLDS

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("name", ["worlds.md", "data_format.md"])
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) > 2
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(WORLDS, "_entries", dict(WORLDS._entries))
    names: dict[str, object] = {"__name__": "example"}
    for block in blocks:
        exec(compile(block, name, "exec", dont_inherit=True), names)
