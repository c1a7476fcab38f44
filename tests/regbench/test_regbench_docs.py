"""The Python examples of the pages on RegBench run as they stand and print what the pages show."""

import re
from pathlib import Path

import numpy as np

DOCS = Path(__file__).resolve().parents[2] / "docs"


def blocks(name):
    """Language and text of every block of code."""
    return re.findall(
        r"^```(\w*)\n(.*?)^```$", (DOCS / name).read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )


def test_the_first_page(capsys):
    names: dict[str, object] = {"__name__": "example"}
    found = blocks("regbench.md")
    first, second = (text for language, text in found if language == "python")
    exec(compile(first, "regbench.md", "exec", dont_inherit=True), names)
    assert capsys.readouterr().out.split() == found[1][1].split()
    exec(compile(second, "regbench.md", "exec", dont_inherit=True), names)
    assert "'dfa_accuracy': 0." in capsys.readouterr().out


def test_the_guess_that_the_first_page_scores():
    import regbench
    from regbench.suites import RegBenchLaptop

    problems = regbench.load(RegBenchLaptop(strings=(3, 3), lengths=(4, 7)), "test", 0, 1, seed=0)
    guess = np.zeros((*problems.tokens.shape, problems.vocabulary))
    guess[..., 1:5] = 0.25
    scores = regbench.score(guess, problems)

    def said(rows):
        means = scores.mean(rows)
        return [round(means[name], 2) for name in ("dfa_accuracy", "total_variation", "excess")]

    assert said("before_separator") == [0.18, 0.63, 1.06]
    assert said("all_rows") == [0.21, 0.62, 1.02]
    page = " ".join((DOCS / "regbench.md").read_text(encoding="utf-8").split())
    assert (
        "accuracy 0.18 (the share of rows where `a` may come next), total variation 0.63 and an excess of 1.06" in page
    )
    assert "over `all_rows` they are 0.21, 0.62 and 1.02" in page
    allows_a = problems.automata.law()[0, problems.states[0], 0] > 0
    counted = scores.counted("before_separator")[0]
    assert round(allows_a[counted].mean(), 2) == 0.18
