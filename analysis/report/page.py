"""One HTML page without outside parts: it opens from disk, without a network, and prints.

>>> page = Page("Title", "What was found, in one sentence.")
>>> page.section("Rates").text("Ninety of a hundred.").table(["seed", "score"], [[0, 0.98]])  # doctest: +ELLIPSIS
<...>
>>> "Rates</h2>" in page.html()
True
"""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toyworlds.core import folders

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
:root { color-scheme: light; --ink: #1b1f24; --soft: #57606a; --line: #d8dee4; --paper: #ffffff; --mark: #0b6e4f; }
body { font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: var(--ink);
       background: var(--paper); margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem; } h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; }
p.lead { font-size: 1.12rem; border-left: 4px solid var(--mark); padding: .2rem 0 .2rem 1rem; margin: 1rem 0 1.5rem; }
figure { margin: 1.25rem 0; } figure img { max-width: 100%; height: auto; }
figcaption, p.note { color: var(--soft); font-size: .92rem; margin: .4rem 0 1.4rem; }
div.scroll { overflow-x: auto; margin: 1rem 0 0; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: bottom; }
td { white-space: nowrap; }
th { border-bottom: 2px solid var(--ink); } th:first-child, td:first-child { text-align: left; }
pre { background: #f6f8fa; padding: .8rem; overflow-x: auto; font-size: .85rem; }
details { margin: 1rem 0; } summary { cursor: pointer; color: var(--soft); }
nav { font-size: .92rem; color: var(--soft); } nav a { color: var(--mark); margin-right: 1rem; }
"""


class Page:
    """A page under way: a title, a lead sentence, then sections."""

    def __init__(self, title: str, lead: str, figures: Path | None = None) -> None:
        self.title, self.lead = title, lead
        self.figures = figures
        self._parts: list[str] = []
        self._sections: list[str] = []

    def section(self, title: str) -> Page:
        """Begin a section."""
        self._sections.append(title)
        self._parts.append(f'<h2 id="s{len(self._sections)}">{html.escape(title)}</h2>')
        return self

    def text(self, *paragraphs: str) -> Page:
        """Add paragraphs of plain text."""
        self._parts += [f"<p>{html.escape(paragraph)}</p>" for paragraph in paragraphs]
        return self

    def table(self, head: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> Page:
        """Add a table; numbers are shown with three significant digits."""
        cells = "".join(f"<th>{html.escape(name)}</th>" for name in head)
        lines = ["<tr>" + "".join(f"<td>{html.escape(show(value))}</td>" for value in row) + "</tr>" for row in rows]
        note = f'<p class="note">{html.escape(caption)}</p>' if caption else ""
        self._parts.append(
            f'<div class="scroll"><table><thead><tr>{cells}</tr></thead>'
            f"<tbody>{''.join(lines)}</tbody></table></div>{note}"
        )
        return self

    def figure(self, name: str, figure: Figure, caption: str) -> Page:
        """Add a matplotlib figure, also written to `figures`/name.png; the figure is closed."""
        import matplotlib.pyplot as plt

        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=150, metadata={"Software": "mosaicbench"})
        plt.close(figure)
        if self.figures is not None:
            self.figures.mkdir(parents=True, exist_ok=True)
            folders.write_bytes(self.figures / f"{name}.png", buffer.getvalue())
        image = base64.b64encode(buffer.getvalue()).decode()
        alternative = html.escape(caption, quote=True)
        self._parts.append(
            f'<figure><img alt="{alternative}" src="data:image/png;base64,{image}">'
            f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        )
        return self

    def details(self, summary: str, text: str) -> Page:
        """Add a folded block of preformatted text."""
        self._parts.append(
            f"<details><summary>{html.escape(summary)}</summary><pre>{html.escape(text)}</pre></details>"
        )
        return self

    def html(self) -> str:
        """Return the whole page."""
        links = "".join(f'<a href="#s{i}">{html.escape(name)}</a>' for i, name in enumerate(self._sections, 1))
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(self.title)}</title><style>{STYLE}</style></head><body>\n"
            f'<h1>{html.escape(self.title)}</h1>\n<p class="lead">{html.escape(self.lead)}</p>\n<nav>{links}</nav>\n'
            + "\n".join(self._parts)
            + "\n</body></html>\n"
        )

    def write(self, path: Path) -> Path:
        """Write the page and return its path."""
        folders.write_text(path, self.html())
        return path


def show(value: Any) -> str:
    """Text of a table's cell."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if math.isnan(value):
            return "-"
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)
