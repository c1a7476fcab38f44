"""The Python examples of the README and of the pages on models and tracing run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("name", ["models.md", "tracing.md"])
def test_examples_run(name, tmp_path, monkeypatch, capsys):
    if name == "models.md":
        pytest.importorskip("huggingface_hub")
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) >= 2
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "example"}
    for block in blocks:
        exec(compile(block, name, "exec", dont_inherit=True), names)
    if name == "models.md":
        ours, theirs = map(int, capsys.readouterr().out.split()[:2])
        assert abs(theirs / ours - 1.0) < 0.05
        assert (tmp_path / "my_mosaic" / "model.safetensors").exists()
    else:
        assert float(capsys.readouterr().out.split()[0]) < 1e-6


def test_the_readme_s_example_runs(capsys):
    """With two updates instead of three hundred."""
    (block,) = re.findall(r"```python\n(.*?)```", (DOCS.parent / "README.md").read_text(), flags=re.DOTALL)
    assert "steps=300" in block
    quick = block.replace("steps=300", "steps=2")
    exec(compile(quick, "README.md", "exec", dont_inherit=True), {"__name__": "example"})
    assert float(capsys.readouterr().out.split()[0]) > 0.01


def test_every_page_is_linked_from_the_readme():
    linked = set(re.findall(r"\(docs/(\w+\.md)\)", (DOCS.parent / "README.md").read_text()))
    assert linked == {page.name for page in DOCS.glob("*.md")}
