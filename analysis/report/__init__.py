"""Pages of results: one self-contained HTML file, its figures beside it as PNG."""
