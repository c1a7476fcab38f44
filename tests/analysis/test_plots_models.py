"""Figures of models show the numbers that they are given."""

import pytest

from analysis.plots.models import long_context_figure
from analysis.plots.regbench_units import scores_figure, units_figure


def test_memory_and_memory_a_token():
    rows = [
        {"model": m, "length": n, "bytes": n * b} for m, b in (("mosaic", 1e4), ("lstm", 2e4)) for n in (4096, 8192)
    ]
    page = long_context_figure(rows)
    total, each = page.axes
    assert [line.get_label() for line in total.lines] == ["mosaic", "lstm", "slope 1: linear"]
    assert total.lines[1].get_ydata()[1] == pytest.approx(8192 * 2e4 / 1e6)
    assert each.lines[0].get_ydata() == pytest.approx([10.0, 10.0])
    assert total.lines[2].get_ydata() == pytest.approx(total.lines[0].get_ydata())


def test_units_in_a_row_a_model():
    told = {"factors": ["order 1", "state"], "importance": [[0.1, 0.2], [0.3, 0.0]]}
    order = {"change": [[0.5, -0.25], [0.0, 0.125]], "groups": ["2-gram", "longer"]}
    one = {"units": ["block 0, head 0", "block 1, head 0"], "needed": {"order": order}, "told": told, "read": told}
    page = units_figure({"mosaic": one, "transformer": one})
    assert len(page.axes) == 6
    assert [text.get_text() for text in page.axes[0].texts] == ["0.50", "-0.25", "0.00", "0.12"]
    assert page.axes[3].get_ylabel() == "transformer"


def test_scores_by_seed():
    page = scores_figure({"mosaic": {"D": [0.2, 0.4]}, "transformer": {"D": [0.1, 0.1]}}, {"D": "each tells one"})
    (ax,) = page.axes
    assert list(ax.lines[0].get_ydata()) == [0.2, 0.4]
    assert ax.collections[0].get_segments()[0][0][1] == pytest.approx(0.3)
